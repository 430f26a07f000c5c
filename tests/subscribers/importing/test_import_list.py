"""Importing a file of subscribers, on SQLite and on PostgreSQL."""

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

ImportText = Callable[..., ImportSummary]

LATER = datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC)
Rows = dict[str, dict[str, object]]


def load_subscribers(engine: sa.Engine) -> Rows:
    with read_transaction(engine) as connection:
        found = connection.execute(sa.select(subscriber)).mappings()
        return {row["address_key"]: dict(row) for row in found}


def set_status(engine: sa.Engine, key: str, status: str) -> None:
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


def test_new_subscriber_is_added_with_name_and_attributes(
    engine: sa.Engine, import_text: ImportText
) -> None:
    summary = import_text("Email,Name,Home town\nAda@Example.com,Ada,Oslo\n")
    assert (summary.rows, summary.new, summary.rejected) == (1, {"active": 1}, 0)
    row = load_subscribers(engine)["ada@example.com"]
    assert row["address"] == "Ada@example.com"
    assert (row["name"], row["status"]) == ("Ada", "active")
    assert row["attributes"] == {"home_town": "Oslo"}
    assert row["source"] == "import readers.csv:2"
    assert row["joined_at"] == row["updated_at"]
    assert len(str(row["token"])) == 22


def test_tokens_are_unique(engine: sa.Engine, import_text: ImportText) -> None:
    import_text("\n".join(f"reader{n}@example.com" for n in range(500)))
    assert len({row["token"] for row in load_subscribers(engine).values()}) == 500


@pytest.mark.parametrize("chunk_size", [1, 2, 10_000])
def test_importing_again_changes_nothing(
    engine: sa.Engine, import_text: ImportText, monkeypatch: pytest.MonkeyPatch, chunk_size: int
) -> None:
    monkeypatch.setattr(import_list, "CHUNK_SIZE", chunk_size)
    text = "email,name,city\na@b.com,A,Oslo\nc@d.com,C,\nA@B.com,Other,Rome\nbroken,,\n"
    first = import_text(text)
    before = load_subscribers(engine)
    second = import_text(text, now=LATER)
    assert load_subscribers(engine) == before
    assert (first.new, first.duplicates, first.rejected) == ({"active": 2}, 1, 1)
    assert (second.new, second.unchanged, second.updated) == ({}, 2, 0)
    assert (second.duplicates, second.rejected) == (1, 1)


def test_only_changed_subscribers_are_updated(engine: sa.Engine, import_text: ImportText) -> None:
    import_text("email,name,city\na@b.com,A,Oslo\nc@d.com,C,Rome\ne@f.com,E,Ulm\n")
    before = load_subscribers(engine)
    summary = import_text("email,name,age\na@b.com,Ann,\nc@d.com,,7\ne@f.com,E,\n", now=LATER)
    after = load_subscribers(engine)
    assert (summary.updated, summary.unchanged) == (2, 1)
    assert after["e@f.com"] == before["e@f.com"]
    assert after["a@b.com"] == before["a@b.com"] | {"name": "Ann", "updated_at": LATER}
    assert after["c@d.com"] == before["c@d.com"] | {
        "attributes": {"city": "Rome", "age": 7},
        "updated_at": LATER,
    }


@pytest.mark.parametrize("chunk_size", [1, 10_000])
def test_first_row_of_an_address_counts(
    engine: sa.Engine, import_text: ImportText, monkeypatch: pytest.MonkeyPatch, chunk_size: int
) -> None:
    monkeypatch.setattr(import_list, "CHUNK_SIZE", chunk_size)
    import_text("email,name\nold@b.com,Old\n")
    summary = import_text("email,name\nold@b.com,New\nOLD@b.com,Newer\nx@y.com,X\nX@y.com,Z\n")
    names = {key: row["name"] for key, row in load_subscribers(engine).items()}
    assert names == {"old@b.com": "New", "x@y.com": "X"}
    assert summary.remarks == [
        (3, "'OLD@b.com' is a duplicate of an earlier row"),
        (5, "'X@y.com' is a duplicate of an earlier row"),
    ]


@pytest.mark.parametrize("chunk_size", [1, 10_000])
def test_duplicate_row_can_suppress(
    engine: sa.Engine, import_text: ImportText, monkeypatch: pytest.MonkeyPatch, chunk_size: int
) -> None:
    monkeypatch.setattr(import_list, "CHUNK_SIZE", chunk_size)
    import_text("email,status\na@b.com,active\na@b.com,unsubscribed\n")
    assert load_subscribers(engine)["a@b.com"]["status"] == "unsubscribed"


