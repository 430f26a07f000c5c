"""Add, show, remove, erase and rotate-token: one reader at a time."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.usefixtures("project_folder")


@pytest.fixture
def ada(cli: Cli, project_folder: Path) -> None:
    assert Path.cwd() == project_folder
    cli(
        "subscribers", "add", "Ada@example.com", "--name", "Ada Lovelace", "--tag", "vip",
        "--tag", "oslo", "--attribute", "city=Oslo", "--attribute", "age=36",
    )  # fmt: skip


def show_as_json(cli: Cli) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(cli("subscribers", "show", "ada@example.com", "--json")[1])
    return data


def test_add_subscribes_and_records_consent(cli: Cli) -> None:
    result = cli("subscribers", "add", "ada@example.com", "--consent", "on paper, 3 May")
    assert result == (0, "ada@example.com is in the list: active.\n", "")
    entry = show_as_json(cli)["journal"][0]
    assert (entry["change"], entry["how"], entry["wording"]) == (
        "subscribed",
        "cli",
        "on paper, 3 May",
    )


@pytest.mark.usefixtures("ada")
def test_add_updates_an_existing_reader(cli: Cli) -> None:
    args = ("subscribers", "add", "ADA@example.com", "--attribute", "age=37", "--tag", "vip")
    before = "ADA@example.com was in the list already: active"
    assert cli(*args)[1] == f"{before}, and has been updated.\n"
    assert cli(*args)[1] == f"{before}; nothing was changed.\n"
    profile = show_as_json(cli)
    assert (profile["name"], profile["tags"]) == ("Ada Lovelace", ["oslo", "vip"])
    assert profile["attributes"] == {"city": "Oslo", "age": 37}
    assert len(profile["journal"]) == 1


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize(
    ("option", "code", "message"),
    [
        ("age=old", 1, "'age' must be a number, not 'old'"),
        ("city", 2, "'city' is not NAME=VALUE"),
        ("Home town=Oslo", 2, "is not NAME=VALUE, like home_town=Oslo"),
        ("email=x@example.com", 2, "is not NAME=VALUE"),
        ("city=", 2, "is not NAME=VALUE"),
    ],
)
def test_invalid_attribute_is_rejected(cli: Cli, option: str, code: int, message: str) -> None:
    exit_code, out, err = cli("subscribers", "add", "ada@example.com", "--attribute", option)
    assert (exit_code, out) == (code, "")
    assert message in " ".join(err.split())
    assert show_as_json(cli)["attributes"] == {"city": "Oslo", "age": 36}


def test_add_rejects_line_breaks_in_the_name(cli: Cli) -> None:
    args = ("subscribers", "add", "ada@example.com", "--name", "Ada\nBcc: x@example.com")
    code, _, err = cli(*args)
    assert code == 1
    assert "the name contains a line break" in err
    assert cli("subscribers", "show", "ada@example.com")[0] == 1


def test_add_leaves_a_pending_reader_pending(cli: Cli) -> None:
    add = ("subscribers", "add", "ada@example.com")
    assert cli(*add, "--pending")[1] == "ada@example.com is in the list: pending.\n"
    code, out, err = cli(*add)
    assert (code, out) == (
        0,
        "ada@example.com was in the list already: pending; nothing was changed.\n",
    )
    assert "--resubscribe --consent" in err


@pytest.mark.usefixtures("ada")
def test_removed_reader_comes_back_only_with_consent(cli: Cli) -> None:
    remove = ("subscribers", "remove", "ada@example.com", "--reason", "asked by mail")
    add = ("subscribers", "add", "ada@example.com")
    assert cli(*remove)[1].splitlines() == [
        "ada@example.com was active and is unsubscribed now.",
        "To delete all their data: newsletter subscribers erase ada@example.com",
    ]
    assert cli(*remove)[1] == "ada@example.com was unsubscribed already; nothing was changed.\n"
    code, _, err = cli(*add, "--name", "Mallory")
    assert code == 1
    assert "is in the list as unsubscribed; nothing was changed" in err
    assert show_as_json(cli)["name"] == "Ada Lovelace"
    code, _, err = cli(*add, "--resubscribe")
    assert code == 1
    assert "can't be added again without their consent" in err
    code, out, err = cli(*add, "--resubscribe", "--consent", "by phone", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) | {"id": 0} == {
        "address": "ada@example.com",
        "id": 0,
        "before": "unsubscribed",
        "after": "active",
        "described": False,
    }
    entries = [(entry["change"], entry["wording"]) for entry in show_as_json(cli)["journal"]]
    assert entries == [
        ("subscribed", ""),
        ("unsubscribed", "asked by mail"),
        ("resubscribed", "by phone"),
    ]


def test_add_and_show_report_the_suppression_of_an_unlisted_address(
    cli: Cli, project_folder: Path
) -> None:
    cli("db", "upgrade")
    with closing(sqlite3.connect(project_folder / "newsletter.db")) as connection, connection:
        connection.execute(
            "INSERT INTO suppression (address_key, reason, since, source) VALUES "
            "('ada@example.com', 'bounced', '2026-05-03T00:00:00.000000+00:00', 'SendGrid')"
        )
    for command in ("add", "show"):
        code, _, err = cli("subscribers", command, "ada@example.com")
        assert code == 1
        assert "bounced since 2026-05-03" in err


@pytest.mark.usefixtures("ada")
def test_show_prints_all_data_in_the_newsletters_time_zone(cli: Cli, project_folder: Path) -> None:
    with (project_folder / "newsletter.yml").open("a") as settings:
        settings.write("timezone: Asia/Tokyo\n")
    with closing(sqlite3.connect(project_folder / "newsletter.db")) as connection, connection:
        connection.execute(
            "UPDATE subscriber SET joined_at = '2026-05-03T23:30:00.000000+00:00', soft_bounces = 2"
        )
        connection.execute(
            "INSERT INTO event (sg_event_id, type, at, address_key, raw) VALUES "
            "('1', 'open', '2026-05-04T15:00:00.000000+00:00', 'ada@example.com', '{}')"
        )
    code, out, err = cli("subscribers", "show", "ada@example.com")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:6] == [
        "Ada@example.com: active",
        "  name          Ada Lovelace",
        "  joined        4 May 2026 08:30, from cli",
        "  tags          oslo, vip",
        "  attributes    age: 36",
        "                city: Oslo",
    ]
    assert lines[6] == "  soft bounces  2 in a row"
    assert lines[7].startswith("  journal       ")
    assert lines[7].endswith("  subscribed, active (cli)")
    assert lines[8] == "  events        5 May 2026 00:00  open"
    assert "token" not in show_as_json(cli)


@pytest.mark.usefixtures("ada")
def test_erase_asks_to_type_the_address(cli: Cli) -> None:
    erase = ("subscribers", "erase", "ada@example.com")
    code, _, err = cli(*erase, typed="bo@example.com\n")
    assert code == 1
    assert "'bo@example.com' is not ada@example.com; nothing was done" in err
    code, _, err = cli(*erase)
    assert code == 1
    assert "cannot ask for the address: no terminal. In a script, use --yes." in err
    assert show_as_json(cli)["status"] == "active"
    code, out, _ = cli(*erase, typed="ADA@example.com\n")
    assert code == 0
    assert out.startswith("ada@example.com is erased from the list.\n")


@pytest.mark.usefixtures("ada")
def test_erased_reader_is_reported_and_cannot_be_added(cli: Cli, project_folder: Path) -> None:
    code, out, _ = cli("subscribers", "erase", "ada@example.com", "--yes", "--json")
    assert json.loads(out) == {
        "address": "ada@example.com", "subscriber": True, "suppressions": 0, "sends": 0,
        "events": 0, "unreadable": 0, "dry_runs": [], "dry_runs_left": [],
    }  # fmt: skip
    for command in (("show",), ("add",), ("remove",), ("rotate-token",), ("erase", "--yes")):
        code, _, err = cli("subscribers", command[0], "ada@example.com", *command[1:])
        assert code == 1, command
        assert "ada@example.com was erased on 20" in err, command
    (project_folder / "readers.csv").write_text("email\nada@example.com\n")
    cli("subscribers", "import", "readers.csv")
    assert cli("subscribers", "list", "--json")[1] == ""


def write_dry_run(project_folder: Path) -> Path:
    folder = project_folder / "build" / "2026-12-01-ice" / "dry-run"
    folder.mkdir(parents=True)
    (folder / "requests.jsonl").write_text('{"to":[{"email":"Ada@example.com"}]}\n')
    return folder


@pytest.mark.usefixtures("ada")
def test_erase_deletes_dry_runs_also_if_a_server_has_erased_the_reader(
    cli: Cli, project_folder: Path
) -> None:
    folder = write_dry_run(project_folder)
    erase = ("subscribers", "erase", "ada@example.com", "--yes")
    code, out, _ = cli(*erase)
    assert (code, out.splitlines()[1]) == (
        0,
        "build/2026-12-01-ice/dry-run mentioned it and is deleted.",
    )
    assert not folder.exists()
    write_dry_run(project_folder)
    code, out, _ = cli(*erase, "--json")
    assert (code, json.loads(out)["dry_runs"]) == (0, [str(folder)])
    assert cli(*erase)[0] == 1


@pytest.mark.usefixtures("ada")
def test_erase_reports_what_it_cannot_delete(
    cli: Cli, project_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_dry_run(project_folder)

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("shutil.rmtree", refuse)
    code, out, err = cli("subscribers", "erase", "ada@example.com", "--yes", "--json")
    assert (code, json.loads(out)["dry_runs_left"]) == (0, [str(folder)])
    assert err.startswith("build/2026-12-01-ice/dry-run could not be read or deleted")


@pytest.mark.usefixtures("ada")
def test_rotate_token_replaces_the_token(cli: Cli, project_folder: Path) -> None:
    def read_token() -> str:
        with closing(sqlite3.connect(project_folder / "newsletter.db")) as connection:
            token: str = connection.execute("SELECT token FROM subscriber").fetchone()[0]
            return token

    old_token = read_token()
    code, out, _ = cli("subscribers", "rotate-token", "ada@example.com")
    assert code == 0
    assert out == ("ada@example.com has a new token; the links in earlier emails no longer work.\n")
    assert read_token() != old_token
    rotated = cli("subscribers", "rotate-token", "ada@example.com", "--json")[1]
    assert json.loads(rotated) == {"address": "ada@example.com", "rotated": True}


@pytest.mark.parametrize("command", ["show", "remove", "erase", "rotate-token"])
def test_unknown_and_invalid_addresses_are_rejected(cli: Cli, command: str) -> None:
    options = ("--yes",) if command == "erase" else ()
    code, out, err = cli("subscribers", command, "bo@example.com", *options)
    assert (code, out) == (1, "")
    assert "bo@example.com is not in the list" in err
    code, _, err = cli("subscribers", command, "bo@", *options)
    assert code == 1
    assert "is not a valid email address" in err
