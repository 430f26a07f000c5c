"""Recompute the model of docs/explanation/scale.md: a measured list, and one a hundred times.

    python scripts/scale_model.py             the tables in the page, from the stored figures
    python scripts/scale_model.py FIGURES     takes the figures of bench_scale.py (with --keep, in
                                              newsletters/figures.jsonl) and stores them first

Everything is proportional to readers, batches or events; the measured list says how much of each.
"""

import datetime
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "explanation" / "scale.md"
STORED = ROOT / "docs" / "explanation" / "scale-figures.json"
BEGIN, END = "<!-- model -->\n", "<!-- /model -->\n"
READERS = 100_000_000
BATCH = 1_000
# Of each reader: processed and delivered; opens and clicks are off unless asked for.
EVENTS_PER_READER = 2
# Of a batch: claimed, in flight, recorded; up to 8 batches share each.
TRANSACTIONS = 3
LATENCY, CONCURRENCY = 0.1, 16
# Requests a second: what others were allowed, and what older documentation of mail/send names.
VENDOR_LIMITS = ((600 / 60, "600 a minute"), (10_000, "10,000 a second"))
LINK_BITS = 1e9
SMALL_LIST = 100
# Above, counts are written in millions; below, other numbers with a decimal.
MANY, SHORT = 1e7, 10
HOUR = 3600
LIST_TABLES = ("subscriber", "journal")
SEND_TABLES = ("send_recipient", "batch", "attempt")


@dataclass(frozen=True)
class Inputs:
    """What was measured, for one reader, request or event.

    Attributes:
        readers: of the measured list.
        cpu: phase -> CPU seconds of a reader, of the command or the workers.
        server_cpu: phase -> CPU seconds of a reader, of the database.
        wal: phase -> bytes of a reader.
        sizes: table -> bytes of a reader, with its indexes.
        events: of a reader on the measured list.
        request_bytes: of a request.
        measured: when, and on what.
    """

    readers: int
    cpu: dict[str, float]
    server_cpu: dict[str, float]
    wal: dict[str, float]
    sizes: dict[str, float]
    events: float
    request_bytes: float
    measured: str

    @classmethod
    def of(cls, stored: dict[str, Any]) -> "Inputs":
        """Take the longest list; the fixed costs of the commands are not a reader's."""
        rows = {(row["readers"], row["phase"]): row for row in stored["figures"]}
        readers = max(count for count, _ in rows)

        def per_reader(key: str) -> dict[str, float]:
            return {
                phase: max(0.0, row[key] - rows[SMALL_LIST, phase][key]) / readers
                for (count, phase), row in rows.items()
                if count == readers and key in row
            }

        size = rows[readers, "size"]
        sizes = {name: (table + indexes) / readers for name, table, indexes in size["tables"]}
        return cls(
            readers=readers,
            cpu=per_reader("cpu"),
            server_cpu=per_reader("server_cpu"),
            wal=per_reader("wal"),
            sizes=sizes,
            events=stored["delivered"],
            request_bytes=BATCH * rows[readers, "send"]["sent_bytes"] / readers,
            measured=stored["measured"],
        )


Row = tuple[str, ...]
# What it is, its formula, how much of it for one reader, and how that is written.
Quantity = tuple[str, str, float, Callable[[float], str]]


