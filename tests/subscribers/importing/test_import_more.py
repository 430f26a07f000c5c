"""What an import carries over: types, tags, dates, sources, consent; and what it warns of."""

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

Import = Callable[..., ImportSummary]

LATER = datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC)
UTC = datetime.UTC
Rows = dict[str, dict[str, object]]


def listed(engine: sa.Engine) -> Rows:
    with read_transaction(engine) as connection:
        found = connection.execute(sa.select(subscriber)).mappings()
        return {row["address_key"]: dict(row) for row in found}


def tags(engine: sa.Engine) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    with read_transaction(engine) as connection:
        rows = sa.select(subscriber.c.address_key, subscriber_tag.c.tag).join_from(
            subscriber, subscriber_tag
        )
        for key, tag in connection.execute(rows.order_by(subscriber_tag.c.tag)):
            found.setdefault(key, []).append(tag)
    return found


def lines(engine: sa.Engine, key: str) -> list[tuple[object, ...]]:
    """Change, status, source and wording of each line of the journal."""
    columns = (journal.c.change, journal.c.status, journal.c.source, journal.c.wording)
    with read_transaction(engine) as connection:
        mine = (
            sa.select(*columns)
            .join_from(journal, subscriber)
            .where(subscriber.c.address_key == key)
            .order_by(journal.c.seq)
        )
        return [tuple(row) for row in connection.execute(mine)]


def types(engine: sa.Engine) -> dict[str, str]:
    with read_transaction(engine) as connection:
        return dict(connection.execute(sa.select(attribute.c.name, attribute.c.type)).all())


def mark(engine: sa.Engine, key: str, status: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.update(subscriber).where(subscriber.c.address_key == key).values(status=status)
        )


def test_a_column_gets_its_type_at_first_sight(engine: sa.Engine, imported: Import) -> None:
    imported("email,age,zip,vip,born,town\na@b.com,36,0123,true,1990-01-31,Oslo\nc@d.com,,,,,\n")
    assert types(engine) == {
        "age": "number", "zip": "text", "vip": "boolean", "born": "date", "town": "text",
    }  # fmt: skip
    assert listed(engine)["a@b.com"]["attributes"] == {
        "age": 36, "zip": "0123", "vip": True, "born": "1990-01-31", "town": "Oslo",
    }  # fmt: skip


def test_an_attribute_of_another_type_than_before_is_refused(
    engine: sa.Engine, imported: Import
) -> None:
    imported("email,age\na@b.com,36\n")
    report = imported("email,age\na@b.com,37\nc@d.com,forty\ne@f.com,+40.50\n", now=LATER)
    assert (report.updated, report.rejected, report.new) == (1, 1, {"active": 1})
    assert report.remarks == [(3, "'age' holds numbers; 'forty' is none")]
    assert report.rejection_reasons == {"holds numbers; … is none": 1}
    rows = listed(engine)
    assert rows["a@b.com"]["attributes"] == {"age": 37}
    assert rows["e@f.com"]["attributes"] == {"age": 40.5}


