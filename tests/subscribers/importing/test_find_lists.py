"""Which files of a ZIP are read, with which status; and when a ZIP is refused."""

import datetime
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import subscriber
from newsletter.errors import SubscriberListError
from newsletter.subscribers.importing.import_list import (
    ImportSummary,
    ListImportOptions,
    import_subscriber_files,
)

NOW = datetime.datetime(2026, 11, 22, 9, 0, tzinfo=datetime.UTC)
FULL_HEADER = "Email Address,First Name,OPTIN_TIME,CONFIRM_TIME,LEID,EUID,TAGS\n"
FULL = f"{FULL_HEADER}active@fjord.example,A,,,1,a,\n"
UNSUBSCRIBED = (
    "Email Address,First Name,UNSUB_TIME,UNSUB_REASON\n"
    "left@fjord.example,L,2022-01-01 00:00:00,NORMAL\n"
)
ImportZip = Callable[..., list[ImportSummary]]


@pytest.fixture
def import_zip(engine: sa.Engine, tmp_path: Path) -> ImportZip:
    def import_files(
        files: Mapping[str, str], *, name: str = "export.zip", **mapping: str
    ) -> list[ImportSummary]:
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member, content in files.items():
                archive.writestr(member, content)
        options = ListImportOptions(mapping)
        return import_subscriber_files(engine, tmp_path / name, now=NOW, options=options)

    return import_files


def statuses(engine: sa.Engine) -> dict[str, str]:
    with read_transaction(engine) as connection:
        rows = connection.execute(sa.select(subscriber.c.address_key, subscriber.c.status))
        return {key.split("@")[0]: status for key, status in rows}


def import_text_as(import_zip: ImportZip, name: str, text: str) -> list[ImportSummary]:
    return import_zip({"subscribed_1.csv": FULL, name: text})


@pytest.mark.parametrize(
    ("name", "text", "status"),
    [
        ("unsubscribed_1.csv", UNSUBSCRIBED, "unsubscribed"),
        ("unsubscribed_1.csv", "Email Address\nleft@fjord.example\n", "unsubscribed"),
        ("lists/unsubscribed/1.csv", "Email\nleft@fjord.example\n", "unsubscribed"),
        ("cleaned_1.csv", "Email Address\nleft@fjord.example\n", "bounced"),
        ("nonsubscribed_1.csv", "Email\nleft@fjord.example\n", "unsubscribed"),
        ("d\xe9sabonn\xe9s.csv", "Adresse e-mail\nleft@fjord.example\n", "unsubscribed"),
        ("bounces.tsv", "email\tcode\nleft@fjord.example\t550\n", "bounced"),
        ("x.csv", UNSUBSCRIBED, "unsubscribed"),
        ("x.csv", "email,opt_out,note\nleft@fjord.example,yes,a\n", "unsubscribed"),
        ("more subscribers.csv", "email,town\nleft@fjord.example,Bergen\n", "active"),
        ("x.csv", "email,name\nleft@fjord.example,L\n", "active"),
    ],
)
def test_file_beside_a_full_export_is_read(
    engine: sa.Engine, import_zip: ImportZip, name: str, text: str, status: str
) -> None:
    summaries = import_text_as(import_zip, name, text)
    assert statuses(engine) == {"active": "active", "left": status}
    assert [summary.skipped_files for summary in summaries] == [[], []]


def test_files_with_few_columns_are_read(engine: sa.Engine, import_zip: ImportZip) -> None:
    import_zip(
        {
            "export/subscribed.csv": "Email Address\nboth@b.com\nactive@b.com\n",
            "export/cleaned.csv": "Email Address\nhard@b.com\n",
            "export/unsubscribed.csv": "Email Address\nboth@b.com\nleft@b.com\n",
            "__MACOSX/export/._unsubscribed.csv": "\0\x05\x16\x07",
        }
    )
    assert statuses(engine) == {
        "both": "unsubscribed",
        "left": "unsubscribed",
        "hard": "bounced",
        "active": "active",
    }


