"""Attribute types, tags, dates, sources, consent, warnings and rejected rows of an import."""

import datetime
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import attribute, journal, subscriber, subscriber_tag, suppression
from newsletter.errors import SubscriberListError
from newsletter.subscribers.importing import attributes, import_list
from newsletter.subscribers.importing.import_list import ImportSummary

ImportText = Callable[..., ImportSummary]

LATER = datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC)
UTC = datetime.UTC
Rows = dict[str, dict[str, object]]


def load_subscribers(engine: sa.Engine) -> Rows:
    with read_transaction(engine) as connection:
        found = connection.execute(sa.select(subscriber)).mappings()
        return {row["address_key"]: dict(row) for row in found}


def load_tags(engine: sa.Engine) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    with read_transaction(engine) as connection:
        rows = sa.select(subscriber.c.address_key, subscriber_tag.c.tag).join_from(
            subscriber, subscriber_tag
        )
        for key, tag in connection.execute(rows.order_by(subscriber_tag.c.tag)):
            found.setdefault(key, []).append(tag)
    return found


def load_entries(engine: sa.Engine, key: str) -> list[tuple[object, ...]]:
    """Return change, status, source and wording of the journal entries of a subscriber."""
    columns = (journal.c.change, journal.c.status, journal.c.source, journal.c.wording)
    with read_transaction(engine) as connection:
        query = (
            sa.select(*columns)
            .join_from(journal, subscriber)
            .where(subscriber.c.address_key == key)
            .order_by(journal.c.seq)
        )
        return [tuple(row) for row in connection.execute(query)]


def load_types(engine: sa.Engine) -> dict[str, str]:
    with read_transaction(engine) as connection:
        return dict(connection.execute(sa.select(attribute.c.name, attribute.c.type)).all())


def set_status(engine: sa.Engine, key: str, status: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.update(subscriber).where(subscriber.c.address_key == key).values(status=status)
        )


def test_type_of_a_column_is_inferred_when_first_imported(
    engine: sa.Engine, import_text: ImportText
) -> None:
    import_text("email,age,zip,vip,born,town\na@b.com,36,0123,true,1990-01-31,Oslo\nc@d.com,,,,,\n")
    assert load_types(engine) == {
        "age": "number",
        "zip": "text",
        "vip": "boolean",
        "born": "date",
        "town": "text",
    }
    assert load_subscribers(engine)["a@b.com"]["attributes"] == {
        "age": 36,
        "zip": "0123",
        "vip": True,
        "born": "1990-01-31",
        "town": "Oslo",
    }


def test_value_of_another_type_than_the_attribute_is_rejected(
    engine: sa.Engine, import_text: ImportText
) -> None:
    import_text("email,age\na@b.com,36\n")
    summary = import_text("email,age\na@b.com,37\nc@d.com,forty\ne@f.com,+40.50\n", now=LATER)
    assert (summary.updated, summary.rejected, summary.new) == (1, 1, {"active": 1})
    assert summary.remarks == [(3, "'age' must be a number, not 'forty'")]
    assert summary.rejection_reasons == {"must be a number, not …": 1}
    rows = load_subscribers(engine)
    assert rows["a@b.com"]["attributes"] == {"age": 37}
    assert rows["e@f.com"]["attributes"] == {"age": 40.5}


@pytest.mark.parametrize("chunk_size", [1, 10_000])
def test_tags_are_added_and_never_removed(
    engine: sa.Engine, import_text: ImportText, monkeypatch: pytest.MonkeyPatch, chunk_size: int
) -> None:
    monkeypatch.setattr(import_list, "CHUNK_SIZE", chunk_size)
    text = 'email,tags\na@b.com,"vip, quay,vip"\nc@d.com,a;b\ne@f.com,\n'
    import_text(text, tags=("all",))
    assert load_tags(engine) == {
        "a@b.com": ["all", "quay", "vip"],
        "c@d.com": ["a", "all", "b"],
        "e@f.com": ["all"],
    }
    summary = import_text("email,tags\na@b.com,new\nc@d.com,a\n", now=LATER)
    assert (summary.updated, summary.unchanged) == (1, 1)
    assert load_tags(engine)["a@b.com"] == ["all", "new", "quay", "vip"]
    assert import_text(text, tags=("all",)).unchanged == 3
    assert import_text(text.replace("vip", "VIP"), tags=("All",)).unchanged == 3


