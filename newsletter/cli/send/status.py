"""``newsletter status``: show the progress of sends and unknown batches."""

import textwrap
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import echo, echo_err, make_output_private, print_json
from newsletter.cli.project_database import open_project_database
from newsletter.cli.send.shared import iter_unknown_batch_texts
from newsletter.wording import format_count

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from newsletter.config import Config
    from newsletter.sending.lanes.worker_records import WorkerPresence
    from newsletter.sending.ledger.status import SendStatus

POLL_SECONDS = 2.0
NEVER_SENT_STATES = {"pending", "dropped", "skipped_late", "rejected"}


@click.command("status", short_help="Show the progress of a send.")
@click.argument("issue", required=False)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per send, each on a line."
)
@click.option("--workers", is_flag=True, help="Show the workers instead, and what each has done.")
@click.option("--watch", is_flag=True, help="Print it again whenever it changes; Ctrl-C to stop.")
def status_command(issue: str | None, *, as_json: bool, workers: bool, watch: bool) -> None:
    """Show the progress of a send: accepted readers, unknown batches, how to resolve them.

    ISSUE is an issue's name or a part of it; without it, every send is shown, the latest
    first.

    \b
    Examples:
      newsletter status
      newsletter status building-trust --watch
      newsletter status --workers
    """
    from newsletter.cli.worker.worker_table import print_workers
    from newsletter.project import open_project
    from newsletter.sending.lanes.worker_records import get_worker_presence
    from newsletter.sending.ledger.copied_database import find_copy
    from newsletter.sending.ledger.find_sends import (
        find_block_remedy,
        find_send,
        list_sends,
        open_ledger,
    )
    from newsletter.sending.ledger.status import get_send_status

    make_output_private()  # SendGrid may name readers in its reasons
    project = open_project()
    with open_project_database(project) as engine:
        ledger = open_ledger(engine, project.config)
        if workers:
            print_workers(ledger, as_json=as_json)
            return
        if copied := find_copy(engine):
            echo_err(f"newsletter: {copied.as_problem()}", color="yellow")
        sends = [find_send(ledger, issue)] if issue else list_sends(ledger)
        if not sends and not as_json:
            echo_err("Nothing has been sent or planned yet.")
        before: list[object] = []
        while True:
            statuses = [get_send_status(ledger, find_send(ledger, send.issue)) for send in sends]
            presence = get_worker_presence(ledger)
            remedies = [
                find_block_remedy(ledger, status.send, project.config) for status in statuses
            ]
            shown = [
                status.as_data() | {"remedy": remedy, "worker_presence": presence}
                if as_json
                else format_status(status, project.config, presence, remedy)
                for status, remedy in zip(statuses, remedies, strict=True)
            ]
            if shown != before:
                for entry in shown:
                    if as_json:
                        print_json(entry)
                    else:
                        echo(str(entry))
            before = list(shown)
            if not watch or not any(_may_change(status) for status in statuses):
                return
            time.sleep(POLL_SECONDS)


def format_status(
    status: "SendStatus", config: "Config", presence: "WorkerPresence", remedy: str = ""
) -> str:
    """Format a send as a summary line, and details in the lines below it.

    Args:
        status: the send.
        config: the newsletter's settings.
        presence: whether workers could send it, and one is running.
        remedy: from ``find_block_remedy``.
    """
    lines = "\n".join(_iter_details(status, config, presence, remedy))
    return f"{format_status_line(status)}\n{lines}" if lines else format_status_line(status)


def format_status_line(status: "SendStatus") -> str:
    """Format the summary of a send in one line.

    For example ``building-trust  running  1,000 of 2,481 accepted  1 batch unknown  0 lost``.
    """
    from newsletter.sending.ledger.send_phase import SEND_PHASE_LABELS

    send = status.send
    parts = [
        send.slug,
        SEND_PHASE_LABELS[status.phase].in_status,
        _format_accepted(status.phase, status.recipients_by_state.get("accepted", 0), send.total),
        f"{format_count(len(status.unknown_batches), 'batch')} unknown",
        f"{status.missing_recipients:,} lost",
    ]
    return "  ".join(parts)


def _format_accepted(phase: str, accepted_count: int, total: int) -> str:
    if phase == "recalled":  # SendGrid had accepted it, and has discarded it
        return "nobody has it"
    return f"{accepted_count:,} of {total:,} accepted"


