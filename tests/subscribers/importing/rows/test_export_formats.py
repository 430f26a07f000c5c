"""Exports of other services come in as they are, without an option."""

import datetime
import shutil
import zipfile
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import subscriber, subscriber_tag
from newsletter.errors import SubscriberListError
from newsletter.subscribers.importing.import_list import (
    ImportSummary,
    ListImportOptions,
    import_subscriber_files,
)
from newsletter.subscribers.importing.rows.export_formats import (
    FORMATS,
    STATUS_WORDS,
    UNKNOWN_FORMAT,
    detect_format,
    normalize_name,
)

EXPORTS = Path(__file__).parents[3] / "fixtures" / "exports"
NOW = datetime.datetime(2026, 11, 22, 9, 0, tzinfo=datetime.UTC)
Rows = dict[str, dict[str, object]]


def listed(engine: sa.Engine) -> Rows:
    with read_transaction(engine) as connection:
        rows = connection.execute(sa.select(subscriber)).mappings()
        found: Rows = {row["address_key"].split("@")[0]: {**row, "tags": []} for row in rows}
        tags = sa.select(subscriber.c.address_key, subscriber_tag.c.tag).join_from(
            subscriber, subscriber_tag
        )
        for key, tag in connection.execute(tags.order_by(subscriber_tag.c.tag)):
            mine = found[key.split("@")[0]]["tags"]
            assert isinstance(mine, list)
            mine.append(tag)
        return found


def statuses(rows: Rows) -> dict[str, object]:
    return {key: row["status"] for key, row in rows.items()}


def utc(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(f"{text}+00:00")


def imported(engine: sa.Engine, tmp_path: Path, name: str) -> ImportSummary:
    path = tmp_path / name
    shutil.copy(EXPORTS / name, path)
    (report,) = import_subscriber_files(engine, path, now=NOW)
    assert report.rejected == 0, report.remarks
    return report


@pytest.fixture
def audience_zip(tmp_path: Path) -> Path:
    path = tmp_path / "audience_export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted((EXPORTS / "mailchimp").glob("*.csv"), reverse=True):
            archive.write(file, file.name)
    return path


def test_mailchimp(engine: sa.Engine, audience_zip: Path) -> None:
    reports = import_subscriber_files(engine, audience_zip, now=NOW)
    assert {report.service for report in reports} == {"Mailchimp"}
    assert [report.rejected for report in reports] == [0, 0, 0, 0]
    rows = listed(engine)
    assert statuses(rows) == {
        "ingrid": "active", "tomas": "active", "left.once": "unsubscribed",
        "gone": "unsubscribed", "bounces": "bounced", "customer": "unsubscribed",
    }  # fmt: skip
    ingrid = rows["ingrid"]
    assert ingrid["name"] == "Ingrid Moe"
    assert ingrid["tags"] == ["Founding reader", "quay"]
    assert (ingrid["joined_at"], ingrid["confirmed_at"]) == (
        utc("2021-03-01T08:15:00"), utc("2021-03-01T08:20:31"),
    )  # fmt: skip
    attributes = ingrid["attributes"]
    assert isinstance(attributes, dict)
    assert attributes["town"] == "Bergen"
    assert attributes["member_rating"] == 4
    assert not attributes.keys() & {"leid", "euid", "latitude", "last_changed"}


def test_whoever_has_left_is_never_active_on_the_way(engine: sa.Engine, audience_zip: Path) -> None:
    names = [report.file for report in import_subscriber_files(engine, audience_zip, now=NOW)]
    first = [Path(name).name.split("_")[0] for name in names]
    assert set(first[:2]) == {"unsubscribed", "nonsubscribed"}
    assert first[2:] == ["cleaned", "subscribed"]


def test_a_dry_run_of_a_zip_tells_the_same(engine: sa.Engine, audience_zip: Path) -> None:
    dry = import_subscriber_files(
        engine, audience_zip, now=NOW, options=ListImportOptions(dry_run=True)
    )
    assert listed(engine) == {}
    wet = import_subscriber_files(engine, audience_zip, now=NOW)
    assert [(report.new, report.not_reactivated) for report in dry] == [
        (report.new, report.not_reactivated) for report in wet
    ]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("subscribed_email_audience_export_7c1d.csv", "active"),
        ("nonsubscribed_email_audience_export_7c1d.csv", "unsubscribed"),
        ("audience.zip.nonsubscribed_export.csv.refused.csv", "unsubscribed"),
        ("cleaned.csv", "bounced"),
        ("renamed.csv", "active"),
    ],
)
def test_a_file_by_itself_tells_its_status_by_its_name(
    engine: sa.Engine, tmp_path: Path, name: str, status: str
) -> None:
    source = EXPORTS / "mailchimp" / "nonsubscribed_email_audience_export_7c1d.csv"
    path = tmp_path / name
    shutil.copy(source, path)
    import_subscriber_files(engine, path, now=NOW)
    assert statuses(listed(engine)) == {"customer": status}


def test_substack(engine: sa.Engine, tmp_path: Path) -> None:
    assert imported(engine, tmp_path, "substack.csv").service == "Substack"
    rows = listed(engine)
    assert statuses(rows) == {"paying": "active", "free": "active", "silent": "unsubscribed"}
    assert rows["paying"]["joined_at"] == utc("2023-06-01T12:30:15.250000")
    assert rows["free"]["attributes"] == {"active_subscription": False, "plan": "other"}