def list_quantities(inputs: Inputs) -> list[Quantity]:
    """Return what grows with the list, in the order of the page."""
    events = EVENTS_PER_READER / inputs.events  # of those measured
    cpu = {phase: own + inputs.server_cpu[phase] for phase, own in inputs.cpu.items()}
    list_bytes, send_bytes, event_bytes = (
        sum(inputs.sizes.get(name, 0.0) for name in names)
        for names in (LIST_TABLES, SEND_TABLES, ("event",))
    )
    micro, wal = 1e6, inputs.wal
    request = f"{size(inputs.request_bytes)} x Q"
    counts: list[Quantity] = [
        ("requests (Q)", "R / 1,000", 1 / BATCH, count),
        ("bytes to the provider (B)", request, inputs.request_bytes / BATCH, size),
        ("commits, batches one by one", "3 Q", TRANSACTIONS / BATCH, count),
        ("commits, 8 batches in each", "3 Q / 8", TRANSACTIONS / BATCH / 8, count),
        ("rows of the list", "2 R (readers, consents)", 2, count),
        ("rows of each send", "R + 2 Q (recipients, batches, attempts)", 1 + 2 / BATCH, count),
        ("rows of its events (E)", f"{EVENTS_PER_READER} R", EVENTS_PER_READER, count),
    ]
    measured: list[tuple[str, str, str, float, float, Callable[[float], str]]] = [
        ("disk: the list", "bytes", "R", 1, list_bytes, size),
        ("disk: each send", "bytes", "R", 1, send_bytes, size),
        ("disk: its events", "bytes", "E", events, event_bytes, size),
        ("WAL: import", "bytes", "R", 1, wal["import"], size),
        ("WAL: plan", "bytes", "R", 1, wal["plan"], size),
        ("WAL: send", "bytes", "R", 1, wal["send"], size),
        ("WAL: events", "bytes", "E", events, wal["events"], size),
        ("CPU: import, one after the other", "µs", "R", 1, cpu["import"], duration),
        ("CPU: plan, one after the other", "µs", "R", 1, cpu["plan"], duration),
        ("CPU: workers", "µs", "R", 1, inputs.cpu["send"], duration),
        ("CPU: database in the send", "µs", "R", 1, inputs.server_cpu["send"], duration),
        ("CPU: events", "µs", "E", events, cpu["events"], duration),
        ("CPU: report, one after the other", "µs", "R", 1, cpu["report"], duration),
    ]
    for what, unit, of, factor, cost, show in measured:
        each = cost * factor / (EVENTS_PER_READER if of == "E" else 1)
        shown = each * micro if unit == "µs" else each
        counts.append((what, f"{shown:,.{0 if shown >= SHORT else 1}f} {unit} x {of}",
                       cost * factor, show))  # fmt: skip
    return counts


def list_limits(inputs: Inputs) -> list[Quantity]:
    """Return what can limit the speed of a send, and how long a reader takes then."""
    limits = [
        (f"the provider allows {name}", f"Q / ({name})", 1 / (rate * BATCH))
        for rate, name in VENDOR_LIMITS
    ]
    limits.append(
        ("a link of 1 Gbit/s", "8 B / 1 Gbit/s", 8 * inputs.request_bytes / BATCH / LINK_BITS)
    )
    for workers in (1, 4):
        in_flight = workers * CONCURRENCY
        limits.append(
            (f"requests of 100 ms, {in_flight} at once ({workers} x {CONCURRENCY})",
             f"Q x 0.1 s / {in_flight}", LATENCY / BATCH / in_flight)
        )  # fmt: skip
    for name, cpu in (("workers", inputs.cpu), ("the database", inputs.server_cpu)):
        for processors in (1, 8):
            noun = "processor" if processors == 1 else "processors"
            limits.append(
                (f"{processors} {noun} for {name}", f"its CPU / {processors}",
                 cpu["send"] / processors)
            )  # fmt: skip
    return [(what, formula, each, duration) for what, formula, each in limits]


def list_breaking_points(inputs: Inputs) -> list[Row]:
    """Return up to how many readers each limit is kept, the lowest first."""
    cpu = {phase: own + inputs.server_cpu[phase] for phase, own in inputs.cpu.items()}
    events = EVENTS_PER_READER / inputs.events
    disk = sum(
        inputs.sizes.get(name, 0.0) * (events if name == "event" else 1)
        for name in (*LIST_TABLES, *SEND_TABLES, "event")
    )
    limits = [
        ("`plan`: one transaction, one after the other", "60 s", 60, cpu["plan"]),
        ("`report`: it reads recipients and events", "30 s", 30, cpu["report"]),
        ("`import`: one after the other", "1 h", HOUR, cpu["import"]),
        ("the send: 8 processors for the database", "1 h", 8 * HOUR, inputs.server_cpu["send"]),
        ("the send: 8 workers, a processor each", "1 h", 8 * HOUR, inputs.cpu["send"]),
        ("the events: 1 processor, while SendGrid tries again", "24 h", 24 * HOUR,
         cpu["events"] * events),
        ("the disk: the list, one send, its events", "1 TB", 1e12, disk),
        ("the provider: 600 requests a minute", "24 h", 24 * HOUR,
         1 / (VENDOR_LIMITS[0][0] * BATCH)),
        ("a link of 1 Gbit/s", "1 h", HOUR, 8 * inputs.request_bytes / BATCH / LINK_BITS),
    ]  # fmt: skip
    ranked = sorted(limits, key=lambda limit: limit[2] / limit[3] if limit[3] else math.inf)
    return [
        (what, limit, f"{value / cost / 1e6:,.{0 if value / cost >= MANY else 1}f} million")
        for what, limit, value, cost in ranked
        if cost
    ]


