"""The workers of ``newsletter status --workers``."""

import datetime
from typing import TYPE_CHECKING, Any

from newsletter.cli.output import echo, echo_err, print_json
from newsletter.cli.table import align_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from newsletter.sending.lanes.worker_records import WorkerRecord
    from newsletter.sending.ledger.record import Ledger

HEADINGS = ("worker", "seen", "up", "requests", "readers", "average")


def print_workers(ledger: "Ledger", *, as_json: bool) -> None:
    """Print a line for each worker on record: when it was seen, and what it has done."""
    from newsletter.sending.lanes.worker_records import get_worker_presence, list_workers
    from newsletter.sending.ledger.record import get_ledger_time

    records, now = list_workers(ledger), get_ledger_time(ledger)
    if as_json:
        for record in records:
            print_json(_as_data(record))
        return
    if not records:
        if get_worker_presence(ledger) == "impossible":
            echo_err("There are no workers: they need a database on PostgreSQL.")
        else:
            echo_err("No worker is running. Start one with: newsletter worker")
        return
    rows = [HEADINGS, *(_format_row(record, now) for record in records)]
    for line in align_rows(rows, numeric_columns=(1, 2, 3, 4, 5)):
        echo(line)
    if gone := [record.name for record in records if not record.is_live]:
        echo_err(
            f"{len(gone)} of them can't be seen any more: killed, or cut off from the database. "
            "The others take over what it had not sent.",
            color="yellow",
        )
    warn_of_missing_workers(records)


def warn_of_missing_workers(records: "Sequence[WorkerRecord]") -> None:
    """Say what no live worker does, if any is live."""
    for text in describe_missing_workers(records):
        echo_err(text, color="yellow")


def describe_missing_workers(records: "Sequence[WorkerRecord]") -> "Iterator[str]":
    """Yield what no live worker does, if any is live, as sentences."""
    from newsletter.sending.lanes.worker_records import find_missing_workers

    for problem in find_missing_workers(records):
        text = str(problem)
        yield text[0].upper() + text[1:]


def _as_data(record: "WorkerRecord") -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "version": record.version,
        "concurrency": record.concurrency,
        "does_periodic_jobs": record.does_periodic_jobs,
        "started_at": record.started_at.isoformat(timespec="seconds"),
        "seen_at": record.seen_at.isoformat(timespec="seconds"),
        "live": record.is_live,
        **record.activity._asdict(),
    }


def _format_row(record: "WorkerRecord", now: datetime.datetime) -> tuple[str, ...]:
    requests, recipients, seconds = record.activity
    return (
        record.name,
        f"{_format_age(now - record.seen_at)} ago",
        _format_age(now - record.started_at),
        f"{requests:,}",
        f"{recipients:,}",
        f"{1000 * seconds / requests:,.0f} ms" if requests else "",
    )


def _format_age(age: datetime.timedelta) -> str:
    """Format an age in its largest unit: ``4 s``, ``12 min``, ``3 h``, ``5 d``."""
    seconds = max(0, round(age.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
