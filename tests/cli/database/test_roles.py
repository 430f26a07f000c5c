"""Each role of PostgreSQL can run its commands, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from postgres_server import Server, login_in_role
from ready_to_send import ISSUE, POST, SETTINGS

from newsletter.db import database_engine
from newsletter.db.schema import journal
from newsletter.errors import DatabaseError
from newsletter.sending.rehearsal import FakeSendGrid

Cli = Callable[..., tuple[int, str, str]]
READERS = "email,name\nada@example.com,Ada\nbo@example.com,Bo\n"


def run(cli: Cli, *args: str) -> str:
    code, out, err = cli(*args)
    assert code == 0, f"{args}: {out}{err}"
    return out


def test_script_can_be_run_by_psql_and_names_every_role(cli: Cli) -> None:
    out = run(cli, "db", "roles", "--prefix", "harbour")
    assert out.startswith("BEGIN;\n")
    assert out.endswith("COMMIT;\n")
    for role in ("editor", "web", "reader"):
        assert f"CREATE ROLE harbour_{role} NOLOGIN;" in out
    assert "newsletter_editor" not in out
    code, _, err = cli("db", "roles", "--prefix", "x; DROP")
    assert (code, "can't begin the name of a role" in err) == (2, True)


def test_editor_sends_and_reader_only_reads(
    cli: Cli,
    prepare_project: Callable[[str, str, str, str], Cli],
    postgres_server: Server,
    postgres_url: str,
    fake_sendgrid: FakeSendGrid,
    project_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with login_in_role(postgres_server, postgres_url, "editor") as editor:
        monkeypatch.setenv("NEWSLETTER_DATABASE", editor)
        prepare_project(SETTINGS, ISSUE, POST, READERS)
        run(cli, "db", "upgrade")
        run(cli, "subscribers", "tag", "walks", "--query", "name = 'Ada'")
        run(cli, "plan", "the-ice")
        run(cli, "cancel", "the-ice")
        run(cli, "send", "the-ice", "--yes")
        run(cli, "subscribers", "erase", "bo@example.com", "--yes")
        run(cli, "subscribers", "add", "cy@example.com")
        with database_engine(editor, project_folder) as engine:
            for statement in (sa.delete(journal), sa.text("DROP TABLE journal")):
                with (
                    pytest.raises(DatabaseError, match="the role may not do this"),
                    engine.begin() as connection,
                ):
                    connection.execute(statement)
    assert {email.address for email in fake_sendgrid.accepted} == {
        "ada@example.com",
        "bo@example.com",
    }
    with login_in_role(postgres_server, postgres_url, "reader") as reader:
        monkeypatch.setenv("NEWSLETTER_DATABASE", reader)
        assert "ada@example.com" in run(cli, "subscribers", "list")
        for command in ("status the-ice", "report the-ice", "who the-ice", "subscribers stats"):
            run(cli, *command.split())
        code, _, err = cli("subscribers", "add", "dy@example.com")
        assert (code, err.count("\n")) == (1, 1)
        assert "the role may not do this: permission denied for table" in err


def test_reader_reads_a_database_that_nothing_was_sent_from(
    cli: Cli,
    project_folder: Path,
    postgres_server: Server,
    postgres_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert project_folder.is_dir()
    with login_in_role(postgres_server, postgres_url, "reader") as reader:
        monkeypatch.setenv("NEWSLETTER_DATABASE", reader)
        run(cli, "status")
        run(cli, "subscribers", "list")


@pytest.mark.parametrize(
    ("role", "command", "expected"),
    [
        ("reader", "serve --port 0", "the role may not record who signs up or unsubscribes. Serve"),
        ("reader", "worker", "the role may not send. Run workers as the role of the editor"),
        ("web", "worker", "the role may not send. Run workers as the role of the editor"),
    ],
)
def test_program_that_keeps_running_does_not_start_in_a_role(
    cli: Cli,
    project_folder: Path,
    postgres_server: Server,
    postgres_url: str,
    monkeypatch: pytest.MonkeyPatch,
    role: str,
    command: str,
    expected: str,
) -> None:
    assert project_folder.is_dir()
    with login_in_role(postgres_server, postgres_url, role) as url:
        monkeypatch.setenv("NEWSLETTER_DATABASE", url)
        code, out, err = cli(*command.split())
    assert (code, out) == (1, "")
    assert expected in err
