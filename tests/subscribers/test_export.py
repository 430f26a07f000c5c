"""Importing an export into an empty list reproduces the list, on both databases."""

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
from newsletter.db.schema import (
    CHANGE_METHODS,
    STATUSES,
    attribute,
    journal,
    subscriber,
    suppression,
)
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent.tracking_answers import replay_answers
from newsletter.subscribers.consent.transitions import StatusChange, next_status
from newsletter.subscribers.export import CSV_COLUMNS, ExportOptions, export_subscribers
from newsletter.subscribers.gdpr_export import find_profile
from newsletter.subscribers.importing.import_list import ImportSummary, import_subscriber_file
from newsletter.subscribers.queries.listing import SubscriberFilter, iter_subscribers

ImportText = Callable[..., ImportSummary]

NOW = datetime.datetime(2026, 11, 22, 9, 0, tzinfo=datetime.UTC)
LATER = datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC)
JSONL, CSV = ExportOptions("jsonl"), ExportOptions("csv")
TYPES = {"age": "number", "born": "date", "town": "text", "vip": "boolean", "zip": "text"}


def export(engine: sa.Engine, options: ExportOptions) -> bytes:
    buffer = io.BytesIO()
    with read_transaction(engine) as connection:
        export_subscribers(connection, buffer, options)
    return buffer.getvalue()


def empty_list(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.delete(subscriber))
        connection.execute(sa.delete(attribute))
        connection.execute(sa.delete(suppression))


def import_bytes(engine: sa.Engine, content: bytes, name: str) -> ImportSummary:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        summary = import_subscriber_file(engine, path, now=LATER)
    assert summary.rejected == 0, summary.remarks
    return summary


single_lines = st.text(
    st.characters(exclude_categories=("C", "Z"), exclude_characters="\ufffd") | st.just(" "),
    max_size=20,
).map(str.strip)
filled_lines = single_lines.filter(bool)
formulas = st.sampled_from(
    ["=1+1", "'=x", "+47", "-", "@SUM(A1)", "''=", "'tis", '"', ",", "a;b|c"]
)
texts = formulas | single_lines
times = st.integers(-(10**9), 2 * 10**9).map(
    lambda seconds: datetime.datetime.fromtimestamp(seconds / 7, datetime.UTC)
)
topics = st.sampled_from(["events", "weekly", "a_b-9", "ärger"])
numbers = st.integers(-(10**14), 10**14) | st.decimals(-1_000_000, 1_000_000, places=4).map(float)
values = {
    "age": numbers,
    "born": st.dates().map(str),
    "town": formulas | filled_lines,
    "vip": st.booleans(),
    "zip": st.from_regex(r"[0-9]{1,9}", fullmatch=True) | st.sampled_from(["true", "2026-01-01"]),
}


@st.composite
def journals(draw: st.DrawFn) -> list[dict[str, Any]]:
    kinds = draw(st.lists(st.sampled_from(["confirmed", "unsubscribed", "bounced", "complained",
                                           "resubscribed", "soft_bounced", "delivered",
                                           "opens_allowed", "opens_refused", "clicks_allowed",
                                           "clicks_refused"]),
                          max_size=4))  # fmt: skip
    status, entries = None, []
    for kind in ["imported", *kinds]:
        status = next_status(status, StatusChange(kind, draw(st.sampled_from(STATUSES))))
        entries.append(
            {
                "at": draw(times).isoformat(),
                "change": kind,
                "status": status,
                "how": draw(st.sampled_from(CHANGE_METHODS)),
                "source": draw(texts),
                "wording": draw(texts),
            }
        )
    return entries


@st.composite
def lists(draw: st.DrawFn) -> bytes:
    keys = draw(st.lists(st.from_regex(r"[a-z'+=-]{1,8}", fullmatch=True), unique=True, max_size=5))
    domains = st.sampled_from(["example.com", "b\u00fccher.example"])
    lines = [{"newsletter": 1, "attributes": TYPES}]
    for number, key in enumerate(keys):
        history = draw(journals())
        answers = replay_answers(entry["change"] for entry in history)
        lines.append({
            "email": f"{key}@{draw(domains)}",
            "name": draw(texts), "status": history[-1]["status"], "journal": history,
            "tags": sorted(set(draw(st.lists(formulas | filled_lines, max_size=3)))),
            "joined_at": draw(times).isoformat(),
            "confirmed_at": draw(st.none() | times.map(datetime.datetime.isoformat)),
            "source": draw(formulas | filled_lines), "soft_bounces": draw(st.integers(0, 9)),
            "token": f"{draw(st.sampled_from('-_aZ0'))}{number:021}",
            "paused_until": draw(st.none() | times.map(datetime.datetime.isoformat)),
            "opens_consent": answers.get("opens"), "clicks_consent": answers.get("clicks"),
            "opted_out": sorted(draw(st.sets(topics))),
            "attributes": draw(st.fixed_dictionaries({}, optional=values)),
        })  # fmt: skip
    return b"".join(json.dumps(record).encode() + b"\n" for record in lines)


round_trips = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@round_trips
@given(content=lists())
def test_json_lines_with_journal_round_trip(engine: sa.Engine, content: bytes) -> None:
    empty_list(engine)
    import_bytes(engine, content, "first.jsonl")
    first = export(engine, JSONL._replace(include_journal=True))
    original = [json.loads(line) for line in content.splitlines()]
    assert [json.loads(line) for line in first.splitlines()] == original
    empty_list(engine)
    import_bytes(engine, first, "again.jsonl")
    assert export(engine, JSONL._replace(include_journal=True)) == first