def test_dates_and_sources_are_imported(engine: sa.Engine, import_text: ImportText) -> None:
    import_text(
        "email,created at,confirmed at,source\n"
        "a@b.com,2020-01-02,2020-01-03 04:05:06,footer form\nc@d.com,,,\n"
    )
    rows = load_subscribers(engine)
    assert rows["a@b.com"]["joined_at"] == datetime.datetime(2020, 1, 2, tzinfo=UTC)
    assert rows["a@b.com"]["confirmed_at"] == datetime.datetime(2020, 1, 3, 4, 5, 6, tzinfo=UTC)
    assert rows["a@b.com"]["source"] == "footer form"
    assert rows["c@d.com"]["source"] == "import readers.csv:3"
    assert rows["c@d.com"]["confirmed_at"] is None
    assert load_entries(engine, "a@b.com") == [("imported", "active", "import readers.csv:2", "")]


def test_earlier_of_two_dates_counts(engine: sa.Engine, import_text: ImportText) -> None:
    import_text("email,joined at,confirmed at\na@b.com,2020-05-05,2020-05-06\n")
    summary = import_text(
        "email,joined at,confirmed at\na@b.com,2019-01-01,2021-01-01\n", now=LATER
    )
    row = load_subscribers(engine)["a@b.com"]
    assert (summary.updated, row["joined_at"], row["confirmed_at"]) == (
        1,
        datetime.datetime(2019, 1, 1, tzinfo=UTC),
        datetime.datetime(2020, 5, 6, tzinfo=UTC),
    )


@pytest.mark.parametrize("status", ["unsubscribed", "bounced", "pending"])
def test_stated_consent_reactivates(
    engine: sa.Engine, import_text: ImportText, status: str
) -> None:
    import_text("email,name\na@b.com,A\n")
    set_status(engine, "a@b.com", status)
    wording = "signed up again at the fair, 22 November"
    dry = import_text("email,name\na@b.com,Ann\n", consent=wording, dry_run=True)
    assert (dry.resubscribed, load_subscribers(engine)["a@b.com"]["status"]) == (1, status)
    summary = import_text("email,name\na@b.com,Ann\n", consent=wording, now=LATER)
    row = load_subscribers(engine)["a@b.com"]
    assert (summary.resubscribed, summary.not_reactivated, summary.updated) == (1, {}, 0)
    assert (row["status"], row["name"], row["soft_bounces"]) == ("active", "Ann", 0)
    assert load_entries(engine, "a@b.com")[1:] == [
        ("resubscribed", "active", "import readers.csv:2", wording)
    ]


def test_complained_are_not_reactivated_even_with_consent(
    engine: sa.Engine, import_text: ImportText
) -> None:
    import_text("email\na@b.com\n")
    set_status(engine, "a@b.com", "complained")
    summary = import_text("email\na@b.com\n", consent="complained by mistake")
    assert (summary.resubscribed, summary.not_reactivated) == (0, {"complained": 1})
    assert load_subscribers(engine)["a@b.com"]["status"] == "complained"


def test_suppressed_addresses_are_not_reactivated_even_with_consent(
    engine: sa.Engine, import_text: ImportText
) -> None:
    import_text("email\na@b.com\n")
    set_status(engine, "a@b.com", "unsubscribed")
    with engine.begin() as connection:
        connection.execute(
            sa.insert(suppression).values(
                address_key="a@b.com", reason="unsubscribed", since=LATER, source="a test"
            )
        )
    summary = import_text("email\na@b.com\n", consent="signed up again")
    assert (summary.resubscribed, summary.not_reactivated) == (0, {"unsubscribed": 1})


def test_addresses_with_warnings_are_imported_and_listed(
    engine: sa.Engine, import_text: ImportText
) -> None:
    summary = import_text("email\nada@gmial.com\ninfo@example.com\nbo@example.com\n")
    assert (summary.new, summary.address_warning_count) == ({"active": 3}, 2)
    assert summary.address_warnings == [
        (2, "'ada@gmial.com' may be a typo of gmail.com"),
        (3, "'info@example.com' is a shared mailbox"),
    ]
    assert len(load_subscribers(engine)) == 3


def test_rejected_rows_are_counted_by_reason(import_text: ImportText) -> None:
    summary = import_text(
        "email,status,name\nada@,active,\nbo@,active,\nc@d.com,asleep,\ne@f.com,active,A\x07\n"
    )
    assert summary.rejected == 4
    assert sorted(summary.rejection_reasons.values()) == [1, 1, 2]
    assert summary.rejection_reasons["is not a known status"] == 1


