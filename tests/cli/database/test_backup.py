from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def listed(project_folder: Path, cli: Cli) -> Path:
    (project_folder / "readers.csv").write_text("ada@example.com\n")
    cli("subscribers", "import", "readers.csv")
    return project_folder


@pytest.mark.usefixtures("listed")
def test_backup_says_what_it_did(cli: Cli) -> None:
    code, out, err = cli("backup", "list.backup")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "Backed up newsletter.db to list.backup: 0.2 MB, checked.",
        "It holds your readers' addresses: keep it where nobody else can read it.",
    ]


def test_a_file_is_replaced_only_if_asked(cli: Cli, listed: Path) -> None:
    (listed / "list.backup").write_text("precious")
    code, _, err = cli("backup", "list.backup")
    assert (code, (listed / "list.backup").read_text()) == (1, "precious")
    assert "list.backup: this file is there already" in err
    assert cli("backup", "list.backup", "--force")[0] == 0
    assert (listed / "list.backup").read_bytes().startswith(b"SQLite format 3")


def test_the_database_is_no_place_for_its_own_backup(cli: Cli, listed: Path) -> None:
    before = (listed / "newsletter.db").read_bytes()
    code, _, err = cli("backup", "newsletter.db", "--force")
    assert (code, (listed / "newsletter.db").read_bytes()) == (1, before)
    assert "this is the database itself" in err


@pytest.mark.usefixtures("listed")
def test_a_folder_that_is_not_there(cli: Cli) -> None:
    code, _, err = cli("backup", "nowhere/list.backup")
    assert code == 1
    assert "nowhere/list.backup: no file can be made there: no such file" in err


@pytest.mark.usefixtures("listed")
def test_postgresql_is_backed_up_its_own_way(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSLETTER_DATABASE", "postgresql://ada:secret@db/notes")
    code, _, err = cli("backup", "list.backup")
    assert code == 1
    assert "pg_dump --format=custom --no-owner --file=list.backup" in err
    assert "--dbname=postgresql://ada@db/notes" in err
    assert "secret" not in err
