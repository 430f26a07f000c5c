import json
from collections.abc import Callable
from pathlib import Path

import pytest

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
def test_postgresql_backup_refers_to_pg_dump_without_password(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSLETTER_DATABASE", "postgresql://ada:secret@db/notes")
    code, _, err = cli("backup", "list.backup")
    assert code == 1
    assert "pg_dump --format=custom --no-owner --file=list.backup" in err
    assert "--dbname=postgresql://ada@db/notes" in err
    assert "secret" not in err