def count(number: float) -> str:
    """Write a count: 100,000; 200 million."""
    return f"{number / 1e6:,.0f} million" if number >= MANY else f"{number:,.0f}"


def size(number: float) -> str:
    """Write bytes, in units of 1,000."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= factor:
            value = number / factor
            return f"{value:,.1f} {unit}" if value < SHORT else f"{value:,.0f} {unit}"
    return f"{number:,.0f} bytes"


def duration(seconds: float) -> str:
    """Write seconds in their largest unit."""
    for unit, factor in (("days", 2 * 86400), ("h", 2 * 3600), ("min", 120)):
        if seconds >= factor:
            value = seconds / {"days": 86400, "h": 3600, "min": 60}[unit]
            return f"{value:,.1f} {unit}" if value < SHORT else f"{value:,.0f} {unit}"
    return f"{seconds:,.1f} s" if seconds < SHORT else f"{seconds:,.0f} s"


def table(headings: tuple[str, ...], rows: list[Row]) -> str:
    """Write a table in Markdown."""
    lines = [headings, ("---",) * len(headings), *rows]
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return text.replace(" x ", " \u00d7 ")


def model(stored: dict[str, Any]) -> str:
    """Return the part of the page that is computed."""
    inputs = Inputs.of(stored)
    lists = (inputs.readers, READERS)
    columns = (f"R = {count(inputs.readers)}", f"R = {count(READERS)}")

    def rows(quantities: list[Quantity]) -> list[Row]:
        return [
            (what, formula, *(show(each * readers) for readers in lists))
            for what, formula, each, show in quantities
        ]

    return (
        f"Measured with {count(inputs.readers)} readers: {inputs.measured}.\n\n"
        + table(("quantity", "formula", *columns), rows(list_quantities(inputs)))
        + "\nHow long a send takes if nothing but this limits it:\n\n"
        + table(("limit", "formula", *columns), rows(list_limits(inputs)))
        + "\nWhat breaks first, by how many readers it is still within a limit:\n\n"
        + table(("what", "limit", "up to readers"), list_breaking_points(inputs))
    )


def store(figures: Path) -> None:
    """Store the figures of the longest list, and of the small one that says the fixed costs."""
    rows = [json.loads(line) for line in figures.read_text().splitlines()]
    longest = max(row["readers"] for row in rows)
    kept = [row for row in rows if row["readers"] in (SMALL_LIST, longest)]
    for row in kept:
        row.pop("statements", None)
    delivered = next(row["delivered"] for row in kept if row["phase"] == "events")
    today = datetime.datetime.now(datetime.UTC).date()
    measured = f"{today:%-d %B %Y}, 2 shared cores of x86-64, 24 GB, PostgreSQL 15"
    data = {"measured": measured, "delivered": delivered, "figures": kept}
    STORED.write_text(json.dumps(data, indent=1) + "\n")


def main() -> None:
    """Replace the tables in the page; with ``--print``, print them instead."""
    if sys.argv[1:] not in ([], ["--print"]):
        store(Path(sys.argv[1]))
    computed = model(json.loads(STORED.read_text()))
    if sys.argv[1:] == ["--print"]:
        sys.stdout.write(computed)
        return
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + computed + END + after)


if __name__ == "__main__":
    main()
