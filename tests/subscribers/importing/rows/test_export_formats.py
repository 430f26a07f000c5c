"""Exports of other services are imported as they are, without options."""

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


def load_subscribers(engine: sa.Engine) -> Rows:
    with read_transaction(engine) as connection:
        rows = connection.execute(sa.select(subscriber)).mappings()
        by_name: Rows = {row["address_key"].split("@")[0]: {**row, "tags": []} for row in rows}
        tags = sa.select(subscriber.c.address_key, subscriber_tag.c.tag).join_from(
            subscriber, subscriber_tag
        )
        for key, tag in connection.execute(tags.order_by(subscriber_tag.c.tag)):
            subscriber_tags = by_name[key.split("@")[0]]["tags"]
            assert isinstance(subscriber_tags, list)
            subscriber_tags.append(tag)
        return by_name


def statuses(rows: Rows) -> dict[str, object]:
    return {key: row["status"] for key, row in rows.items()}


def utc(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(f"{text}+00:00")


def import_export(engine: sa.Engine, tmp_path: Path, name: str) -> ImportSummary:
    path = tmp_path / name
    shutil.copy(EXPORTS / name, path)
    (summary,) = import_subscriber_files(engine, path, now=NOW)
    assert summary.rejected == 0, summary.remarks
    return summary


@pytest.fixture
def audience_zip(tmp_path: Path) -> Path:
    path = tmp_path / "audience_export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted((EXPORTS / "mailchimp").glob("*.csv"), reverse=True):
            archive.write(file, file.name)
    return path


def test_mailchimp(engine: sa.Engine, audience_zip: Path) -> None:
    summaries = import_subscriber_files(engine, audience_zip, now=NOW)
    assert {summary.service for summary in summaries} == {"Mailchimp"}
    assert [summary.rejected for summary in summaries] == [0, 0, 0, 0]
    rows = load_subscribers(engine)
    assert statuses(rows) == {
        "ingrid": "active",
        "tomas": "active",
        "left.once": "unsubscribed",
        "gone": "unsubscribed",
        "bounces": "bounced",
        "customer": "unsubscribed",
    }
    ingrid = rows["ingrid"]
    assert ingrid["name"] == "Ingrid Moe"
    assert ingrid["tags"] == ["Founding reader", "quay"]
    assert (ingrid["joined_at"], ingrid["confirmed_at"]) == (
        utc("2021-03-01T08:15:00"),
        utc("2021-03-01T08:20:31"),
    )
    attributes = ingrid["attributes"]
    assert isinstance(attributes, dict)
    assert attributes["town"] == "Bergen"
    assert attributes["member_rating"] == 4
    assert not attributes.keys() & {"leid", "euid", "latitude", "last_changed"}


def test_lists_of_suppressed_subscribers_are_imported_first(
    engine: sa.Engine, audience_zip: Path
) -> None:
    names = [summary.file for summary in import_subscriber_files(engine, audience_zip, now=NOW)]
    kinds = [Path(name).name.split("_")[0] for name in names]
    assert set(kinds[:2]) == {"unsubscribed", "nonsubscribed"}
    assert kinds[2:] == ["cleaned", "subscribed"]


def test_dry_run_of_a_zip_reports_the_same(engine: sa.Engine, audience_zip: Path) -> None:
    dry = import_subscriber_files(
        engine, audience_zip, now=NOW, options=ListImportOptions(dry_run=True)
    )
    assert load_subscribers(engine) == {}
    real = import_subscriber_files(engine, audience_zip, now=NOW)
    assert [(summary.new, summary.not_reactivated) for summary in dry] == [
        (summary.new, summary.not_reactivated) for summary in real
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
def test_file_name_implies_the_status(
    engine: sa.Engine, tmp_path: Path, name: str, status: str
) -> None:
    source = EXPORTS / "mailchimp" / "nonsubscribed_email_audience_export_7c1d.csv"
    path = tmp_path / name
    shutil.copy(source, path)
    import_subscriber_files(engine, path, now=NOW)
    assert statuses(load_subscribers(engine)) == {"customer": status}


def test_substack(engine: sa.Engine, tmp_path: Path) -> None:
    assert import_export(engine, tmp_path, "substack.csv").service == "Substack"
    rows = load_subscribers(engine)
    assert statuses(rows) == {"paying": "active", "free": "active", "silent": "unsubscribed"}
    assert rows["paying"]["joined_at"] == utc("2023-06-01T12:30:15.250000")
    assert rows["free"]["attributes"] == {"active_subscription": False, "plan": "other"}


def test_ghost(engine: sa.Engine, tmp_path: Path) -> None:
    assert import_export(engine, tmp_path, "ghost.csv").service == "Ghost"
    rows = load_subscribers(engine)
    assert statuses(rows) == {"signe": "active", "paid": "active", "quiet": "unsubscribed"}
    assert rows["signe"]["name"] == "Signe Dahl"
    assert rows["signe"]["tags"] == ["Boat owners", "VIP"]
    assert rows["signe"]["attributes"] == {
        "note": "Met at the fair, wants the boat list",
        "complimentary_plan": False,
    }


def test_buttondown(engine: sa.Engine, tmp_path: Path) -> None:
    assert import_export(engine, tmp_path, "buttondown.csv").service == "Buttondown"
    rows = load_subscribers(engine)
    assert statuses(rows) == {
        "regular": "active",
        "waiting": "pending",
        "over": "unsubscribed",
        "nobox": "bounced",
    }
    assert rows["regular"]["attributes"] == {"notes": "likes boats", "town": "Bergen", "age": 41}
    assert rows["regular"]["tags"] == ["boats", "quay"]
    assert rows["regular"]["source"] == "organic"


def test_kit(engine: sa.Engine, tmp_path: Path) -> None:
    assert import_export(engine, tmp_path, "kit.csv").service == "Kit"
    rows = load_subscribers(engine)
    assert statuses(rows) == {
        "nina": "active",
        "olav": "pending",
        "per": "unsubscribed",
        "ragna": "bounced",
        "sara": "complained",
    }
    assert rows["nina"]["tags"] == ["boats", "quay"]
    assert rows["nina"]["attributes"] == {"first_name": "Nina", "town": "Bod\u00f8"}


def test_beehiiv(engine: sa.Engine, tmp_path: Path) -> None:
    assert import_export(engine, tmp_path, "beehiiv.csv").service == "beehiiv"
    rows = load_subscribers(engine)
    assert statuses(rows) == {
        "hanna": "active",
        "ivar": "unsubscribed",
        "jon": "pending",
        "kaja": "pending",
    }
    assert rows["hanna"]["joined_at"] == utc("2024-11-22T09:08:07")


def test_listmonk(engine: sa.Engine, tmp_path: Path) -> None:
    assert import_export(engine, tmp_path, "listmonk.csv").service == "listmonk"
    rows = load_subscribers(engine)
    assert statuses(rows) == {"maja": "active", "nils": "unsubscribed", "odd": "unsubscribed"}
    assert rows["maja"]["joined_at"] == utc("2024-05-06T07:08:09.123456")
    assert rows["maja"]["attributes"] == {
        "city": "Troms\u00f8",
        "boat_name": "Vesla",
        "boat_length": 7.5,
        "likes": "fog, ice",
    }


def test_other_tables_in_a_zip_of_a_service_are_skipped(engine: sa.Engine, tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(EXPORTS / "substack.csv", "email_list.harbour.csv")
        archive.writestr("posts/1.opens.csv", "post_id,timestamp,email\n1,x,opener@fjord.example\n")
        archive.writestr("posts.csv", "post_id,title\n1,Ice\n")
        archive.writestr("posts/1.html", "<p>Ice</p>")
    (summary,) = import_subscriber_files(engine, path, now=NOW)
    assert sorted(summary.skipped_files) == [
        ("posts.csv", "no column of email addresses found; the columns are: post_id, title"),
        ("posts/1.html", "not a CSV file"),
        ("posts/1.opens.csv", "not a subscriber list, by its columns"),
    ]
    assert "opener" not in load_subscribers(engine)


def test_lists_of_unknown_format_in_a_zip_are_imported(engine: sa.Engine, tmp_path: Path) -> None:
    path = tmp_path / "lists.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "email,zip\na@b.com,5003\n")
        archive.writestr("b.csv", "email,zip\nc@d.com,SW1A\n")
    first, second = import_subscriber_files(engine, path, now=NOW)
    assert (first.rejected, second.rejected) == (0, 0)
    rows = load_subscribers(engine)
    assert {key: row["attributes"] for key, row in rows.items()} == {
        "a": {"zip": "5003"},
        "c": {"zip": "SW1A"},
    }
    assert rows["a"]["source"] == "import lists.zip/a.csv:2"


def test_rejected_rows_of_a_zip_are_saved_beside_it(engine: sa.Engine, tmp_path: Path) -> None:
    path = tmp_path / "lists.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "email\nbroken\n")
    (summary,) = import_subscriber_files(engine, path, now=NOW)
    assert summary.rejected_rows_path == tmp_path / "lists.zip.a.csv.refused.csv"
    assert summary.file == str(path / "a.csv")


def test_zip_without_a_list_is_rejected(engine: sa.Engine, tmp_path: Path) -> None:
    path = tmp_path / "posts.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("posts.csv", "post_id,title\n1,Ice\n")
    with pytest.raises(SubscriberListError, match="no column of email addresses found"):
        import_subscriber_files(engine, path, now=NOW)


def test_all_names_and_status_words_are_normalized() -> None:
    for export_format in FORMATS:
        words = {
            *export_format.columns,
            *export_format.statuses,
            *(name for signature in export_format.signatures for name in signature),
        }
        assert words == {normalize_name(word) for word in words}, export_format.name
    assert all(word == normalize_name(word) for word in STATUS_WORDS)


def test_ordinary_spreadsheet_has_no_known_format() -> None:
    assert detect_format(["email", "name", "status", "created at"]) is UNKNOWN_FORMAT