BROKEN_ROWS = {
    "a ragged row": ("a@b.com,A,too,many\n", "the row has 4 cells, the first row has 2"),
    "a NUL byte": ("a@b.com,A\0da\n", "the name contains a control character (U+0000)"),
    "a field of 10 MB": (f"a@b.com,{'x' * 10_000_000}\n", "the row is too long"),
    "a quote never closed": ('a@b.com,"A\n', "a quotation mark is never closed"),
    "a control code": ("a@b.com,A\x1b[2J\n", "the name contains a control character (U+001B)"),
    "a header in a name": ('a@b.com,"A\r\nBcc: x@y.example"\n', "the name contains a line break"),
    "no address": (",A\n", "the email address is missing"),
}


@pytest.mark.parametrize("case", BROKEN_ROWS)
def test_broken_row_does_not_stop_the_import(
    engine: sa.Engine, import_text: ImportText, case: str
) -> None:
    row, reason = BROKEN_ROWS[case]
    summary = import_text(f"email,name\nfirst@b.com,F\n{row}last@b.com,L\n")
    assert summary.remarks == [(3, reason)]
    assert load_subscribers(engine).keys() == {"first@b.com", "last@b.com"}


@pytest.mark.parametrize(
    ("header", "message"),
    [("email,name,Name", "have the same name"), ("id,city", "no column of email addresses found")],
)
def test_invalid_header_is_rejected(import_text: ImportText, header: str, message: str) -> None:
    with pytest.raises(SubscriberListError, match=message):
        import_text(f"{header}\n1,2,3\n")


def test_number_of_attributes_is_limited(
    engine: sa.Engine, import_text: ImportText, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attributes, "MAX_ATTRIBUTES", 2)
    summary = import_text(
        'uuid,email,name,attributes,status,created_at\n1,a@b.com,,"{""x"": 1, ""y"": 2}",enabled,\n'
        '2,c@d.com,,"{""z"": 3}",enabled,\n'
    )
    assert summary.remarks == [(3, "'z' exceeds the limit of 2 attributes")]
    assert load_types(engine).keys() == {"x", "y"}


def test_rejected_cells_are_escaped_and_restored(
    engine: sa.Engine, import_text: ImportText, tmp_path: Path
) -> None:
    import_text("email,name,town\nada@,=Ada,'=x\n")
    path = tmp_path / "readers.csv.refused.csv"
    text = path.read_text(encoding="utf-8-sig")
    assert "ada@,'=Ada,''=x" in text
    again = import_text(text, name="again.csv")
    assert again.rejected == 1
    second = (tmp_path / "again.csv.refused.csv").read_text(encoding="utf-8-sig")
    assert second == text
    import_text(text.replace("ada@,", "ada@example.com,"), name="corrected.csv")
    row = load_subscribers(engine)["ada@example.com"]
    assert (row["name"], row["attributes"]) == ("=Ada", {"town": "'=x"})


@pytest.fixture
def unwritable(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """Folders that aren't writable, even for root."""
    folders: set[Path] = set()
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) not in folders)
    return folders


