"""What is exported and imported into an empty list gives an equal one, on both databases."""

import csv
import datetime
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.db import read_transaction
from newsletter.db.schema import CHANGE_METHODS, STATUSES, attribute, journal, subscriber
from newsletter.subscribers.consent.transitions import StatusChange, next_status
from newsletter.subscribers.export import CSV_COLUMNS, ExportOptions, export_subscribers
from newsletter.subscribers.importing.import_list import ImportSummary, import_subscriber_file

Import = Callable[..., ImportSummary]

NOW = datetime.datetime(2026, 11, 22, 9, 0, tzinfo=datetime.UTC)
LATER = datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC)
JSONL, CSV = ExportOptions("jsonl"), ExportOptions("csv")
TYPES = {"age": "number", "born": "date", "town": "text", "vip": "boolean", "zip": "text"}


def exported(engine: sa.Engine, choice: ExportOptions) -> bytes:
    buffer = io.BytesIO()
    with read_transaction(engine) as connection:
        export_subscribers(connection, buffer, choice)
    return buffer.getvalue()


def emptied(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.delete(subscriber))
        connection.execute(sa.delete(attribute))


def imported_bytes(engine: sa.Engine, content: bytes, name: str) -> ImportSummary:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        report = import_subscriber_file(engine, path, now=LATER)
    assert report.rejected == 0, report.remarks
    return report


line = st.text(
    st.characters(exclude_categories=("C", "Z"), exclude_characters="\ufffd") | st.just(" "),
    max_size=20,
).map(str.strip)
filled = line.filter(bool)
formula = st.sampled_from(["=1+1", "'=x", "+47", "-", "@SUM(A1)", "''=", "'tis", '"', ",", "a;b|c"])
text = formula | line
times = st.integers(-(10**9), 2 * 10**9).map(
    lambda seconds: datetime.datetime.fromtimestamp(seconds / 7, datetime.UTC)
)
numbers = st.integers(-(10**14), 10**14) | st.decimals(
    -1_000_000, 1_000_000, places=4
).map(float)  # fmt: skip
values = {
    "age": numbers,
    "born": st.dates().map(str),
    "town": formula | filled,
    "vip": st.booleans(),
    "zip": st.from_regex(r"[0-9]{1,9}", fullmatch=True) | st.sampled_from(["true", "2026-01-01"]),
}


@st.composite
def journals(draw: st.DrawFn) -> list[dict[str, Any]]:
    words = draw(st.lists(st.sampled_from(["confirmed", "unsubscribed", "bounced", "complained",
                                           "resubscribed", "soft_bounced", "delivered"]),
                          max_size=4))  # fmt: skip
    status, lines = None, []
    for word in ["imported", *words]:
        status = next_status(status, StatusChange(word, draw(st.sampled_from(STATUSES))))
        lines.append(
            {
                "at": draw(times).isoformat(),
                "change": word,
                "status": status,
                "how": draw(st.sampled_from(CHANGE_METHODS)),
                "source": draw(text),
                "wording": draw(text),
            }
        )
    return lines


@st.composite
def lists(draw: st.DrawFn) -> bytes:
    keys = draw(st.lists(st.from_regex(r"[a-z'+=-]{1,8}", fullmatch=True), unique=True, max_size=5))
    domains = st.sampled_from(["example.com", "b\u00fccher.example"])
    lines = [{"newsletter": 1, "attributes": TYPES}]
    for number, key in enumerate(keys):
        history = draw(journals())
        lines.append({
            "email": f"{key}@{draw(domains)}",
            "name": draw(text), "status": history[-1]["status"], "journal": history,
            "tags": sorted(set(draw(st.lists(formula | filled, max_size=3)))),
            "joined_at": draw(times).isoformat(),
            "confirmed_at": draw(st.none() | times.map(datetime.datetime.isoformat)),
            "source": draw(formula | filled), "soft_bounces": draw(st.integers(0, 9)),
            "token": f"{draw(st.sampled_from('-_aZ0'))}{number:021}",
            "paused_until": draw(st.none() | times.map(datetime.datetime.isoformat)),
            "attributes": draw(st.fixed_dictionaries({}, optional=values)),
        })  # fmt: skip
    return b"".join(json.dumps(each).encode() + b"\n" for each in lines)


round_trips = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@round_trips
@given(content=lists())
def test_json_lines_with_the_journal_lose_nothing(engine: sa.Engine, content: bytes) -> None:
    emptied(engine)
    imported_bytes(engine, content, "first.jsonl")
    first = exported(engine, JSONL._replace(include_journal=True))
    given_ = [json.loads(each) for each in content.splitlines()]
    assert [json.loads(each) for each in first.splitlines()] == given_
    emptied(engine)
    imported_bytes(engine, first, "again.jsonl")
    assert exported(engine, JSONL._replace(include_journal=True)) == first


