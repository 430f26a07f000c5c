"""Move a scheduled send to another time: same email, same recipients.

What the provider holds is recalled first; without its confirmation in time, nothing is sent again.
"""

import datetime
import os
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from newsletter.config import Config
from newsletter.db import read_transaction
from newsletter.errors import SendRefusedError
from newsletter.render.email import Email
from newsletter.render.fallback_host import find_fallback_problems
from newsletter.sending.ledger.copied_database import require_adopted
from newsletter.sending.ledger.record import (
    Ledger,
    Send,
    changed_meanwhile_error,
    count_recipients_by_state,
    get_ledger_time,
    may_have_been_sent,
)
from newsletter.sending.ledger.send_phase import get_send_phase, is_held, is_recallable
from newsletter.sending.planning.audience import recipient_state_condition
from newsletter.sending.planning.copy_send import copy_recalled_send, list_planned_sizes
from newsletter.sending.planning.frozen_content import load_frozen_email
from newsletter.sending.planning.preflight import (
    find_resume_problems,
    past_send_problem,
)
from newsletter.sending.planning.repeated_article import require_new_article
from newsletter.sending.planning.schedule import ScheduledTime
from newsletter.sending.planning.send_schedule import (
    SendSchedule,
    describe_schedule,
    request_schedule,
    save_schedule,
)
from newsletter.sending.providers.provider import ProviderClient
from newsletter.sending.providers.registry import get_provider
from newsletter.sending.recall import cancel_locally, recall_send
from newsletter.sending.service import SendContext
from newsletter.subscribers import count_subscribers
from newsletter.subscribers.recalled_sends import PROVIDER_CANCEL_MARGIN
from newsletter.subscribers.send_names import get_original_issue, is_set_aside_name
from newsletter.subscribers.topics import limit_to_topic

# ``move``: nothing was handed to the provider; ``recall``: it holds something; ``copy``: it was
# recalled before.
RescheduleKind = Literal["move", "recall", "copy"]


@dataclass(frozen=True, slots=True)
class RescheduleProposal:
    """What rescheduling a send would do.

    Attributes:
        context: the send, with its project and ledger.
        kind: how it is done.
        email: the frozen email.
        recipient_count: how many of its recipients would be sent to now.
    """

    context: SendContext
    kind: RescheduleKind
    email: Email
    recipient_count: int


def propose_reschedule(context: SendContext, *, repeat_article: bool = False) -> RescheduleProposal:
    """Return what rescheduling a send would do; change nothing.

    Args:
        context: the send.
        repeat_article: whether the article may go to readers who got it as another issue since
            the send was recalled.

    Raises:
        SendRefusedError: it has no time, may have gone out, or can't be recalled any more; or a
            setting or the API key is missing; or the database is a copy that has not been adopted;
            or readers got the article as another issue.
    """
    ledger, send, config = context.ledger, context.send, context.project.config
    provider = get_provider(config)
    # First of all: what the original has handed to the provider must not be recalled in vain.
    with read_transaction(ledger.engine) as connection:
        require_adopted(connection)
    kind = _choose_kind(ledger, send, config)
    email = load_frozen_email(ledger, send)
    problems = [
        *find_resume_problems(config, os.environ),
        *find_fallback_problems(email),
        *provider.find_link_problems(email),
    ]
    if problems:
        raise SendRefusedError.from_problems(problems)
    with read_transaction(ledger.engine) as connection:
        largest = max(list_planned_sizes(connection, send), default=0)
        if largest > provider.max_batch_size:
            raise SendRefusedError.from_problems([provider.oversized_batch_problem()])
        condition = limit_to_topic(recipient_state_condition(send), send.topic)
        now = ledger.clock(connection)
        count = count_subscribers(connection, condition, mailable_only=True, at=now)
    if not count:
        raise SendRefusedError(
            f"all readers of {send.issue} have unsubscribed",
            remedy=f"Cancel it with: newsletter cancel {send.slug}",
        )
    # While it waits or is held, another issue with its article is refused.
    if kind == "copy" and not repeat_article:
        require_new_article(context.project, ledger, email, condition)
    return RescheduleProposal(context, kind, email, count)


def perform_reschedule(
    proposal: RescheduleProposal, client: ProviderClient, scheduled_time: ScheduledTime | None
) -> SendContext:
    """Record the new time; the caller delivers the send unless it waits here.

    Args:
        proposal: as it was shown to the editor.
        client: the provider's client.
        scheduled_time: the new time; ``None`` for now.

    Raises:
        SendRefusedError: the send has changed meanwhile.
        ProviderError: the provider has not confirmed in time that it is cancelled.
    """
    context = proposal.context
    ledger, send = context.ledger, context.send
    if proposal.kind == "recall":
        _check_margin(send, get_ledger_time(ledger), context.project.config)
    schedule = request_schedule(client, scheduled_time, None, get_ledger_time(ledger))
    if schedule.scheduled_at is None:
        # Due at once: if this command dies, the next ``send --due`` continues.
        schedule = SendSchedule(get_ledger_time(ledger))
    if proposal.kind == "move":
        return context._replace(send=save_schedule(ledger, send, schedule))
    if proposal.kind == "recall":
        cancellation = cancel_locally(ledger, send, context.project.config)
        if not cancellation.is_recallable:
            raise changed_meanwhile_error(send)
        send = recall_send(ledger, cancellation.send, client)
    return context._replace(send=copy_recalled_send(ledger, send, schedule))


def _choose_kind(ledger: Ledger, send: Send, config: Config) -> RescheduleKind:
    if is_set_aside_name(send.issue):
        raise SendRefusedError(
            f"{send.issue} was recalled, and its issue was planned again since",
            remedy=f"See: newsletter status {get_original_issue(send.slug)}",
        )
    now = get_ledger_time(ledger)
    phase = get_send_phase(send, now)
    if send.state == "frozen" and send.scheduled_at:
        return "move"
    if phase == "recalled":
        return "copy"
    if is_held(send, now) or (phase == "uncertain" and is_recallable(send, now)):
        if may_have_been_sent(ledger, send):
            _check_margin(send, now, config)
            return "recall"
        raise SendRefusedError(
            f"{send.issue} was stopped before anything of it was handed to {send.provider_name}",
            remedy=f"Cancel it with: newsletter cancel {send.slug}. Then schedule it with: "
            f"{send.send_command} --at TIME",
        )
    if phase == "uncertain":
        counts = count_recipients_by_state(ledger, send)
        problem = past_send_problem(send, config, counts, may_have_been_sent=True, now=now)
        raise SendRefusedError.from_problems([problem])
    raise SendRefusedError(
        f"{send.issue} is not scheduled",
        remedy=f"See what it is with: newsletter status {send.slug}. To schedule it: "
        f"{send.send_command} --at TIME",
    )


def _check_margin(send: Send, now: datetime.datetime, config: Config) -> None:
    """Refuse to ask the provider for a recall that could only come too late.

    Raises:
        SendRefusedError: its time is too near.
    """
    if send.scheduled_at and send.scheduled_at - now < PROVIDER_CANCEL_MARGIN:
        words = describe_schedule(send, now, ZoneInfo(config.timezone))
        raise SendRefusedError(
            f"{send.issue} {words}; less than 10 minutes before, {send.provider_name} can't be "
            "relied on to cancel it",
            remedy="Nothing was changed.",
        )
