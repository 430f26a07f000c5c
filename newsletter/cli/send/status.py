"""``newsletter status``: how sends stand, and what settles what is not known."""

import json
import time
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import echo, echo_err
from newsletter.cli.send.shared import RECIPIENT_STATE_LABELS, format_unknown_batch, pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from newsletter.config import Config
    from newsletter.sending.ledger.record import Ledger
    from newsletter.sending.ledger.status import SendStatus

POLL_SECONDS = 2.0


@click.command("status", short_help="See how a send stands.")
@click.argument("issue", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a send and line.")
@click.option("--watch", is_flag=True, help="Print it again whenever it changes; Ctrl-C to stop.")
def status_command(issue: str | None, *, as_json: bool, watch: bool) -> None:
    """See how a send stands: who has it, what is unknown, and what settles that.

    ISSUE is an issue's name or a part of it; without it, every send is shown, the latest
    first.

    \b
    Examples:
      newsletter status
      newsletter status building-trust --watch
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from newsletter.db import database_engine
    from newsletter.project import open_project
    from newsletter.sending.ledger.find_sends import find_send, list_sends, open_ledger

    project = open_project()
    with database_engine(project.config.database, project.root) as engine:
        ledger = open_ledger(engine, project.config)
        sends = [find_send(ledger, issue)] if issue else list_sends(ledger)
        if not sends and not as_json:
            echo_err("Nothing has been sent or planned yet.")
        before = ""
        while True:
            looks = [_load_status(ledger, one.issue) for one in sends]
            told = "\n".join(
                json.dumps(one.as_data(), ensure_ascii=False)
                if as_json
                else format_status(one, project.config)
                for one in looks
            )
            if told and told != before:
                echo(told)
            before = told
            if not watch or not any(_may_change(one) for one in looks):
                return
            time.sleep(POLL_SECONDS)


def format_status(status: "SendStatus", config: "Config") -> str:
    """A send in a line, and below it whatever else an editor should know."""
    lines = "\n".join(_iter_details(status, config))
    return f"{format_status_line(status)}\n{lines}" if lines else format_status_line(status)


def format_status_line(status: "SendStatus") -> str:
    """``building-trust  running  1,000 of 2,481 accepted  1 batch unknown  0 lost``."""
    of = status.send
    state = (
        "scheduled"
        if of.is_scheduled_locally or status.is_held_by_provider
        else of.state.replace("_", " ")
    )
    parts = [
        of.slug,
        state,
        f"{status.recipients_by_state.get('accepted', 0):,} of {of.total:,} accepted",
        f"{pluralize(len(status.unknown_batches), 'batch')} unknown",
        f"{status.missing_recipients:,} lost",
    ]
    return "  ".join(parts)


def _iter_details(status: "SendStatus", config: "Config") -> "Iterator[str]":
    from zoneinfo import ZoneInfo

    from newsletter.sending.planning.schedule import format_rough_duration, format_schedule_time

    of, zone, slug = status.send, ZoneInfo(config.timezone), status.send.slug
    rest = [
        f"{count:,} {RECIPIENT_STATE_LABELS[state]}"
        for state, count in status.recipients_by_state.items()
        if state not in {"accepted", "unknown"} and count
    ]
    if rest:
        yield f"  {', '.join(rest)}"
    if of.scheduled_at and (status.is_held_by_provider or of.is_scheduled_locally):
        where = "held by SendGrid until" if status.is_held_by_provider else "starts here at"
        yield f"  {where} {format_schedule_time(of.scheduled_at, zone)}"
        yield f"  take it back with: newsletter cancel {slug}"
    if of.recalled_at:
        yield f"  SendGrid was told to take it back at {format_schedule_time(of.recalled_at, zone)}"
    if of.state in {"blocked", "paused"}:
        yield f"  {of.reason}"
        yield f"  go on with: newsletter resume {slug}"
    if of.state == "running" and status.next_claim_time:
        wait = format_rough_duration(status.next_claim_time - status.now)
        yield f"  waits until {format_schedule_time(status.next_claim_time, zone)} ({wait})"
    if status.in_flight_recipients and status.lease_until and status.lease_until <= status.now:
        yield (
            f"  {pluralize(status.in_flight_recipients, 'reader')} were on their way "
            "when the sender stopped; "
            f"see what is\n  unknown with: newsletter reconcile {slug}"
        )
    elif status.in_flight_recipients:
        yield f"  {pluralize(status.in_flight_recipients, 'reader')} on their way"
    for one in status.unknown_batches:
        yield format_unknown_batch(slug, one.number, one.reason, one.recipient_count)
    if status.recipients_by_state.get("rejected"):
        yield f"  try the refused again with: newsletter retry {slug}"


def _load_status(ledger: "Ledger", issue: str) -> "SendStatus":
    from newsletter.sending.ledger.find_sends import find_send
    from newsletter.sending.ledger.status import get_send_status

    return get_send_status(ledger, find_send(ledger, issue))


def _may_change(status: "SendStatus") -> bool:
    """Whether it may change by itself."""
    return (
        status.send.state == "running"
        or status.send.is_scheduled_locally
        or status.is_held_by_provider
    )