def test_rejected_rows_go_to_the_working_folder_if_the_folder_is_not_writable(
    import_text: ImportText, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unwritable: set[Path]
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    unwritable.add(tmp_path)
    found = import_text("email\nbroken\n").rejected_rows_path
    assert found == Path("readers.csv.refused.csv")
    assert (work / found).exists()


def test_unwritable_folders_are_reported_before_the_import(
    engine: sa.Engine, import_text: ImportText, tmp_path: Path, unwritable: set[Path]
) -> None:
    unwritable.update((tmp_path, Path()))
    with pytest.raises(SubscriberListError, match="rejected rows can't be saved"):
        import_text("email\na@b.com\n")
    assert load_subscribers(engine) == {}
    assert import_text("email\na@b.com\n", dry_run=True).new == {"active": 1}


HEADER = '{"newsletter":1,"attributes":{"age":"number"}}\n'


def test_rejected_json_lines_can_be_corrected(
    engine: sa.Engine, import_text: ImportText, tmp_path: Path
) -> None:
    summary = import_text(
        HEADER + '{"email":"ada@","attributes":{"age":36}}\nnot json\n\n{"email":"bo@b.com"}\n',
        name="readers.jsonl",
    )
    assert (summary.rows, summary.rejected, summary.new) == (3, 2, {"active": 1})
    path = tmp_path / "readers.jsonl.refused.jsonl"
    assert summary.rejected_rows_path == path
    header, ada, _ = path.read_text().splitlines()
    assert header == HEADER.strip()
    corrected = {**json.loads(ada), "email": "ada@example.com"}
    again = import_text(f"{header}\n{json.dumps(corrected)}\n", name="again.jsonl")
    assert (again.rejected, again.new) == (0, {"active": 1})
    assert load_subscribers(engine)["ada@example.com"]["attributes"] == {"age": 36}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[1]", "the line is not a JSON object"),
        ('{"email": 1}', "'email' must be a string"),
        ('{"email": "a@b.com", "shoe": 1}', "'shoe' is not a known field"),
        ('{"email": "a@b.com", "status": "asleep"}', "'asleep' is not a known status"),
        ('{"email": "a@b.com", "tags": "x"}', "'tags' must be a list of strings"),
        ('{"email": "a@b.com", "token": "short"}', "the token is not valid"),
        ('{"email": "a@b.com", "soft_bounces": -1}', "'-1' is not a valid number of soft bounces"),
        (
            '{"email": "a@b.com", "soft_bounces": "' + "0" * 5_000 + '"}',
            "'" + "0" * 60 + "' is not a valid number of soft bounces",
        ),
        ('{"email": "a@b.com", "x": ' + "[" * 300 + "]" * 300 + "}", "'x' is not a known field"),
        ('{"email": "a@b.com", "joined_at": "now"}', "'now' is not a valid date"),
        ('{"email": "a@b.com", "attributes": {"a b": 1}}', "'a b' is not an attribute with a str"),
        ('{"email": "a@b.com", "attributes": {"x": [1]}}', "'x' is not an attribute with a str"),
        ('{"email": "a@b.com", "attributes": 1}', "'attributes' must be a JSON object"),
        ('{"email": "a@b.com", "journal": 1}', "'journal' must be a list of JSON objects"),
        ('{"email": "a@b.com", "name": "A\\r\\nBcc: x"}', "the name contains a line break"),
    ],
)
def test_invalid_json_line_is_rejected(import_text: ImportText, line: str, reason: str) -> None:
    summary = import_text(f"{HEADER}{line}\n", name="readers.jsonl")
    ((_, found),) = summary.remarks
    assert found.startswith(reason)


@pytest.mark.parametrize(
    "header", ['{"email":"a@b.com"}', '{"newsletter":2}', "{", '{"newsletter":1}']
)
def test_json_lines_without_a_valid_header_are_rejected(
    import_text: ImportText, header: str
) -> None:
    with pytest.raises(SubscriberListError, match="not exported by newsletter") as caught:
        import_text(f"{header}\n", name="readers.jsonl")
    assert caught.value.problems[0].remedy


@pytest.mark.parametrize(
    "header", ['{"newsletter":1,"a":"\\ud800"}', '{"newsletter":1e400}', "{}}"]
)
def test_header_that_is_not_json_is_reported_with_its_line(
    import_text: ImportText, header: str
) -> None:
    with pytest.raises(SubscriberListError, match="invalid JSON") as caught:
        import_text(f"{header}\n", name="readers.jsonl")
    (problem,) = caught.value.problems
    assert problem.where is not None
    assert problem.where.line == 1
    assert problem.remedy


def test_json_lines_with_an_invalid_attribute_type_are_rejected(import_text: ImportText) -> None:
    with pytest.raises(SubscriberListError, match="'colour' is not an attribute type"):
        import_text('{"newsletter":1,"attributes":{"hair":"colour"}}\n', name="readers.jsonl")


@pytest.mark.parametrize("name", ["", "a b", "a\\u0000b", "a\\nb"])
def test_json_lines_with_an_odd_attribute_name_are_rejected(
    engine: sa.Engine, import_text: ImportText, name: str
) -> None:
    header = f'{{"newsletter":1,"attributes":{{"{name}":"text"}}}}\n'
    with pytest.raises(SubscriberListError, match="is not an attribute's name"):
        import_text(header, name="readers.jsonl")
    assert load_types(engine) == {}


def test_odd_attribute_name_in_an_exported_header_is_cleaned(
    engine: sa.Engine, import_text: ImportText
) -> None:
    columns = "email,name,status,tags,joined_at,confirmed_at,source,soft_bounces,token"
    import_text(f"{columns},a\0b:text\na@b.com,,active,,,,,0,,x\n")
    assert load_types(engine) == {"a_b_text": "text"}


def test_json_line_that_is_too_long_is_rejected(engine: sa.Engine, import_text: ImportText) -> None:
    summary = import_text(
        HEADER + '{"email":"a@b.com","x":"' + "x" * 5_000_000 + '"}\n{"email":"bo@b.com"}\n',
        name="readers.jsonl",
    )
    assert summary.remarks == [(2, "the line is too long")]
    assert load_subscribers(engine).keys() == {"bo@b.com"}