@pytest.mark.parametrize("chunk", [1, 10_000])
def test_tags_are_added_and_never_taken_off(
    engine: sa.Engine, imported: Import, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(import_list, "CHUNK_SIZE", chunk)
    text = 'email,tags\na@b.com,"vip, quay,vip"\nc@d.com,a;b\ne@f.com,\n'
    imported(text, tags=("all",))
    assert tags(engine) == {
        "a@b.com": ["all", "quay", "vip"], "c@d.com": ["a", "all", "b"], "e@f.com": ["all"],
    }  # fmt: skip
    report = imported("email,tags\na@b.com,new\nc@d.com,a\n", now=LATER)
    assert (report.updated, report.unchanged) == (1, 1)
    assert tags(engine)["a@b.com"] == ["all", "new", "quay", "vip"]
    assert imported(text, tags=("all",)).unchanged == 3


def test_dates_and_sources_are_carried_over(engine: sa.Engine, imported: Import) -> None:
    imported(
        "email,created at,confirmed at,source\n"
        "a@b.com,2020-01-02,2020-01-03 04:05:06,footer form\nc@d.com,,,\n"
    )
    rows = listed(engine)
    assert rows["a@b.com"]["joined_at"] == datetime.datetime(2020, 1, 2, tzinfo=UTC)
    assert rows["a@b.com"]["confirmed_at"] == datetime.datetime(2020, 1, 3, 4, 5, 6, tzinfo=UTC)
    assert rows["a@b.com"]["source"] == "footer form"
    assert rows["c@d.com"]["source"] == "import readers.csv:3"
    assert rows["c@d.com"]["confirmed_at"] is None
    assert lines(engine, "a@b.com") == [("imported", "active", "import readers.csv:2", "")]


def test_the_earlier_of_two_dates_counts(engine: sa.Engine, imported: Import) -> None:
    imported("email,joined at,confirmed at\na@b.com,2020-05-05,2020-05-06\n")
    report = imported("email,joined at,confirmed at\na@b.com,2019-01-01,2021-01-01\n", now=LATER)
    row = listed(engine)["a@b.com"]
    assert (report.updated, row["joined_at"], row["confirmed_at"]) == (
        1, datetime.datetime(2019, 1, 1, tzinfo=UTC), datetime.datetime(2020, 5, 6, tzinfo=UTC),
    )  # fmt: skip


@pytest.mark.parametrize("status", ["unsubscribed", "bounced", "pending"])
def test_a_stated_consent_brings_back(engine: sa.Engine, imported: Import, status: str) -> None:
    imported("email,name\na@b.com,A\n")
    mark(engine, "a@b.com", status)
    wording = "signed up again at the fair, 22 November"
    dry = imported("email,name\na@b.com,Ann\n", consent=wording, dry_run=True)
    assert (dry.resubscribed, listed(engine)["a@b.com"]["status"]) == (1, status)
    report = imported("email,name\na@b.com,Ann\n", consent=wording, now=LATER)
    row = listed(engine)["a@b.com"]
    assert (report.resubscribed, report.not_reactivated, report.updated) == (1, {}, 0)
    assert (row["status"], row["name"], row["soft_bounces"]) == ("active", "Ann", 0)
    assert lines(engine, "a@b.com")[1:] == [
        ("resubscribed", "active", "import readers.csv:2", wording)
    ]


def test_no_consent_brings_back_who_has_complained(engine: sa.Engine, imported: Import) -> None:
    imported("email\na@b.com\n")
    mark(engine, "a@b.com", "complained")
    report = imported("email\na@b.com\n", consent="says they didn't mean it")
    assert (report.resubscribed, report.not_reactivated) == (0, {"complained": 1})
    assert listed(engine)["a@b.com"]["status"] == "complained"


def test_nor_whom_the_vendor_suppresses(engine: sa.Engine, imported: Import) -> None:
    imported("email\na@b.com\n")
    mark(engine, "a@b.com", "unsubscribed")
    with engine.begin() as connection:
        connection.execute(
            sa.insert(suppression).values(
                address_key="a@b.com", reason="unsubscribed", since=LATER, source="a test"
            )
        )
    report = imported("email\na@b.com\n", consent="signed up again")
    assert (report.resubscribed, report.not_reactivated) == (0, {"unsubscribed": 1})


def test_doubtful_addresses_are_taken_and_listed(engine: sa.Engine, imported: Import) -> None:
    report = imported("email\nada@gmial.com\ninfo@example.com\nbo@example.com\n")
    assert (report.new, report.address_warning_count) == ({"active": 3}, 2)
    assert report.address_warnings == [
        (2, "'ada@gmial.com' may be meant for gmail.com"),
        (3, "'info@example.com' is a shared mailbox"),
    ]
    assert len(listed(engine)) == 3


def test_refused_by_reason(imported: Import) -> None:
    report = imported(
        "email,status,name\nada@,active,\nbo@,active,\nc@d.com,asleep,\ne@f.com,active,A\x07\n"
    )
    assert report.rejected == 4
    assert sorted(report.rejection_reasons.values()) == [1, 1, 2]
    assert report.rejection_reasons["is no status that is known"] == 1


BAD = {
    "a ragged row": ("a@b.com,A,too,many\n", "it has 4 cells, the first row has 2"),
    "a NUL byte": ("a@b.com,A\0da\n", "the name has a control character in it (U+0000)"),
    "a field of 10 MB": (f"a@b.com,{'x' * 10_000_000}\n", "the row is too long"),
    "a quote never closed": ('a@b.com,"A\n', "a quotation mark is opened and never closed"),
    "a control code": ("a@b.com,A\x1b[2J\n", "the name has a control character in it (U+001B)"),
    "a header in a name": ('a@b.com,"A\r\nBcc: x@y.example"\n', "the name has a line break in it"),
    "no address": (",A\n", "there is no email address"),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_one_broken_row_never_stops_the_rest(engine: sa.Engine, imported: Import, bad: str) -> None:
    row, reason = BAD[bad]
    report = imported(f"email,name\nfirst@b.com,F\n{row}last@b.com,L\n")
    assert report.remarks == [(3, reason)]
    assert listed(engine).keys() == {"first@b.com", "last@b.com"}


@pytest.mark.parametrize(
    ("header", "message"),
    [("email,name,Name", "have the same name"), ("id,city", "no column is named like an address")],
)
def test_a_header_that_cannot_be_read(imported: Import, header: str, message: str) -> None:
    with pytest.raises(SubscriberListError, match=message):
        imported(f"{header}\n1,2,3\n")


def test_a_list_has_only_so_many_attributes(
    engine: sa.Engine, imported: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attributes, "MAX_ATTRIBUTES", 2)
    report = imported(
        'uuid,email,name,attributes,status,created_at\n1,a@b.com,,"{""x"": 1, ""y"": 2}",enabled,\n'
        '2,c@d.com,,"{""z"": 3}",enabled,\n'
    )
    assert report.remarks == [(3, "'z' would be the attribute number 3: too many")]
    assert types(engine).keys() == {"x", "y"}


def test_refused_cells_are_no_formulas_and_come_back_whole(
    engine: sa.Engine, imported: Import, tmp_path: Path
) -> None:
    imported("email,name,town\nada@,=Ada,'=x\n")
    path = tmp_path / "readers.csv.refused.csv"
    text = path.read_text(encoding="utf-8-sig")
    assert "ada@,'=Ada,''=x" in text
    again = imported(text, name="again.csv")
    assert again.rejected == 1
    second = (tmp_path / "again.csv.refused.csv").read_text(encoding="utf-8-sig")
    assert second == text
    imported(text.replace("ada@,", "ada@example.com,"), name="corrected.csv")
    row = listed(engine)["ada@example.com"]
    assert (row["name"], row["attributes"]) == ("=Ada", {"town": "'=x"})


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """Folders that can't be written, for root too."""
    folders: set[Path] = set()
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) not in folders)
    return folders