@round_trips
@given(content=lists())
def test_csv_loses_nothing_but_the_journal(engine: sa.Engine, content: bytes) -> None:
    emptied(engine)
    imported_bytes(engine, content, "first.jsonl")
    table, lines = exported(engine, CSV), exported(engine, JSONL)
    for cell in (cell for row in cells(table) for cell in row):
        assert not cell.startswith(("=", "+", "@", "\t", "\r")), cell
    emptied(engine)
    imported_bytes(engine, table, "again.csv")
    assert exported(engine, CSV) == table
    assert [json.loads(each) for each in exported(engine, JSONL).splitlines()] == [
        json.loads(each) for each in lines.splitlines()
    ]


def cells(table: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(table.decode("utf-8-sig"), newline="")))


READERS = """\
email,name,age,tags,joined at
ada@example.com,=Ada,36,"vip,quay",2020-01-01
bo@example.com,Bo,40,quay,2021-01-01
cy@example.com,Cy,,,2022-01-01
"""


def test_csv_for_a_spreadsheet(engine: sa.Engine, imported: Import) -> None:
    imported(READERS)
    header, ada, *_ = cells(exported(engine, CSV))
    assert header == [*CSV_COLUMNS, "age:number"]
    assert ada[:6] == [
        "ada@example.com", "'=Ada", "active", "quay,vip", "2020-01-01T00:00:00+00:00", "",
    ]  # fmt: skip
    assert ada[-1] == "36"
    # The token, to which links in sent mails lead. One in 64 begins with a minus, which a
    # spreadsheet would take for a formula.
    assert len(ada[-3].removeprefix("'")) == 22


def test_raw_csv_for_a_program(engine: sa.Engine, imported: Import) -> None:
    imported(READERS)
    table = exported(engine, CSV._replace(raw=True))
    assert table.startswith(b"email,")
    assert cells(table)[1][1] == "=Ada"


def test_some_of_the_readers_page_by_page(
    engine: sa.Engine, imported: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.subscribers.export.PAGE_SIZE", 1)
    imported(READERS)
    some = subscriber.c.name != "Bo"
    table = cells(exported(engine, CSV._replace(condition=some)))
    assert [row[0] for row in table[1:]] == ["ada@example.com", "cy@example.com"]
    assert [row[3] for row in table[1:]] == ["quay,vip", ""]


def test_the_empty_list(engine: sa.Engine) -> None:
    assert cells(exported(engine, CSV)) == [list(CSV_COLUMNS)]
    assert exported(engine, JSONL) == b'{"newsletter":1,"attributes":{}}\n'


@pytest.fixture
def kept(engine: sa.Engine, imported: Import) -> Iterator[dict[str, str]]:
    imported(READERS)
    with read_transaction(engine) as connection:
        found = sa.select(subscriber.c.address_key, subscriber.c.token)
        yield dict(connection.execute(found).all())


def tokens(engine: sa.Engine) -> dict[str, str]:
    with read_transaction(engine) as connection:
        return dict(
            connection.execute(sa.select(subscriber.c.address_key, subscriber.c.token)).all()
        )


def test_who_is_there_keeps_their_own_token(engine: sa.Engine, kept: dict[str, str]) -> None:
    # A token may begin with "-", before which CSV gets an apostrophe: JSON lines has it bare.
    content = exported(engine, JSONL)
    stranger = content.replace(kept["ada@example.com"].encode(), b"A" * 22)
    report = imported_bytes(engine, stranger, "again.jsonl")
    assert report.unchanged == 3
    assert tokens(engine) == kept


def test_a_token_that_somebody_has_is_given_to_nobody_else(
    engine: sa.Engine, kept: dict[str, str]
) -> None:
    content = exported(engine, JSONL).replace(b"ada@", b"eve@").replace(b"bo@", b"eva@")
    taken = content.replace(kept["bo@example.com"].encode(), kept["ada@example.com"].encode())
    assert imported_bytes(engine, taken, "again.jsonl").new == {"active": 2}
    after = tokens(engine)
    assert len(set(after.values())) == 5
    assert {key: after[key] for key in kept} == kept


def test_a_journal_is_told_once(engine: sa.Engine, imported: Import) -> None:
    imported("email,status\na@b.com,active\n")
    imported("email,status\na@b.com,unsubscribed\n")
    content = exported(engine, JSONL._replace(include_journal=True))
    imported_bytes(engine, content, "again.jsonl")
    emptied(engine)
    imported_bytes(engine, content, "again.jsonl")
    with read_transaction(engine) as connection:
        lines = connection.execute(
            sa.select(journal.c.seq, journal.c.change, journal.c.source)
        ).all()
    assert [tuple(each) for each in lines] == [
        (1, "imported", "import readers.csv:2"), (2, "imported", "import readers.csv:2"),
    ]  # fmt: skip
