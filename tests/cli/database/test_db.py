import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., tuple[int, str, str]]


@pytest.mark.usefixtures("project_folder")
def test_upgrade_creates_the_database_once(cli: Cli) -> None:
    created = "sqlite:///newsletter.db was created, at version 0009.\n"
    unchanged = "sqlite:///newsletter.db is at version 0009: nothing to do.\n"
    assert cli("db", "upgrade") == (0, created, "")
    assert cli("db", "upgrade") == (0, unchanged, "")
    data = json.loads(cli("db", "upgrade", "--json")[1])
    assert data == {"database": "sqlite:///newsletter.db", "before": "0009", "version": "0009"}


def test_upgrade_rejects_a_newer_database(cli: Cli, project_folder: Path) -> None:
    cli("db", "upgrade")
    with sqlite3.connect(project_folder / "newsletter.db") as connection:
        connection.execute("UPDATE newsletter_version SET version_num = '9999'")
    connection.close()
    code, out, err = cli("db", "upgrade")
    assert (code, out) == (1, "")
    assert "newsletter.db: the database has schema version 9999" in err
    assert "created by a newer version" in err


def test_postgresql_url_is_printed_without_password(
    cli: Cli, new_postgres_url: str, monkeypatch: pytest.MonkeyPatch, project_folder: Path
) -> None:
    assert project_folder.is_dir()
    url = new_postgres_url.replace("postgres@", "postgres:hush@")
    monkeypatch.setenv("NEWSLETTER_DATABASE", f"{url}&password=hush&sslmode=prefer")
    code, out, _ = cli("db", "upgrade")
    assert code == 0
    assert out == f"{new_postgres_url} was created, at version 0009.\n"