def test_beside_a_file_that_lies_in_a_locked_folder(
    imported: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked: set[Path]
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    locked.add(tmp_path)
    found = imported("email\nbroken\n").rejected_rows_path
    assert found == Path("readers.csv.refused.csv")
    assert (work / found).exists()


def test_nowhere_to_put_refused_rows_is_told_before(
    engine: sa.Engine, imported: Import, tmp_path: Path, locked: set[Path]
) -> None:
    locked.update((tmp_path, Path()))
    with pytest.raises(SubscriberListError, match="have nowhere to go"):
        imported("email\na@b.com\n")
    assert listed(engine) == {}
    assert imported("email\na@b.com\n", dry_run=True).new == {"active": 1}


HEAD = '{"newsletter":1,"attributes":{"age":"number"}}\n'


def test_refused_lines_of_json_can_be_corrected(
    engine: sa.Engine, imported: Import, tmp_path: Path
) -> None:
    report = imported(
        HEAD + '{"email":"ada@","attributes":{"age":36}}\nnot json\n\n{"email":"bo@b.com"}\n',
        name="readers.jsonl",
    )
    assert (report.rows, report.rejected, report.new) == (3, 2, {"active": 1})
    path = tmp_path / "readers.jsonl.refused.jsonl"
    assert report.rejected_rows_path == path
    head, ada, _ = path.read_text().splitlines()
    assert head == HEAD.strip()
    corrected = {**json.loads(ada), "email": "ada@example.com"}
    again = imported(f"{head}\n{json.dumps(corrected)}\n", name="again.jsonl")
    assert (again.rejected, again.new) == (0, {"active": 1})
    assert listed(engine)["ada@example.com"]["attributes"] == {"age": 36}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[1]", "this is no JSON object"),
        ('{"email": 1}', "'email' is no text"),
        ('{"email": "a@b.com", "shoe": 1}', "'shoe' is nothing that a subscriber has"),
        ('{"email": "a@b.com", "status": "asleep"}', "'asleep' is no status that is known"),
        ('{"email": "a@b.com", "tags": "x"}', "'tags' is no list of texts"),
        ('{"email": "a@b.com", "token": "short"}', "the token is none of ours"),
        ('{"email": "a@b.com", "soft_bounces": -1}', "'-1' is no number of soft bounces"),
        ('{"email": "a@b.com", "joined_at": "now"}', "'now' is no date that can be read"),
        ('{"email": "a@b.com", "attributes": {"a b": 1}}', "'a b' is no attribute with a text"),
        ('{"email": "a@b.com", "attributes": {"x": [1]}}', "'x' is no attribute with a text"),
        ('{"email": "a@b.com", "attributes": 1}', "'attributes' is no JSON object"),
        ('{"email": "a@b.com", "journal": 1}', "'journal' is no list of changes"),
        ('{"email": "a@b.com", "name": "A\\r\\nBcc: x"}', "the name has a line break in it"),
    ],
)  # fmt: skip
def test_lines_that_are_no_subscriber(imported: Import, line: str, reason: str) -> None:
    report = imported(f"{HEAD}{line}\n", name="readers.jsonl")
    ((_, found),) = report.remarks
    assert found.startswith(reason)


@pytest.mark.parametrize(
    "head", ['{"email":"a@b.com"}', '{"newsletter":2}', "{", '{"newsletter":1}']
)
def test_json_lines_that_are_not_ours(imported: Import, head: str) -> None:
    with pytest.raises(SubscriberListError, match="no export of ours") as caught:
        imported(f"{head}\n", name="readers.jsonl")
    assert caught.value.problems[0].remedy


def test_json_lines_with_a_type_that_is_none(imported: Import) -> None:
    with pytest.raises(SubscriberListError, match="'colour' is no type of an attribute"):
        imported('{"newsletter":1,"attributes":{"hair":"colour"}}\n', name="readers.jsonl")


def test_a_line_that_never_ends(engine: sa.Engine, imported: Import) -> None:
    report = imported(
        HEAD + '{"email":"a@b.com","x":"' + "x" * 5_000_000 + '"}\n{"email":"bo@b.com"}\n',
        name="readers.jsonl",
    )
    assert report.remarks == [(2, "the line is too long")]
    assert listed(engine).keys() == {"bo@b.com"}
