import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from postgres_server import Server

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def project_with_reader(project_folder: Path, cli: Cli) -> Path:
    (project_folder / "readers.csv").write_text("ada@example.com\n")
    cli("subscribers", "import", "readers.csv")
    return project_folder


@pytest.mark.usefixtures("project_with_reader")
def test_backup_reports_path_and_size(cli: Cli) -> None:
    code, out, err = cli("backup", "list.backup")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "Backed up newsletter.db to list.backup: 0.2 MB, checked.",
        "It holds your readers' addresses: keep it where nobody else can read it.",
    ]


def test_existing_file_is_replaced_only_with_force(cli: Cli, project_with_reader: Path) -> None:
    backup_file = project_with_reader / "list.backup"
    backup_file.write_text("precious")
    code, _, err = cli("backup", "list.backup")
    assert (code, backup_file.read_text()) == (1, "precious")
    assert "list.backup: this file exists already" in err
    assert cli("backup", "list.backup", "--force")[0] == 0
    assert backup_file.read_bytes().startswith(b"SQLite format 3")


def test_result_as_json(cli: Cli, project_with_reader: Path) -> None:
    data = json.loads(cli("backup", "copy.db", "--json")[1])
    size = (project_with_reader / "copy.db").stat().st_size
    assert (data["file"], data["bytes"], data["orphan_rows"]) == ("copy.db", size, [])


def test_backup_never_overwrites_the_database_itself(cli: Cli, project_with_reader: Path) -> None:
    database_file = project_with_reader / "newsletter.db"
    before = database_file.read_bytes()
    code, _, err = cli("backup", "newsletter.db", "--force")
    assert (code, database_file.read_bytes()) == (1, before)
    assert "this is the database itself" in err


@pytest.mark.usefixtures("project_with_reader")
def test_backup_into_missing_folder_fails(cli: Cli) -> None:
    code, _, err = cli("backup", "nowhere/list.backup")
    assert code == 1
    assert "nowhere/list.backup: could not create the file: no such file" in err


@pytest.mark.usefixtures("project_with_reader")
@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://ada:secret@db/notes",
            "or it asks): (umask 077; pg_dump --dbname=postgresql://ada@db/notes --format=custom",
        ),
        (
            "postgres://db:5433/notes?sslmode=verify-full&sslpassword=secret&prepare_threshold=none",
            "umask 077; pg_dump '--dbname=postgresql://db:5433/notes?sslmode=verify-full' --format",
        ),
        (
            "postgresql://ada@/notes?host=one:5433&host=two:5434&password=secret",
            "pg_dump '--dbname=postgresql://ada@/notes?host=one%2Ctwo&port=5433%2C5434' --format",
        ),
    ],
)
def test_postgresql_backup_prints_the_command_without_password(
    url: str, expected: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSLETTER_DATABASE", url)
    code, _, err = cli("backup", "list.backup")
    assert code == 1
    assert expected in err
    assert "secret" not in err


def test_printed_postgresql_commands_can_be_pasted_into_a_shell(
    cli: Cli, project_folder: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with a name of the database, and of the file, in which a shell sees more than a name."""
    name = 'Ada\'s & "Bo"; $HOME'
    quoted = name.replace('"', '""')
    postgres_server.execute(f'CREATE DATABASE "{quoted}"')
    query = {"host": str(postgres_server.folder), "sslmode": "prefer"}
    url = sa.URL.create("postgresql", "postgres", "hush", database=name, query=query)
    monkeypatch.setenv("NEWSLETTER_DATABASE", url.render_as_string(hide_password=False))
    (project_folder / "readers.csv").write_text("ada@example.com\n")
    assert cli("subscribers", "import", "readers.csv")[0] == 0
    file = "Ada's list; of $(date)"
    run_printed_command(cli("backup", file)[2], project_folder)
    assert (project_folder / file).stat().st_mode & 0o777 == 0o600
    assert cli("subscribers", "add", "bo@example.com")[0] == 0
    run_printed_command(cli("restore", file)[2], project_folder)
    assert cli("subscribers", "list")[1].startswith("ada@example.com")
    postgres_server.execute(f'DROP DATABASE "{quoted}"')


def run_printed_command(message: str, folder: Path) -> None:
    command = message.partition("or it asks): ")[2]
    assert "hush" not in command
    subprocess.run(["sh", "-c", command], cwd=folder, check=True)