@pytest.mark.parametrize("status", ["unsubscribed", "bounced", "complained", "pending"])
def test_import_does_not_reactivate_subscribers(
    engine: sa.Engine, import_text: ImportText, status: str
) -> None:
    text = "email,name,status\na@b.com,A,active\n"
    import_text(text)
    set_status(engine, "a@b.com", status)
    before = load_subscribers(engine)
    summary = import_text("email,name\na@b.com,Changed\n", now=LATER)
    assert load_subscribers(engine) == before
    assert (summary.not_reactivated, summary.updated) == ({status: 1}, 0)


@pytest.mark.parametrize(
    ("reason", "status"), [("bounced", "bounced"), ("invalid address", "unsubscribed")]
)
def test_new_subscriber_with_a_suppressed_address_is_not_active(
    engine: sa.Engine, import_text: ImportText, reason: str, status: str
) -> None:
    suppress(engine, "a@b.com", reason)
    summary = import_text("email\na@b.com\n")
    assert (summary.new, summary.not_reactivated) == ({}, {status: 1})
    assert load_subscribers(engine)["a@b.com"]["status"] == status


def test_pending_row_with_a_suppressed_address_is_suppressed(
    engine: sa.Engine, import_text: ImportText
) -> None:
    suppress(engine, "a@b.com", "complained")
    suppress(engine, "c@d.com", "bounced")
    summary = import_text("email,status\na@b.com,pending\nc@d.com,unsubscribed\n")
    statuses = {key: row["status"] for key, row in load_subscribers(engine).items()}
    assert statuses == {"a@b.com": "complained", "c@d.com": "unsubscribed"}
    assert (summary.new, summary.not_reactivated) == ({"unsubscribed": 1}, {"complained": 1})


def test_resubscribing_ends_a_pause(engine: sa.Engine, import_text: ImportText) -> None:
    import_text("email,status\na@b.com,unsubscribed\n")
    with engine.begin() as connection:
        connection.execute(sa.update(subscriber).values(paused_until=LATER))
    assert import_text("email\na@b.com\n", consent="the fair").resubscribed == 1
    row = load_subscribers(engine)["a@b.com"]
    assert (row["status"], row["paused_until"]) == ("active", None)


def test_cleaned_up_addresses_are_one_reader(engine: sa.Engine, import_text: ImportText) -> None:
    summary = import_text(
        "email,name\n\u200ba@b.com,\n'a@b.com,\nA <a@b.com>,\nmailto:a@b.com,\nBo <c@d.com>,\n"
        "Name <e@f.com>,Given\n"
    )
    assert (summary.new, summary.duplicates, summary.rejected) == ({"active": 3}, 3, 0)
    names = {key: row["name"] for key, row in load_subscribers(engine).items()}
    assert names == {"a@b.com": "", "c@d.com": "Bo", "e@f.com": "Given"}


@pytest.mark.parametrize(
    ("other", "expected"), [("31.05.2024", (2024, 5, 1)), ("05.31.2024", (2024, 1, 5))]
)
def test_order_of_dates_is_proved_by_the_column(
    engine: sa.Engine, import_text: ImportText, other: str, expected: tuple[int, int, int]
) -> None:
    text = f"email,joined,confirmed at\na@b.com,01.05.2024,2024-06-01\nc@d.com,{other},\n"
    assert import_text(text).rejected == 0
    joined = load_subscribers(engine)["a@b.com"]["joined_at"]
    assert joined == datetime.datetime(*expected, tzinfo=datetime.UTC)


def test_date_with_two_meanings_is_refused(import_text: ImportText) -> None:
    summary = import_text(
        "email,joined,confirmed at\na@b.com,01.05.2024,31.05.2024\nc@d.com,2 May 2024,\n"
    )
    ((line, reason),) = summary.remarks
    assert (line, summary.new) == (2, {"active": 1})
    assert reason.startswith("'01.05.2024' could be two dates")


def test_export_is_imported_as_it_was(engine: sa.Engine, import_text: ImportText) -> None:
    header = "email,name,status,tags,joined_at,confirmed_at,source,soft_bounces,token\n"
    import_text(f"{header}'a@b.com,A,active,,,,,,\n")
    assert load_subscribers(engine).keys() == {"'a@b.com"}


def test_import_can_suppress_existing_subscribers(
    engine: sa.Engine, import_text: ImportText
) -> None:
    import_text("email\na@b.com\nc@d.com\n")
    summary = import_text(
        "email,status\na@b.com,cleaned\nc@d.com,pending\nnew@b.com,unsubscribed\n"
    )
    statuses = {key: row["status"] for key, row in load_subscribers(engine).items()}
    assert statuses == {"a@b.com": "bounced", "c@d.com": "active", "new@b.com": "unsubscribed"}
    assert (summary.new, summary.updated, summary.unchanged) == ({"unsubscribed": 1}, 1, 1)


