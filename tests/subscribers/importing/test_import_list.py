"""The contract of an import, on SQLite and on PostgreSQL."""

import datetime
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.db import open_database, read_transaction
from newsletter.db.schema import subscriber, suppression
from newsletter.errors import DatabaseError, SubscriberListError
from newsletter.subscribers.importing import import_list
from newsletter.subscribers.importing.import_list import ImportSummary

Import = Callable[..., ImportSummary]

LATER = datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC)
Rows = dict[str, dict[str, object]]


def listed(engine: sa.Engine) -> Rows:
    with read_transaction(engine) as connection:
        found = connection.execute(sa.select(subscriber)).mappings()
        return {row["address_key"]: dict(row) for row in found}


def mark(engine: sa.Engine, key: str, status: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.update(subscriber).where(subscriber.c.address_key == key).values(status=status)
        )


def suppress(engine: sa.Engine, key: str, reason: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.insert(suppression).values(
                address_key=key, reason=reason, since=LATER, source="a test"
            )
        )


def test_a_new_reader(engine: sa.Engine, imported: Import) -> None:
    report = imported("Email,Name,Home town\nAda@Example.com,Ada,Oslo\n")
    assert (report.rows, report.new, report.rejected) == (1, {"active": 1}, 0)
    row = listed(engine)["ada@example.com"]
    assert row["address"] == "Ada@example.com"
    assert (row["name"], row["status"]) == ("Ada", "active")
    assert row["attributes"] == {"home_town": "Oslo"}
    assert row["source"] == "import readers.csv:2"
    assert row["joined_at"] == row["updated_at"]
    assert len(str(row["token"])) == 22


def test_every_reader_has_a_token_of_their_own(engine: sa.Engine, imported: Import) -> None:
    imported("\n".join(f"reader{n}@example.com" for n in range(500)))
    assert len({row["token"] for row in listed(engine).values()}) == 500


