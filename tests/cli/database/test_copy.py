"""``newsletter db copy``: what an editor sees, and what works in the two databases afterwards."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from postgres_server import Server, login_in_role
from ready_to_send import READERS, flatten

from newsletter.db import database_engine
from newsletter.db.schema import send
from newsletter.sending.rehearsal import FakeSendGrid

Cli = Callable[..., tuple[int, str, str]]

SOURCE = "sqlite:///newsletter.db"


@pytest.fixture
def target(new_postgres_url: str) -> str:
    return new_postgres_url.replace("postgres@", "postgres:hush@")


def test_sends_go_out_from_the_new_database_only(
    newsletter: Cli, target: str, fake_sendgrid: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert newsletter("backup", "list.backup")[0] == 0
    code, out, err = newsletter("db", "copy", SOURCE, target, "--yes")
    assert (code, err) == (0, "")
    assert f"subscriber    {READERS}  " in out
    assert "all tables are the same in both databases" in out
    assert "Next: set database: postgresql://postgres@/test_" in out
    retired = "newsletter.db: this database was copied to postgresql://postgres@/test_"
    for command, expected in (
        (("send", "the-ice", "--yes"), 1),
        (("plan", "the-ice"), 1),
        (("subscribers", "add", "new@harbour.example"), 1),
        (("subscribers", "list"), 0),
        (("doctor",), 1),
        (("serve", "--port", "0"), 1),
        (("restore", "list.backup", "--yes"), 1),
        (("status",), 0),
        (("db", "copy", SOURCE, "sqlite:///other.db", "--yes"), 1),
        (("db", "copy", SOURCE, target, "--yes"), 3),
    ):
        code, out_after, err = newsletter(*command)
        assert code == expected, (command, err)
        if expected != 3:
            assert retired in flatten(out_after + err), command
        out += out_after + err
    assert not fake_sendgrid.accepted
    monkeypatch.setenv("NEWSLETTER_DATABASE", target)
    assert newsletter("send", "the-ice", "--yes")[0] == 0
    assert len(fake_sendgrid.accepted) == READERS
    code, back, _ = newsletter("db", "copy", target, "sqlite:///back.db", "--yes", "--json")
    assert code == 0
    tables = json.loads(back)["tables"]
    assert tables["send_recipient"]["rows"] == READERS
    assert "hush" not in out + back
    monkeypatch.setenv("NEWSLETTER_DATABASE", "sqlite:///back.db")
    assert newsletter("send", "the-ice", "--yes")[0] == 3
    monkeypatch.setenv("NEWSLETTER_DATABASE", SOURCE)
    assert newsletter("send", "the-ice", "--yes")[0] == 1  # still retired


def test_retired_database_is_used_again_once_it_is_adopted(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    assert newsletter("plan", "the-ice")[0] == 0
    assert newsletter("db", "copy", SOURCE, "sqlite:///other.db", "--yes")[0] == 0
    code, out, err = newsletter("db", "adopt", "--yes")
    assert code == 0
    assert "was copied to sqlite:///other.db on" in flatten(err)
    assert "Adopted." in out
    assert newsletter("subscribers", "add", "new@harbour.example")[0] == 0
    # What the other database may have sent since is not sent again.
    assert newsletter("send", "the-ice", "--yes")[0] == 1
    assert not fake_sendgrid.accepted


def test_copy_is_confirmed_by_the_number_of_readers(newsletter: Cli, project_folder: Path) -> None:
    code, out, err = newsletter("db", "copy", SOURCE, "sqlite:///other.db")
    assert (code, out) == (1, "")
    assert f"{READERS} readers" in err
    assert "In a script, use --yes." in err
    assert not (project_folder / "other.db").exists()
    code, _, err = newsletter("db", "copy", "sqlite:///missing.db", "sqlite:///other.db", "--yes")
    assert (code, "there is no such database" in err) == (1, True)
    assert not (project_folder / "missing.db").exists()
    assert newsletter("send", "the-ice", "--dry-run")[2] == ""


def test_exchanged_urls_make_nothing_in_the_empty_database(
    newsletter: Cli, target: str, project_folder: Path
) -> None:
    (project_folder / "empty.db").touch()
    for empty in (target, "sqlite:///empty.db"):
        code, out, err = newsletter("db", "copy", empty, SOURCE, "--yes")
        assert (code, out) == (1, "")
        assert "no newsletter is in this database. Name the one that has the list" in err
    engine = sa.create_engine(sa.make_url(target).set(drivername="postgresql+psycopg"))
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()
    assert newsletter("subscribers", "list")[0] == 0


def test_refused_copy_leaves_no_file(
    newsletter: Cli, target: str, project_folder: Path, postgres_server: Server
) -> None:
    def copy(source: str, expected: str) -> None:
        code, out, err = newsletter("db", "copy", source, "sqlite:///other.db", "--yes")
        assert (code, out, expected in flatten(err)) == (1, "", True), err
        assert list(project_folder.glob("other.db*")) == []

    assert newsletter("plan", "the-ice")[0] == 0
    assert newsletter("db", "copy", SOURCE, target, "--yes")[0] == 0
    with login_in_role(postgres_server, target.replace(":hush", ""), "editor") as url:
        copy(url, "the role may not do this")
    with database_engine(target, project_folder) as engine, engine.begin() as connection:
        connection.execute(sa.update(send).values(state="running"))
    copy(target, "is being sent")
    (project_folder / "other.db").touch()
    code, _, err = newsletter("db", "copy", target, "sqlite:///other.db", "--yes")
    assert (code, "is being sent" in err) == (1, True)
    assert (project_folder / "other.db").exists()  # it was there before


def test_copy_that_fails_halfway_is_left_and_completed_by_the_next(
    newsletter: Cli, project_folder: Path
) -> None:
    with closing(sqlite3.connect(project_folder / "newsletter.db")) as source:
        source.execute("INSERT INTO subscriber_tag VALUES (999, 'lost')")
        source.commit()
        code, _, err = newsletter("db", "copy", SOURCE, "sqlite:///other.db", "--yes")
        assert (code, "subscriber_tag" in err) == (1, True), err
        assert (project_folder / "other.db").stat().st_size
        source.execute("DELETE FROM subscriber_tag WHERE subscriber_id = 999")
        source.commit()
    code, out, _ = newsletter("db", "copy", SOURCE, "sqlite:///other.db", "--yes")
    assert (code, f"subscriber    {READERS}  " in out) == (0, True)


NO_SERVER, NO_DATABASE = "postgresql://ada@127.0.0.1:1/notes", "mysql://ada@db/notes"


@pytest.mark.parametrize(
    ("urls", "advice"),
    [
        ((NO_SERVER, SOURCE), "correct host and port in the argument FROM."),
        ((SOURCE, NO_SERVER), "correct host and port in the argument TO."),
        ((NO_DATABASE, SOURCE), "postgresql://user@host/newsletter as the argument FROM."),
        ((SOURCE, NO_DATABASE), "postgresql://user@host/newsletter as the argument TO."),
        ((SOURCE, "sqlite:///foreign.db"), "an empty database or a new file in the argument TO."),
        (("sqlite:///post.md", SOURCE), "or name another file in the argument FROM."),
        ((SOURCE, "sqlite:///post.md"), "or name another file in the argument TO."),
    ],
)
def test_error_in_a_url_names_the_argument(
    newsletter: Cli, project_folder: Path, urls: tuple[str, str], advice: str
) -> None:
    (project_folder / "post.md").write_text("# This is no database\n" * 100)
    with closing(sqlite3.connect(project_folder / "foreign.db")) as connection:
        connection.execute("CREATE TABLE notes (id INTEGER)")
    code, out, err = newsletter("db", "copy", *urls, "--yes")
    assert (code, out) == (1, "")
    assert advice in flatten(err)
    assert "newsletter.yml" not in err
