"""Send an issue: propose, confirm, deliver, resume.

The steps of a send, in their order:

1. ``propose`` renders the issue and reads the list and the ledger: what would be sent, to how
   many, and every problem that a real send would be refused for. Nothing is written.
2. ``confirm_proposal``, once the editor has typed the number of recipients, freezes the email, its
   recipients and their batches in one transaction. It refuses if the issue or the list has changed
   since the proposal was shown. A send that waits for its time on this machine stops here.
3. ``deliver`` sends what was frozen. For each batch: claim it, commit that it is in flight, POST
   it, record the outcome; until no batch is open, the provider stops the send, or the editor does.
4. What is recorded is in the ledger, before and after each request;
   ``newsletter.sending.ledger.status.get_send_status`` reads it.
5. ``resume`` continues a send that was stopped, is retried, or is due by now. Nothing is selected
   or rendered again.

Nothing here prints or asks: progress, Ctrl-C and messages are the caller's.
"""

import datetime
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.config import Config
from newsletter.errors import SendRefusedError
from newsletter.project import Project, find_issue
from newsletter.render.fallback_host import find_fallback_problems
from newsletter.sending.delivery.observer import SendObserver
from newsletter.sending.delivery.sender import CONCURRENCY, BatchSender
from newsletter.sending.delivery.worker_pool import MailTransport
from newsletter.sending.ledger.pause_cancel_retry import cancel_send
from newsletter.sending.ledger.record import Ledger, Send, count_recipients_by_state, get_send
from newsletter.sending.planning.catch_up import propose_catch_up
from newsletter.sending.planning.frozen_content import (
    SendSchedule,
    load_frozen_email,
    load_prepared_email,
)
from newsletter.sending.planning.preflight import find_resume_problems
from newsletter.sending.planning.proposal import (
    SendOptions,
    SendProposal,
    confirm_send,
    propose_send,
)
from newsletter.sending.planning.schedule import ScheduledTime
from newsletter.sending.providers.provider import Outcome, ProviderClient
from newsletter.sending.providers.registry import get_provider

# Opens an observer for as long as a delivery takes, given how many recipients are pending.
ObserverFactory = Callable[[int], AbstractContextManager[SendObserver]]


class SendContext(NamedTuple):
    """A send, with the project and the ledger that it belongs to."""

    project: Project
    ledger: Ledger
    send: Send


def propose(
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


def request_schedule(
    client: ProviderClient, scheduled_time: ScheduledTime | None, limit_per_hour: int | None
) -> SendSchedule:
    """Return when and how fast a send goes, with the provider's id if the provider holds it.

    The id is requested before anything is written: without it, no send may be recorded as
    scheduled.

    Args:
        client: the client that requests the id.
        scheduled_time: when the send goes; ``None`` for at once.
        limit_per_hour: recipients; ``None`` to leave it as it is.

    Raises:
        ProviderError: SendGrid returned no id.
    """
    if scheduled_time is None:
        return SendSchedule(limit_per_hour=limit_per_hour)
    batch_id = client.create_schedule_id() if scheduled_time.held_by_provider else ""
    start = scheduled_time.get_start_time(datetime.datetime.now(datetime.UTC))
    return SendSchedule(start, scheduled_time.undo_seconds, batch_id, limit_per_hour)


def confirm_proposal(proposal: SendProposal, schedule: SendSchedule | None = None) -> SendContext:
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


def deliver(
    context: SendContext,
    transport: MailTransport,
    open_observer: ObserverFactory,
    concurrency: int = CONCURRENCY,
) -> Outcome | None:
    """Send what was frozen and is still pending; each request is recorded before and after.

    Args:
        context: the send.
        transport: the provider.
        open_observer: opens the observer that shows progress and can ask to stop.
        concurrency: how many requests may be in flight at once.

    Returns:
        The outcome that made the sender stop the send, if one did.

    Raises:
        SendRefusedError: the plan's checksum doesn't match, a newer version made the plan, or
            another sender has taken over a batch.
        DatabaseError: the ledger can't be written.
    """
    _, ledger, send = context
    prepared_email = load_prepared_email(ledger, send, context.project.config)
    pending = count_recipients_by_state(ledger, send).get("pending", 0)
    with open_observer(pending) as observer:
        outcome = BatchSender(
            ledger, send, prepared_email, transport, observer, concurrency=concurrency
        ).run()
    current = get_send(ledger, send.issue)
    if current and current.state == "cancelled":
        # Another command cancelled it meanwhile, and a batch that was in flight then may be
        # ready for another attempt.
        cancel_send(ledger, current)
    return outcome


def resume(
    context: SendContext, open_observer: ObserverFactory, concurrency: int = CONCURRENCY
) -> Outcome | None:
    """Deliver what is still pending of a send, as it was frozen.

    Args:
        context: the send.
        open_observer: as for ``deliver``.
        concurrency: as for ``deliver``.

    Returns:
        The outcome that made the sender stop the send, if one did.

    Raises:
        SendRefusedError: a setting or the API key is missing; or as for ``deliver``.
        DatabaseError: as for ``deliver``.
    """
    config = context.project.config
    email = load_frozen_email(context.ledger, context.send)
    problems = [
        *find_resume_problems(config, os.environ),
        *get_provider(config).find_link_problems(email),
    ]
    if context.send.state == "frozen":
        problems += find_fallback_problems(email)
    if problems:
        raise SendRefusedError.from_problems(problems)
    with open_client(config) as client:
        return deliver(context, client, open_observer, concurrency)


@contextmanager
def open_client(config: Config) -> Iterator[ProviderClient]:
    """Open a client of the provider with the API key of the environment.

    Raises:
        ConfigError: there is no API key, or it is not valid.
    """
    with get_provider(config).connect(os.environ) as client:
        yield client
