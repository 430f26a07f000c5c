"""The model of docs/explanation/scale.md is computed from stored figures, by stated formulas."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "scale_model.py"))


def make_figures(readers: int, factor: float) -> list[dict[str, Any]]:
    """Return figures in which each phase takes as many seconds and bytes as ``factor``."""
    phases = ("import", "plan", "send", "events", "report", "status")
    rows = [
        {
            "readers": readers,
            "phase": phase,
            "cpu": factor,
            "server_cpu": 2 * factor,
            "wal": 1000 * factor,
            "sent_bytes": 500 * readers if phase == "send" else 0,
        }
        for phase in phases
    ]
    tables = [["subscriber", 300 * readers, 100 * readers], ["event", 50 * readers, 50 * readers]]
    return [*rows, {"readers": readers, "phase": "size", "tables": tables}]


STORED = {
    "measured": "",
    "delivered": 0.5,
    "figures": make_figures(100, 1) + make_figures(1_000_000, 101),
}


@pytest.fixture(scope="module")
def rows() -> dict[str, tuple[str, str]]:
    """The second and the last column of each row: formula or limit, and value."""
    lines = SCRIPT["model"](STORED).splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines if line[:1] == "|"]
    return {row[0]: (row[1], row[-1]) for row in cells}


@pytest.mark.parametrize(
    ("quantity", "formula", "value"),
    [
        ("requests (Q)", "R / 1,000", "100,000"),
        ("bytes to the provider (B)", "500 kB \u00d7 Q", "50 GB"),
        ("commits, 8 batches in each", "3 Q / 8", "37,500"),
        ("disk: the list", "400 bytes \u00d7 R", "40 GB"),
        # 100 bytes a reader, and half of them had an event.
        ("disk: its events", "200 bytes \u00d7 E", "40 GB"),
        # Of 101 s, the fixed cost is 1 s.
        ("CPU: workers", "100 \u00b5s \u00d7 R", "2.8 h"),
        ("CPU: database in the send", "200 \u00b5s \u00d7 R", "5.6 h"),
        ("CPU: plan, one after the other", "300 \u00b5s \u00d7 R", "8.3 h"),
        ("CPU: events", "600 \u00b5s \u00d7 E", "33 h"),
        ("WAL: send", "0.1 bytes \u00d7 R", "10 MB"),
        ("the provider allows 600 a minute", "Q / (600 a minute)", "2.8 h"),
        ("requests of 100 ms, 64 at once (4 \u00d7 16)", "Q \u00d7 0.1 s / 64", "2.6 min"),
        ("8 processors for the database", "its CPU / 8", "42 min"),
        ("`plan`: one transaction, one after the other", "60 s", "0.2 million"),
        ("the send: 8 processors for the database", "1 h", "144 million"),
        ("the disk: the list, one send, its events", "1 TB", "1,250 million"),
    ],
)
def test_model_follows_from_figures(
    rows: dict[str, tuple[str, str]], quantity: str, formula: str, value: str
) -> None:
    assert SCRIPT["EVENTS_PER_READER"] == 2
    assert rows[quantity] == (formula, value)


def test_what_breaks_first_is_first() -> None:
    points = SCRIPT["list_breaking_points"](SCRIPT["Inputs"].of(STORED))
    millions = [float(point[-1].split()[0].replace(",", "")) for point in points]
    assert len(set(millions)) > 5
    assert millions == sorted(millions)


@pytest.mark.parametrize(
    ("function", "number", "expected"),
    [
        ("count", 100_000, "100,000"),
        ("count", 2e8, "200 million"),
        ("size", 999, "999 bytes"),
        ("size", 1_500, "1.5 kB"),
        ("size", 4.4e10, "44 GB"),
        ("duration", 0.04, "0.0 s"),
        ("duration", 119, "119 s"),
        ("duration", 120, "2.0 min"),
        ("duration", 7200, "2.0 h"),
        ("duration", 3 * 86400, "3.0 days"),
    ],
)
def test_numbers_are_written_in_their_largest_unit(
    function: str, number: float, expected: str
) -> None:
    assert SCRIPT[function](number) == expected


def test_tables_in_page_are_current() -> None:
    stored = json.loads((ROOT / "docs/explanation/scale-figures.json").read_text())
    page = (ROOT / "docs/explanation/scale.md").read_text()
    assert SCRIPT["model"](stored) in page, "run: python scripts/scale_model.py"