def test_ghost(engine: sa.Engine, tmp_path: Path) -> None:
    assert imported(engine, tmp_path, "ghost.csv").service == "Ghost"
    rows = listed(engine)
    assert statuses(rows) == {"signe": "active", "paid": "active", "quiet": "unsubscribed"}
    assert rows["signe"]["name"] == "Signe Dahl"
    assert rows["signe"]["tags"] == ["Boat owners", "VIP"]
    assert rows["signe"]["attributes"] == {
        "note": "Met at the fair, wants the boat list", "complimentary_plan": False,
    }  # fmt: skip


def test_buttondown(engine: sa.Engine, tmp_path: Path) -> None:
    assert imported(engine, tmp_path, "buttondown.csv").service == "Buttondown"
    rows = listed(engine)
    assert statuses(rows) == {
        "regular": "active", "waiting": "pending", "over": "unsubscribed", "nobox": "bounced",
    }  # fmt: skip
    assert rows["regular"]["attributes"] == {"notes": "likes boats", "town": "Bergen", "age": 41}
    assert rows["regular"]["tags"] == ["boats", "quay"]
    assert rows["regular"]["source"] == "organic"


def test_kit(engine: sa.Engine, tmp_path: Path) -> None:
    assert imported(engine, tmp_path, "kit.csv").service == "Kit"
    rows = listed(engine)
    assert statuses(rows) == {
        "nina": "active", "olav": "pending", "per": "unsubscribed", "ragna": "bounced",
        "sara": "complained",
    }  # fmt: skip
    assert rows["nina"]["tags"] == ["boats", "quay"]
    assert rows["nina"]["attributes"] == {"first_name": "Nina", "town": "Bod\u00f8"}


def test_beehiiv(engine: sa.Engine, tmp_path: Path) -> None:
    assert imported(engine, tmp_path, "beehiiv.csv").service == "beehiiv"
    rows = listed(engine)
    assert statuses(rows) == {
        "hanna": "active", "ivar": "unsubscribed", "jon": "pending", "kaja": "pending",
    }  # fmt: skip
    assert rows["hanna"]["joined_at"] == utc("2024-11-22T09:08:07")


def test_listmonk(engine: sa.Engine, tmp_path: Path) -> None:
    assert imported(engine, tmp_path, "listmonk.csv").service == "listmonk"
    rows = listed(engine)
    assert statuses(rows) == {"maja": "active", "nils": "unsubscribed", "odd": "unsubscribed"}
    assert rows["maja"]["joined_at"] == utc("2024-05-06T07:08:09.123456")
    assert rows["maja"]["attributes"] == {
        "city": "Troms\u00f8", "boat_name": "Vesla", "boat_length": 7.5, "likes": "fog, ice",
    }  # fmt: skip


def test_other_tables_in_a_services_zip_are_no_lists(engine: sa.Engine, tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(EXPORTS / "substack.csv", "email_list.harbour.csv")
        archive.writestr("posts/1.opens.csv", "post_id,timestamp,email\n1,x,opener@fjord.example\n")
        archive.writestr("posts.csv", "post_id,title\n1,Ice\n")
        archive.writestr("posts/1.html", "<p>Ice</p>")
    (report,) = import_subscriber_files(engine, path, now=NOW)
    assert sorted(report.skipped_files) == [
        ("1.opens.csv", "no list of readers, by its columns"),
        ("posts.csv", "no column is named like an address; there are: post_id, title"),
    ]
    assert "opener" not in listed(engine)


def test_a_zip_of_plain_lists(engine: sa.Engine, tmp_path: Path) -> None:
    path = tmp_path / "lists.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "email,zip\na@b.com,5003\n")
        archive.writestr("b.csv", "email,zip\nc@d.com,SW1A\n")
    first, second = import_subscriber_files(engine, path, now=NOW)
    assert (first.rejected, second.rejected) == (0, 0)
    rows = listed(engine)
    assert {key: row["attributes"] for key, row in rows.items()} == {
        "a": {"zip": "5003"}, "c": {"zip": "SW1A"},
    }  # fmt: skip
    assert rows["a"]["source"] == "import lists.zip/a.csv:2"


def test_refused_rows_of_a_zip_lie_beside_it(engine: sa.Engine, tmp_path: Path) -> None:
    path = tmp_path / "lists.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "email\nbroken\n")
    (report,) = import_subscriber_files(engine, path, now=NOW)
    assert report.rejected_rows_path == tmp_path / "lists.zip.a.csv.refused.csv"
    assert report.file == str(path / "a.csv")


def test_a_zip_without_a_list(engine: sa.Engine, tmp_path: Path) -> None:
    path = tmp_path / "posts.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("posts.csv", "post_id,title\n1,Ice\n")
    with pytest.raises(SubscriberListError, match="no column is named like an address"):
        import_subscriber_files(engine, path, now=NOW)


def test_every_name_and_word_is_folded() -> None:
    for each in FORMATS:
        words = {
            *each.columns,
            *each.statuses,
            *(name for mark in each.signatures for name in mark),
        }
        assert words == {normalize_name(word) for word in words}, each.name
    assert all(word == normalize_name(word) for word in STATUS_WORDS)


def test_an_ordinary_spreadsheet_is_nobodys_export() -> None:
    assert detect_format(["email", "name", "status", "created at"]) is UNKNOWN_FORMAT