def _iter_details(
    status: "SendStatus", config: "Config", presence: "WorkerPresence", remedy: str
) -> Iterator[str]:
    from zoneinfo import ZoneInfo

    from newsletter.sending.ledger.send_phase import SEND_PHASE_LABELS
    from newsletter.sending.planning.schedule import format_rough_duration, format_schedule_time

    send, zone, slug = status.send, ZoneInfo(config.timezone), status.send.slug
    yield from _iter_count_lines(status)
    for catch_up in status.catch_ups:
        label = SEND_PHASE_LABELS[catch_up.phase].in_status
        yield (
            f"  {catch_up.send.slug}, to readers who joined later: {label}, "
            + _format_accepted(catch_up.phase, catch_up.accepted_count, catch_up.send.total)
        )
    yield from _iter_schedule_lines(status, zone)
    if status.phase == "recalled":
        return
    if send.state in {"blocked", "paused"}:
        yield from _iter_stopped_lines(status, presence, remedy)
    if send.state == "running" and status.next_claim_time:
        wait = format_rough_duration(status.next_claim_time - status.now)
        yield f"  waits until {format_schedule_time(status.next_claim_time, zone)} ({wait})"
    if send.state == "running":
        yield from _iter_missing_worker_lines(status, presence)
    if status.in_flight_recipients and status.lease_until and status.lease_until <= status.now:
        yield (
            f"  in flight when the sender stopped: "
            f"{format_count(status.in_flight_recipients, 'reader')}; see what is\n"
            f"  unknown with: newsletter reconcile {slug}"
        )
    elif status.in_flight_recipients:
        yield f"  {format_count(status.in_flight_recipients, 'reader')} in flight"
    yield from iter_unknown_batch_texts(status)
    if status.recipients_by_state.get("rejected"):
        yield f"  retry the refused with: newsletter retry {slug}"


def _iter_stopped_lines(
    status: "SendStatus", presence: "WorkerPresence", remedy: str
) -> Iterator[str]:
    """Yield why it was stopped, and what the editor can do about it."""
    if status.send.reason:
        yield f"  {status.send.reason}"
    if remedy:
        yield textwrap.fill(remedy, 78, initial_indent="  ", subsequent_indent="  ")
    if status.send.state == "blocked":
        # Each worker has the key of its own environment.
        where = ", on each worker's machine" if presence in {"live", "lost"} else ""
        yield f"  find the cause with: newsletter doctor --online{where}"
    yield f"  resume with: newsletter resume {status.send.slug}"


def _iter_missing_worker_lines(status: "SendStatus", presence: "WorkerPresence") -> Iterator[str]:
    """Yield that nobody sends it, and what the editor can do about it."""
    is_idle = not status.in_flight_recipients and not status.next_claim_time
    if presence == "lost" and not is_idle:
        # A command may have taken over.
        yield "  no worker is running any more; unless a command sends it, nothing goes on."
    elif presence == "other" and is_idle:
        yield "  nobody sends it: the workers that run take no part in sends."
    elif presence in {"lost", "none"} and is_idle:
        yield "  nobody sends it: no worker is running."
    else:
        return
    queues = " --queues sends" if presence == "other" else ""
    yield f"  start one with: newsletter worker{queues}"
    yield f"  or go on without: newsletter resume {status.send.slug}"


def _iter_count_lines(status: "SendStatus") -> Iterator[str]:
    """Yield how many recipients have not got it, and how many don't want its topic."""
    from newsletter.sending.ledger.recipient_status import RECIPIENT_STATE_LABELS
    from newsletter.subscribers.topics import opted_out_reason

    send = status.send
    rest = [
        f"{count:,} {RECIPIENT_STATE_LABELS[state].in_send.format(provider=send.provider_name)}"
        for state, count in status.recipients_by_state.items()
        if state not in {"accepted", "unknown"} and count
    ]
    if rest:
        yield f"  {', '.join(rest)}"
    if send.topic:
        reason = opted_out_reason(send.topic)
        yield f"  left out: {send.excluded.get(reason, 0):,} {reason}"


def _iter_schedule_lines(status: "SendStatus", zone: "ZoneInfo") -> Iterator[str]:
    """Yield when it goes or whether it may, and what the editor can do about it."""
    from newsletter.sending.ledger.send_phase import is_recallable
    from newsletter.sending.planning.send_schedule import describe_schedule
    from newsletter.subscribers.send_names import get_original_issue, is_set_aside_name

    send, slug = status.send, status.send.slug
    is_planned_there = bool(send.provider_batch_id) and send.state not in {"frozen", "cancelled"}
    words = describe_schedule(send, status.now, zone)
    if words and (status.is_held_by_provider or not is_planned_there):
        yield textwrap.fill(words, 78, initial_indent="  ", subsequent_indent="  ")
    if status.phase == "waiting" or status.is_held_by_provider:
        is_due = status.phase == "waiting" and send.scheduled_at and send.scheduled_at <= status.now
        if is_due:
            yield "  start it with: newsletter send --due"
        yield f"  another time: newsletter reschedule {slug} --at TIME"
        yield f"  cancel it with: newsletter cancel {slug}"
    elif status.phase == "uncertain" and is_recallable(send, status.now):
        yield f"  ask SendGrid again with: newsletter cancel {slug}"
    elif is_set_aside_name(send.issue):
        yield f"  its issue was planned again: newsletter status {get_original_issue(slug)}"
    elif status.phase == "planned":
        yield f"  nothing goes out until you run: {send.send_command}"
    elif status.phase == "recalled" or (
        send.state == "cancelled" and set(status.recipients_by_state) <= NEVER_SENT_STATES
    ):
        yield f"  send it as it is now with: {send.send_command}"
        if status.phase == "recalled":
            yield f"  the same at another time: newsletter reschedule {slug} --at TIME"


def _may_change(status: "SendStatus") -> bool:
    """Whether the send may change without another command."""
    return status.send.state == "running" or status.phase == "waiting" or status.is_held_by_provider