@pytest.mark.parametrize("chunk", [1, 2, 10_000])
def test_importing_again_changes_nothing(
    engine: sa.Engine, imported: Import, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(import_list, "CHUNK_SIZE", chunk)
    text = "email,name,city\na@b.com,A,Oslo\nc@d.com,C,\nA@B.com,Other,Rome\nbroken,,\n"
    first = imported(text)
    before = listed(engine)
    second = imported(text, now=LATER)
    assert listed(engine) == before
    assert (first.new, first.duplicates, first.rejected) == ({"active": 2}, 1, 1)
    assert (second.new, second.unchanged, second.updated) == ({}, 2, 0)
    assert (second.duplicates, second.rejected) == (1, 1)


def test_only_what_differs_is_updated(engine: sa.Engine, imported: Import) -> None:
    imported("email,name,city\na@b.com,A,Oslo\nc@d.com,C,Rome\ne@f.com,E,Ulm\n")
    before = listed(engine)
    report = imported("email,name,age\na@b.com,Ann,\nc@d.com,,7\ne@f.com,E,\n", now=LATER)
    after = listed(engine)
    assert (report.updated, report.unchanged) == (2, 1)
    assert after["e@f.com"] == before["e@f.com"]
    assert after["a@b.com"] == before["a@b.com"] | {"name": "Ann", "updated_at": LATER}
    assert after["c@d.com"] == before["c@d.com"] | {
        "attributes": {"city": "Rome", "age": 7}, "updated_at": LATER,
    }  # fmt: skip


@pytest.mark.parametrize("chunk", [1, 10_000])
def test_the_first_of_an_address_counts(
    engine: sa.Engine, imported: Import, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(import_list, "CHUNK_SIZE", chunk)
    imported("email,name\nold@b.com,Old\n")
    report = imported("email,name\nold@b.com,New\nOLD@b.com,Newer\nx@y.com,X\nX@y.com,Z\n")
    names = {key: row["name"] for key, row in listed(engine).items()}
    assert names == {"old@b.com": "New", "x@y.com": "X"}
    assert report.remarks == [
        (3, "'OLD@b.com' stands further up already"),
        (5, "'X@y.com' stands further up already"),
    ]


@pytest.mark.parametrize("chunk", [1, 10_000])
def test_whoever_has_left_has_left_even_in_a_second_row(
    engine: sa.Engine, imported: Import, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(import_list, "CHUNK_SIZE", chunk)
    imported("email,status\na@b.com,active\na@b.com,unsubscribed\n")
    assert listed(engine)["a@b.com"]["status"] == "unsubscribed"


@pytest.mark.parametrize("status", ["unsubscribed", "bounced", "complained", "pending"])
def test_an_import_brings_nobody_back(engine: sa.Engine, imported: Import, status: str) -> None:
    text = "email,name,status\na@b.com,A,active\n"
    imported(text)
    mark(engine, "a@b.com", status)
    before = listed(engine)
    report = imported("email,name\na@b.com,Changed\n", now=LATER)
    assert listed(engine) == before
    assert (report.not_reactivated, report.updated) == ({status: 1}, 0)


@pytest.mark.parametrize(
    ("reason", "status"), [("bounced", "bounced"), ("invalid address", "unsubscribed")]
)
def test_a_new_reader_whose_address_is_suppressed(
    engine: sa.Engine, imported: Import, reason: str, status: str
) -> None:
    suppress(engine, "a@b.com", reason)
    report = imported("email\na@b.com\n")
    assert (report.new, report.not_reactivated) == ({}, {status: 1})
    assert listed(engine)["a@b.com"]["status"] == status


def test_an_import_may_say_that_somebody_has_left(engine: sa.Engine, imported: Import) -> None:
    imported("email\na@b.com\nc@d.com\n")
    report = imported("email,status\na@b.com,cleaned\nc@d.com,pending\nnew@b.com,unsubscribed\n")
    statuses = {key: row["status"] for key, row in listed(engine).items()}
    assert statuses == {"a@b.com": "bounced", "c@d.com": "active", "new@b.com": "unsubscribed"}
    assert (report.new, report.updated, report.unchanged) == ({"unsubscribed": 1}, 1, 1)


def test_a_dry_run_tells_the_same_and_changes_nothing(
    engine: sa.Engine, imported: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_list, "CHUNK_SIZE", 2)
    imported("email,name\na@b.com,A\n", name="before.csv")
    before = listed(engine)
    text = "email,name\na@b.com,B\nc@d.com,C\nbroken,x\ne@f.com,E\nC@d.com,C\n"
    dry = imported(text, dry_run=True)
    assert listed(engine) == before
    assert not list(tmp_path.glob("*.refused*"))
    wet = imported(text)
    assert dry.new == wet.new == {"active": 2}
    assert (dry.updated, dry.duplicates, dry.rejected) == (
        wet.updated,
        wet.duplicates,
        wet.rejected,
    )
    assert (dry.updated, dry.duplicates, dry.rejected) == (1, 1, 1)


def test_refused_rows_can_be_corrected_and_imported(
    engine: sa.Engine, imported: Import, tmp_path: Path
) -> None:
    report = imported('email;name;city\nada@;"L; Ada";\u00c5s\nbo@b.com;Bo\n')
    path = tmp_path / "readers.csv.refused.csv"
    assert report.rejected_rows_path == path
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text(encoding="utf-8-sig")
    assert text.startswith("refused_row,refused_because,email,name,city\n2,")
    corrected = text.replace("ada@,", "ada@example.com,").replace("Bo\n", "Bo,\n")
    again = imported(corrected, name="corrected.csv")
    assert (again.new, again.rejected) == ({"active": 2}, 0)
    assert listed(engine)["ada@example.com"]["attributes"] == {"city": "\u00c5s"}
    assert listed(engine)["ada@example.com"]["name"] == "L; Ada"


def test_corrections_in_progress_are_never_overwritten(imported: Import, tmp_path: Path) -> None:
    assert imported("email\nbroken\n").rejected_rows_path == tmp_path / "readers.csv.refused.csv"
    assert imported("email\nbroken\n").rejected_rows_path == tmp_path / "readers.csv.refused.csv"
    (tmp_path / "readers.csv.refused.csv").write_text("being corrected")
    assert imported("email\nbroken\n").rejected_rows_path == tmp_path / "readers.csv.refused-2.csv"
    assert (tmp_path / "readers.csv.refused.csv").read_text() == "being corrected"


def test_a_file_without_a_header(engine: sa.Engine, imported: Import) -> None:
    report = imported("a@b.com\n\nbroken\nc@d.com\n")
    assert (report.rows, report.new, report.rejected) == (3, {"active": 2}, 1)
    assert listed(engine)["a@b.com"]["source"] == "import readers.csv:1"


def test_a_spoilt_row_of_a_utf_8_file_is_refused_alone(engine: sa.Engine, imported: Import) -> None:
    good = "email,name\na@b.com,Zo\u00eb\n".encode()
    report = imported(good + b"c@d.com,Zo\xeb\n" + "e@f.com,\u00c5se\n".encode())
    assert report.remarks == [(3, "the name has characters that could not be decoded")]
    assert {row["name"] for row in listed(engine).values()} == {"Zo\u00eb", "\u00c5se"}


@pytest.mark.parametrize("codec", ["utf-16", "cp1252", "utf-8-sig"])
def test_other_encodings(engine: sa.Engine, imported: Import, codec: str) -> None:
    imported("email,name\na@b.com,Zo\u00eb \u00c5se\n".encode(codec))
    assert listed(engine)["a@b.com"]["name"] == "Zo\u00eb \u00c5se"


def test_a_file_that_is_refused_as_a_whole_leaves_nothing(
    engine: sa.Engine, imported: Import, tmp_path: Path
) -> None:
    for content in ("", "id,city\n1,Oslo\n", "PK\x03\x04", '"never closed\n'):
        with pytest.raises(SubscriberListError):
            imported(content)
    assert listed(engine) == {}
    assert [path.name for path in tmp_path.glob("readers*")] == ["readers.csv"]


def test_killed_in_the_middle_and_run_again(
    database_url: str, tmp_path: Path, engine: sa.Engine
) -> None:
    path = tmp_path / "readers.csv"
    path.write_text("email\n" + "".join(f"reader{n}@example.com\n" for n in range(25_000)))
    code = f"""
import datetime, os, signal
from pathlib import Path
from newsletter.db import open_database
from newsletter.subscribers.importing.import_list import import_subscriber_file
engine = open_database({database_url!r}, Path({str(tmp_path)!r}))
import_subscriber_file(engine, Path({str(path)!r}), now=datetime.datetime.now(datetime.UTC),
    progress=lambda _: os.kill(os.getpid(), signal.SIGKILL))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert len(listed(engine)) == 10_000
    report = import_list.import_subscriber_file(engine, path, now=LATER)
    assert (report.unchanged, report.new) == (10_000, {"active": 15_000})
    assert len(listed(engine)) == 25_000


def test_a_disk_that_fills_up_leaves_whole_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_list, "CHUNK_SIZE", 100)
    engine = open_database("sqlite:///full.db", tmp_path)
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 60")
    path = tmp_path / "readers.csv"
    path.write_text("email\n" + "".join(f"reader{n}@example.com\n" for n in range(5_000)))
    with pytest.raises(DatabaseError, match="disk is full"):
        import_list.import_subscriber_file(engine, path, now=LATER)
    assert len(listed(engine)) % 100 == 0
    engine.dispose()
    assert not list(tmp_path.glob("*refused*"))
