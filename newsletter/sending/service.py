"""Send an issue: plan, confirm, deliver, record.

1. ``plan`` renders the issue and reads the list and the ledger: what would be sent, to how many,
   and every problem that a real send would be refused for. Nothing is written.
2. ``confirm_plan``, once the editor has typed the number of recipients, freezes the email, its
   recipients and their batches in one transaction. It refuses if the issue or the list has changed
   since the plan was shown. A send that waits for its time on this machine stops here.
3. ``deliver`` sends what was frozen. For each batch: claim it, commit that it is in flight, hand it
   to the provider, commit the outcome; until no batch is open, the provider stops the send, or the
   editor does. ``resume`` does so for a send that was stopped, is retried, or is due by now:
   nothing is selected or rendered again.
4. ``record`` closes the run: what nobody sends any more is dropped. What became of each recipient
   is in the ledger; ``newsletter.sending.ledger.status.get_send_status`` reads it.

docs/explanation/exactly-once.md has the order of writes. Nothing here prints or asks: progress,
Ctrl-C and messages are the caller's.
"""

import datetime
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.transaction import call_twice_if_lost
from newsletter.errors import NewsletterError
from newsletter.project import Project, find_issue
from newsletter.sending.delivery.observer import SendObserver
from newsletter.sending.delivery.sender import CONCURRENCY, BatchSender
from newsletter.sending.delivery.worker_pool import MailTransport
from newsletter.sending.ledger.copied_database import hold_after_failover
from newsletter.sending.ledger.pause_cancel_retry import cancel_send
from newsletter.sending.ledger.record import Ledger, Send, get_send
from newsletter.sending.ledger.status import count_open_recipients
from newsletter.sending.planning.catch_up import propose_catch_up
from newsletter.sending.planning.confirm import confirm_send
from newsletter.sending.planning.frozen_content import load_frozen_email, load_prepared_email
from newsletter.sending.planning.preflight import require_resumable
from newsletter.sending.planning.proposal import SendOptions, SendProposal, propose_send
from newsletter.sending.planning.send_schedule import SendSchedule
from newsletter.sending.providers.provider import Outcome
from newsletter.sending.providers.registry import get_provider

# Opens an observer for as long as a delivery takes, given how many recipients are pending.
ObserverFactory = Callable[[int], AbstractContextManager[SendObserver]]


class SendContext(NamedTuple):
    """A send, with the project and the ledger that it belongs to."""

    project: Project
    ledger: Ledger
    send: Send


def plan(
    project: Project, issue: str | None, engine: sa.Engine, options: SendOptions | None = None
) -> SendProposal:
    """Return what sending an issue would do; change nothing.

    Args:
        project: the editor's folder.
        issue: a folder's name or a part of it; ``None`` for the newest.
        engine: the database of the list and the ledger.
        options: the editor's options for a new plan.

    Raises:
        NewsletterError: there is no such issue, it can't be rendered, the segment can't be read,
            or the plan that would be resumed doesn't match the options; or, for a catch-up, nobody
            has joined since.
    """
    if options and options.catch_up:
        return propose_catch_up(project, issue, engine, options)
    return propose_send(project, find_issue(project, issue), engine, options)


def confirm_plan(proposal: SendProposal, schedule: SendSchedule | None = None) -> SendContext:
    """Freeze what was proposed: the email, its recipients and their batches.

    Args:
        proposal: as it was shown to the editor.
        schedule: from ``request_schedule``; ``None`` for at once, or for the schedule of the plan
            that is replaced.

    Raises:
        SendRefusedError: the issue or the list has changed since, or the plan doesn't allow the
            schedule.
    """
    return SendContext(proposal.project, proposal.ledger, confirm_send(proposal, schedule))


def deliver(  # noqa: PLR0913 - one run, by whoever runs it
    context: SendContext,
    transport: MailTransport,
    open_observer: ObserverFactory,
    concurrency: int = CONCURRENCY,
    *,
    is_lane: bool = False,
    is_due: bool = False,
) -> Outcome | None:
    """Send what was frozen and is still pending; each request is recorded before and after.

    Args:
        context: the send.
        transport: the provider.
        open_observer: opens the observer that shows progress and can ask to stop.
        concurrency: how many requests may be in flight at once.
        is_lane: as for ``BatchSender``.
        is_due: as for ``BatchSender``.

    Returns:
        The outcome that made the sender stop the send, if one did.

    Raises:
        SendRefusedError: the plan's checksum doesn't match, a newer version made the plan,
            another sender has taken over a batch, or the database has failed over: then its
            unfinished sends are held.
        DatabaseError: the ledger can't be written.
    """
    project, ledger, send = context
    email = call_twice_if_lost(lambda: load_prepared_email(ledger, send, project.config))
    pending_count = call_twice_if_lost(lambda: count_open_recipients(ledger, send))
    with open_observer(pending_count) as observer:
        sender = BatchSender(
            ledger,
            send,
            email,
            transport,
            observer,
            concurrency=concurrency,
            is_lane=is_lane,
            is_due=is_due,
        )
        with _held_after_failover(ledger):
            outcome = sender.run()
    call_twice_if_lost(lambda: record(context))
    return outcome


@contextmanager
def _held_after_failover(ledger: Ledger) -> Iterator[None]:
    """Hold the unfinished sends if the database turns out to have failed over.

    Only behind the context: what was in flight is recorded then, which nobody can once it is held.

    Raises:
        NewsletterError: what was raised in the context, with what to do about the failover.
    """
    try:
        yield
    except NewsletterError as error:
        failed_over = None
        with suppress(NewsletterError):  # it is unavailable; the next command does it
            failed_over = hold_after_failover(ledger.engine, datetime.datetime.now(datetime.UTC))
        if failed_over is None:
            raise
        problems = dict.fromkeys([failed_over.as_problem(), *error.problems])
        raise type(error).from_problems(list(problems)) from error


def record(context: SendContext) -> Send | None:
    """Drop what nobody sends any more, once a sender has stopped; return the send as recorded.

    Another command may have cancelled it meanwhile, and a batch that was in flight then may be
    ready for another attempt.
    """
    current = get_send(context.ledger, context.send.issue)
    if current and current.state == "cancelled":
        cancel_send(context.ledger, current)
    return current


def resume(
    context: SendContext,
    open_observer: ObserverFactory,
    concurrency: int = CONCURRENCY,
    *,
    is_due: bool = False,
) -> Outcome | None:
    """Deliver what is still pending of a send, as it was frozen.

    Args:
        context: the send.
        open_observer: as for ``deliver``.
        concurrency: as for ``deliver``.
        is_due: as for ``deliver``.

    Returns:
        The outcome that made the sender stop the send, if one did.

    Raises:
        SendRefusedError: a setting or the API key is missing; or as for ``deliver``.
        DatabaseError: as for ``deliver``.
    """
    project, ledger, send = context
    require_resumable(send, load_frozen_email(ledger, send), project.config, os.environ)
    with get_provider(project.config).connect(os.environ) as client:
        return deliver(context, client, open_observer, concurrency, is_due=is_due)
