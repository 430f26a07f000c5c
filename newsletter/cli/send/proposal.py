"""Print a proposed send and its schedule."""

import datetime
import textwrap
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from newsletter.cli.output import STATUS_LABELS, echo, echo_err, format_fields, print_json
from newsletter.cli.worker.worker_table import warn_of_missing_workers
from newsletter.errors import SendRefusedError, display_path
from newsletter.wording import format_count

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.config import Config
    from newsletter.config.tracking import TrackedAction
    from newsletter.sending.approval.approval_plan import ApprovalPlan
    from newsletter.sending.ledger.record import Ledger, Send
    from newsletter.sending.planning.proposal import SendProposal
    from newsletter.sending.planning.schedule import ScheduledTime, WaitingPlace
    from newsletter.sending.service import SendContext


def raise_if_refused(proposal: "SendProposal", *, strict: bool = False) -> None:
    """Raise if the proposal has problems, after printing how it differs from the plan.

    Args:
        proposal: the proposed send.
        strict: whether an earlier send of which a single recipient was rejected has failed.

    Raises:
        NothingToDoError: the issue was sent, and has not changed since.
        SendRefusedError: with every problem.
    """
    from newsletter.cli.send.run_result import finished_send_error

    if not proposal.problems:
        return
    if proposal.earlier.blocking_problem and proposal.finished_counts:
        raise finished_send_error(
            proposal.earlier.blocking_problem, proposal.finished_counts, strict=strict
        )
    for line in proposal.earlier.diff_lines:
        echo_err(line, color={"-": "red", "+": "green"}.get(line[:1]))
    raise SendRefusedError.from_problems(proposal.problems)


def print_proposal(proposal: "SendProposal", extra_rows: Iterable[tuple[str, str]] = ()) -> None:
    """Print what would be sent, from whom, to how many, and who is excluded."""
    from newsletter.render.personalization import get_default_subject

    recipients = (
        f"{format_count(proposal.audience.count, 'reader')} in "
        f"{format_count(proposal.request_count, 'request')}"
    )
    resumed = proposal.resumed
    if resumed and resumed.state != "frozen":
        recipients += f"; resumes the stopped send to {resumed.total:,}"
    elif resumed:
        recipients += ", as planned"
    rows = [*sender_rows(proposal), ("to", recipients), *tracking_rows(proposal)]
    rows += catch_up_rows(proposal)
    if gone := proposal.audience.unsubscribed_count:
        rows.append(("gone", f"{gone:,} more were planned and left the list since"))
    rows += [*exclusion_rows(proposal), *extra_rows]
    if proposal.recalled_sends:
        rows.append(("earlier", "cancelled at SendGrid in time; nobody has it"))
    if proposal.allowed:
        reasons = (f"{rule}: {reason}" for rule, reason in proposal.allowed.items())
        rows.append(("allowed", "\n".join(reasons)))
    if proposal.project.config.sendgrid.sandbox:
        rows.append(("sandbox", "SendGrid will only validate it; it counts as sent"))
    echo(get_default_subject(proposal.prepared_email.email, proposal.prepared_email.config))
    echo(format_fields(rows))


def catch_up_rows(proposal: "SendProposal") -> list[tuple[str, str]]:
    """Return the rows that say what a catch-up adds to; none for another send."""
    from newsletter.sending.planning.catch_up import describe_freezing, format_retry_commands
    from newsletter.sending.planning.catch_up_audience import refused_reason

    if not proposal.catch_up:
        return []
    parent = proposal.catch_up.parent
    verb, day = describe_freezing(parent, proposal.project.config)
    joined = format_count(proposal.audience.count, "reader")
    preposition = "to" if verb == "sent" else "for"
    words = f"when {parent.issue} was {verb} {preposition} {parent.total:,}"
    rows = [("catch-up", f"{joined} joined since {day}, {words}")]
    if proposal.catch_up.has_changed:
        words = f"what was {verb} on {day} is sent"
        rows.append(("content", f"files, templates or settings have changed since; {words}"))
    if proposal.audience.excluded.get(refused_reason(parent)):
        commands = format_retry_commands(proposal.catch_up.refused)
        rows.append(("refused", f"retry them with: {commands}"))
    return rows


def tracking_rows(
    proposal: "SendProposal", request_counts: "Mapping[TrackedAction, int] | None" = None
) -> list[tuple[str, str]]:
    """Return the row that says of whom opens and clicks are recorded; none if nobody is asked.

    Args:
        proposal: the proposed send.
        request_counts: in how many requests each of them is recorded, if it is known.
    """
    total = proposal.audience.count
    # A plan of before readers were asked has requests with both.
    agreed = "where the whole request agreed" if proposal.resumed else "who agreed"
    lines = [
        f"{action} of {count:,} of {format_count(total, 'reader')} {agreed}"
        + (f", in {format_count(request_counts[action], 'request')}" if request_counts else "")
        for action, count in proposal.agreed_counts.items()
    ]
    return [("tracked", "\n".join(lines))] if lines else []


def sender_rows(proposal: "SendProposal") -> list[tuple[str, str]]:
    """Return the rows with the sender and the reply-to address."""
    email = proposal.prepared_email.email
    rows = [("from", f"{email.sender.name} <{email.sender.address}>")]
    if email.reply_to:
        rows.append(("reply to", email.reply_to.address))
    return rows