@round_trips
@given(content=lists())
def test_csv_round_trip_without_journal(engine: sa.Engine, content: bytes) -> None:
    empty_list(engine)
    import_bytes(engine, content, "first.jsonl")
    table, lines = export(engine, CSV), export(engine, JSONL)
    for cell in (cell for row in read_cells(table) for cell in row):
        assert not cell.startswith(("=", "+", "@", "\t", "\r")), cell
    empty_list(engine)
    import_bytes(engine, table, "again.csv")
    assert export(engine, CSV) == table
    assert [json.loads(line) for line in export(engine, JSONL).splitlines()] == [
        json.loads(line) for line in lines.splitlines()
    ]


def read_cells(table: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(table.decode("utf-8-sig"), newline="")))


READERS = """\
email,name,age,tags,joined at
ada@example.com,=Ada,36,"vip,quay",2020-01-01
bo@example.com,Bo,40,quay,2021-01-01
cy@example.com,Cy,,,2022-01-01
"""


def test_csv_cells_are_escaped_for_spreadsheets(engine: sa.Engine, import_text: ImportText) -> None:
    import_text(READERS)
    header, ada, *_ = read_cells(export(engine, CSV))
    assert header == [*CSV_COLUMNS, "age:number"]
    assert ada[:6] == [
        "ada@example.com", "'=Ada", "active", "quay,vip", "2020-01-01T00:00:00+00:00", "",
    ]  # fmt: skip
    assert ada[-1] == "36"
    # The token in the links of sent emails. One in 64 begins with a minus, which a spreadsheet
    # would run as a formula.
    assert len(ada[-6].removeprefix("'")) == 22


def test_attributes_are_sorted_by_name_in_every_database(
    engine: sa.Engine, import_text: ImportText
) -> None:
    import_text("email,zone,a long one,city\nada@example.com,z,l,c\n")
    names = ["a_long_one", "city", "zone"]
    (line,) = export(engine, JSONL).splitlines()[-1:]
    assert list(json.loads(line)["attributes"]) == names
    with read_transaction(engine) as connection:
        (listed,) = iter_subscribers(connection, SubscriberFilter())
        profile = find_profile(connection, parse_address("ada@example.com"))
    assert list(listed.attributes) == list(profile.attributes) == names


def test_raw_csv_is_not_escaped(engine: sa.Engine, import_text: ImportText) -> None:
    import_text(READERS)
    table = export(engine, CSV._replace(raw=True))
    assert table.startswith(b"email,")
    assert read_cells(table)[1][1] == "=Ada"


def test_export_of_a_segment_over_several_pages(
    engine: sa.Engine, import_text: ImportText, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.subscribers.export.PAGE_SIZE", 1)
    import_text(READERS)
    condition = subscriber.c.name != "Bo"
    table = read_cells(export(engine, CSV._replace(condition=condition)))
    assert [row[0] for row in table[1:]] == ["ada@example.com", "cy@example.com"]
    assert [row[3] for row in table[1:]] == ["quay,vip", ""]


def test_export_of_an_empty_list(engine: sa.Engine) -> None:
    assert read_cells(export(engine, CSV)) == [list(CSV_COLUMNS)]
    assert export(engine, JSONL) == b'{"newsletter":1,"attributes":{}}\n'


@pytest.fixture
def original_tokens(engine: sa.Engine, import_text: ImportText) -> Iterator[dict[str, str]]:
    import_text(READERS)
    with read_transaction(engine) as connection:
        query = sa.select(subscriber.c.address_key, subscriber.c.token)
        yield dict(connection.execute(query).all())


def load_tokens(engine: sa.Engine) -> dict[str, str]:
    with read_transaction(engine) as connection:
        return dict(
            connection.execute(sa.select(subscriber.c.address_key, subscriber.c.token)).all()
        )


def test_existing_subscriber_keeps_their_token(
    engine: sa.Engine, original_tokens: dict[str, str]
) -> None:
    # In JSON lines, unlike CSV, a token that begins with "-" gets no apostrophe.
    content = export(engine, JSONL)
    changed = content.replace(original_tokens["ada@example.com"].encode(), b"A" * 22)
    summary = import_bytes(engine, changed, "again.jsonl")
    assert summary.unchanged == 3
    assert load_tokens(engine) == original_tokens


def test_token_in_use_is_not_given_to_another_subscriber(
    engine: sa.Engine, original_tokens: dict[str, str]
) -> None:
    content = export(engine, JSONL).replace(b"ada@", b"eve@").replace(b"bo@", b"eva@")
    reused = content.replace(
        original_tokens["bo@example.com"].encode(), original_tokens["ada@example.com"].encode()
    )
    assert import_bytes(engine, reused, "again.jsonl").new == {"active": 2}
    after = load_tokens(engine)
    assert len(set(after.values())) == 5
    assert {key: after[key] for key in original_tokens} == original_tokens


def test_importing_an_export_does_not_repeat_the_journal(
    engine: sa.Engine, import_text: ImportText
) -> None:
    import_text("email,status\na@b.com,active\n")
    import_text("email,status\na@b.com,unsubscribed\n")
    content = export(engine, JSONL._replace(include_journal=True))
    import_bytes(engine, content, "again.jsonl")
    empty_list(engine)
    import_bytes(engine, content, "again.jsonl")
    with read_transaction(engine) as connection:
        entries = connection.execute(
            sa.select(journal.c.seq, journal.c.change, journal.c.source)
        ).all()
    assert [tuple(entry) for entry in entries] == [
        (1, "imported", "import readers.csv:2"),
        (2, "imported", "import readers.csv:2"),
    ]