def test_consent_does_not_bring_back_those_who_left_in_the_same_zip(
    engine: sa.Engine, import_zip: ImportZip, tmp_path: Path
) -> None:
    files = {
        "readers.csv": "email\nboth@b.com\nback@b.com\n",
        "unsubscribed.csv": "email\nboth@b.com\n",
    }
    import_zip({"unsubscribed.csv": "email\nback@b.com\n"})
    import_zip(files)
    options = ListImportOptions(consent="the fair")
    import_subscriber_files(engine, tmp_path / "export.zip", now=NOW, options=options)
    assert statuses(engine) == {"both": "unsubscribed", "back": "active"}


def test_name_of_a_zip_of_one_list_implies_its_status(
    engine: sa.Engine, import_zip: ImportZip
) -> None:
    import_zip({"list.csv": "email\nleft@b.com\n"}, name="unsubscribed.zip")
    assert statuses(engine) == {"left": "unsubscribed"}


def test_rejected_rows_keep_the_status_of_their_folder(
    engine: sa.Engine, import_zip: ImportZip
) -> None:
    (summary,) = import_zip({"unsubscribed/1.csv": "email\nleft@\n"})
    path = summary.rejected_rows_path
    assert path is not None
    path.write_text(path.read_text(encoding="utf-8-sig").replace("left@", "left@b.com"))
    import_subscriber_files(engine, path, now=NOW)
    assert statuses(engine) == {"left": "unsubscribed"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("unsubscribed.xlsx", "x"),
        ("unsubscribed", "left@b.com\n"),
        (".unsubscribed.csv", "email\nleft@b.com\n"),
        ("Abgemeldet.json", "[]"),
        ("bounces.csv", "id,when\n1,2\n"),
        ("unsubscribed.csv", "Contact\nsomebody\n"),
        ("x.csv", "Contact,Town\nleft@b.com,Bergen\n"),
        ("x.csv", "Contact,Town\nL <left@b.com>,Bergen\n"),
        ("readers without unsubscribed.csv", "email\nleft@b.com\n"),
    ],
)
def test_unread_file_of_readers_who_may_have_left_stops_the_import(
    engine: sa.Engine, import_zip: ImportZip, name: str, text: str
) -> None:
    with pytest.raises(SubscriberListError) as caught:
        import_text_as(import_zip, name, text)
    (problem,) = caught.value.problems
    assert f"'{name}'" in problem.message or name in str(problem.where)
    assert problem.remedy
    assert statuses(engine) == {}


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("readme.md", "Hello", "not a CSV file"),
        ("posts/1.html", "<p>", "not a CSV file"),
        ("__MACOSX/._unsubscribed.csv", "x", "metadata of macOS"),
        (".DS_Store", "x", "metadata of macOS"),
        ("unsubscribed.csv", "", "the file is empty"),
        ("posts.csv", "id,title\n1,Ice\n", "no column of email addresses found"),
        ("opens.csv", "post,email\n1,o@b.com\n", "not a subscriber list, by its columns"),
    ],
)
def test_other_files_are_listed(
    engine: sa.Engine, import_zip: ImportZip, name: str, text: str, reason: str
) -> None:
    (summary,) = import_text_as(import_zip, name, text)
    ((skipped, found),) = summary.skipped_files
    assert (skipped, found[: len(reason)]) == (name, reason)
    assert statuses(engine) == {"active": "active"}


def test_mapping_applies_to_the_files_that_have_the_column(
    engine: sa.Engine, import_zip: ImportZip
) -> None:
    files = {"subscribed_1.csv": FULL, "x.csv": "Contact,Town\nnew@b.com,Bergen\n"}
    import_zip(files, Contact="email")
    assert statuses(engine) == {"active": "active", "new": "active"}
    with pytest.raises(SubscriberListError, match="no file has a column 'Kontakt'"):
        import_zip({"subscribed_1.csv": FULL}, Kontakt="email")