def exclusion_rows(proposal: "SendProposal") -> list[tuple[str, str]]:
    """Return the rows with topic and segment, and with the excluded readers by reason."""
    exclusions = [
        f"{count:,} {STATUS_LABELS[why].in_list if why in STATUS_LABELS else why}"
        for why, count in proposal.audience.excluded.items()
    ]
    rows = [("left out", ", ".join(exclusions))] if exclusions else []
    segment = str(proposal.audience.segment or "")
    if proposal.resumed:
        segment = proposal.resumed.segment
    limits = (("topic", proposal.audience.topic), ("segment", segment))
    return [*(limit for limit in limits if limit[1]), *rows]


def approval_rows(
    approved: "ApprovalPlan | None", plan_file: "Path | None"
) -> list[tuple[str, str]]:
    """Return the row that names the plan by which a send is approved; none without one."""
    if approved is None or plan_file is None:
        return []
    readers = format_count(approved.readers.count, "reader")
    made = f"{approved.made:%a} {approved.made.day} {approved.made:%b %Y}"
    return [("approved", f"{display_path(plan_file)} of {made}, for {readers}")]


def parse_schedule(  # noqa: PLR0913 - the options
    ledger: "Ledger",
    config: "Config",
    at: str | None,
    undo_window: str | None = None,
    *,
    place: "WaitingPlace",
    limit_per_hour: int | None,
) -> "ScheduledTime | None":
    """Return when a send goes and where it waits, from the options; ``None`` for at once.

    Raises:
        UsageError: a value is not valid, or the options can't be combined; or nothing would start
            the send.
    """
    from zoneinfo import ZoneInfo

    from newsletter.sending.lanes.worker_records import list_workers
    from newsletter.sending.ledger.heartbeat import load_heartbeats
    from newsletter.sending.ledger.record import get_ledger_time
    from newsletter.sending.planning.schedule import parse_schedule_options

    seen = any(beat.is_recent for beat in load_heartbeats(ledger))
    if at and place != "provider" and not seen:
        warn_of_missing_workers(list_workers(ledger))  # those that run don't start it
    return parse_schedule_options(
        at,
        undo_window,
        get_ledger_time(ledger),
        ZoneInfo(config.timezone),
        place=place,
        is_starter_seen=seen,
        rate_limited=bool(limit_per_hour),
    )


def format_schedule_rows(
    scheduled_time: "ScheduledTime | None", config: "Config", resumed: "Send | None" = None
) -> list[tuple[str, str]]:
    """Return the rows that show when a send goes, and who holds it until then.

    Args:
        scheduled_time: as the editor has chosen it.
        config: the newsletter's settings.
        resumed: the send that is resumed, if one is: it may have a time already.
    """
    from zoneinfo import ZoneInfo

    from newsletter.sending.planning.schedule import format_rough_duration, format_schedule_time

    now = datetime.datetime.now(datetime.UTC)
    time, is_held = resumed and resumed.scheduled_at, bool(resumed and resumed.provider_batch_id)
    if scheduled_time:
        time, is_held = scheduled_time.at, scheduled_time.held_by_provider
    if not time:
        return []
    shown = format_schedule_time(time, ZoneInfo(config.timezone))
    if time <= now:
        return [("when", f"now; it was planned for {shown}")]
    return [
        ("when", f"{shown} (in {format_rough_duration(time - now)})"),
        ("held", "by SendGrid until then" if is_held else "here until then"),
    ]


def print_scheduled(
    context: "SendContext",
    *,
    as_json: bool,
    verb: str = "Scheduled",
    more: Mapping[str, object] = MappingProxyType({}),
) -> int:
    """Print that a send waits here for its time, and what starts it; return the exit code.

    Args:
        context: the send.
        as_json: whether to print one JSON object instead of text.
        verb: what has been done to it.
        more: further keys of that object.
    """
    from newsletter.sending.ledger.status import get_send_status

    if as_json:
        print_json(get_send_status(context.ledger, context.send).as_data() | dict(more))
        return 0
    slug = context.send.slug
    echo(f"{verb}. Cancel with: newsletter cancel {slug}", color="green")
    text, is_seen = describe_starters(context.ledger)
    if is_seen:
        echo_err(f"It waits here: {text}.")
    else:
        echo_err(textwrap.fill(f"Nothing would start it yet: {text}.", 79), color="yellow")
        echo_err(
            "Start newsletter serve, or let cron run this at that time or later:\n"
            f"  cd {context.project.root} && newsletter send --due"
        )
    return 0


def describe_starters(ledger: "Ledger") -> tuple[str, bool]:
    """Return which programs that start waiting sends were seen, in words, and whether any was."""
    from newsletter.sending.ledger.heartbeat import STARTER_NAMES, load_heartbeats
    from newsletter.sending.ledger.record import get_ledger_time
    from newsletter.sending.planning.schedule import NOBODY_STARTS_IT, format_rough_duration

    now = get_ledger_time(ledger)
    beats = [beat for beat in load_heartbeats(ledger) if beat.is_recent]
    if not beats:
        return NOBODY_STARTS_IT, False
    shown = [
        f"{STARTER_NAMES[beat.starter]} was seen "
        f"{format_rough_duration(max(now - beat.seen_at, datetime.timedelta(0)))} ago"
        for beat in beats
    ]
    return " and ".join(shown), True