def test_dry_run_reports_the_same_and_changes_nothing(
    engine: sa.Engine, import_text: ImportText, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_list, "CHUNK_SIZE", 2)
    import_text("email,name\na@b.com,A\n", name="before.csv")
    before = load_subscribers(engine)
    text = "email,name\na@b.com,B\nc@d.com,C\nbroken,x\ne@f.com,E\nC@d.com,C\n"
    dry = import_text(text, dry_run=True)
    assert load_subscribers(engine) == before
    assert not list(tmp_path.glob("*.refused*"))
    real = import_text(text)
    assert dry.new == real.new == {"active": 2}
    assert (dry.updated, dry.duplicates, dry.rejected) == (
        real.updated,
        real.duplicates,
        real.rejected,
    )
    assert (dry.updated, dry.duplicates, dry.rejected) == (1, 1, 1)


def test_rejected_rows_can_be_corrected_and_imported(
    engine: sa.Engine, import_text: ImportText, tmp_path: Path
) -> None:
    summary = import_text('email;name;city\nada@;"L; Ada";\u00c5s\nbo@b.com;Bo\n')
    path = tmp_path / "readers.csv.refused.csv"
    assert summary.rejected_rows_path == path
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text(encoding="utf-8-sig")
    assert text.startswith("refused_row,refused_because,email,name,city\n2,")
    corrected = text.replace("ada@,", "ada@example.com,").replace("Bo\n", "Bo,\n")
    again = import_text(corrected, name="corrected.csv")
    assert (again.new, again.rejected) == ({"active": 2}, 0)
    assert load_subscribers(engine)["ada@example.com"]["attributes"] == {"city": "\u00c5s"}
    assert load_subscribers(engine)["ada@example.com"]["name"] == "L; Ada"


def test_changed_file_of_rejected_rows_is_never_overwritten(
    import_text: ImportText, tmp_path: Path
) -> None:
    assert import_text("email\nbroken\n").rejected_rows_path == tmp_path / "readers.csv.refused.csv"
    assert import_text("email\nbroken\n").rejected_rows_path == tmp_path / "readers.csv.refused.csv"
    (tmp_path / "readers.csv.refused.csv").write_text("being corrected")
    assert (
        import_text("email\nbroken\n").rejected_rows_path == tmp_path / "readers.csv.refused-2.csv"
    )
    assert (tmp_path / "readers.csv.refused.csv").read_text() == "being corrected"


def test_file_without_a_header_is_imported(engine: sa.Engine, import_text: ImportText) -> None:
    summary = import_text("a@b.com\n\nbroken\nc@d.com\n")
    assert (summary.rows, summary.new, summary.rejected) == (3, {"active": 2}, 1)
    assert load_subscribers(engine)["a@b.com"]["source"] == "import readers.csv:1"


def test_only_undecodable_rows_of_a_utf_8_file_are_rejected(
    engine: sa.Engine, import_text: ImportText
) -> None:
    good = "email,name\na@b.com,Zo\u00eb\n".encode()
    summary = import_text(good + b"c@d.com,Zo\xeb\n" + "e@f.com,\u00c5se\n".encode())
    assert summary.remarks == [(3, "the name contains characters that could not be decoded")]
    assert {row["name"] for row in load_subscribers(engine).values()} == {"Zo\u00eb", "\u00c5se"}


@pytest.mark.parametrize("codec", ["utf-16", "cp1252", "utf-8-sig"])
def test_file_in_another_encoding_is_imported(
    engine: sa.Engine, import_text: ImportText, codec: str
) -> None:
    import_text("email,name\na@b.com,Zo\u00eb \u00c5se\n".encode(codec))
    assert load_subscribers(engine)["a@b.com"]["name"] == "Zo\u00eb \u00c5se"


def test_file_rejected_as_a_whole_changes_nothing(
    engine: sa.Engine, import_text: ImportText, tmp_path: Path
) -> None:
    for content in ("", "id,city\n1,Oslo\n", "PK\x03\x04", '"never closed\n'):
        with pytest.raises(SubscriberListError):
            import_text(content)
    assert load_subscribers(engine) == {}
    assert [path.name for path in tmp_path.glob("readers*")] == ["readers.csv"]


def test_killed_import_can_be_run_again(
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
    assert len(load_subscribers(engine)) == 10_000
    summary = import_list.import_subscriber_file(engine, path, now=LATER)
    assert (summary.unchanged, summary.new) == (10_000, {"active": 15_000})
    assert len(load_subscribers(engine)) == 25_000


def test_full_disk_leaves_complete_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_list, "CHUNK_SIZE", 100)
    engine = open_database("sqlite:///full.db", tmp_path)
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 60")
    path = tmp_path / "readers.csv"
    path.write_text("email\n" + "".join(f"reader{n}@example.com\n" for n in range(5_000)))
    with pytest.raises(DatabaseError, match="disk is full"):
        import_list.import_subscriber_file(engine, path, now=LATER)
    assert len(load_subscribers(engine)) % 100 == 0
    engine.dispose()
    assert not list(tmp_path.glob("*refused*"))
