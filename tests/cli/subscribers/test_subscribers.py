import json
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.cli.subscribers.queries.listing import STATUSES
from newsletter.db import schema
from newsletter.render.text.wrap import get_display_width

Cli = Callable[..., tuple[int, str, str]]

READERS = """\
Email Address;First Name;Last Name;Home town;Status
ada@example.com;Ada;Lovelace;London;subscribed
bo@example.com;Bo;;Oslo;unsubscribed
BO@example.com;Bo;;Oslo;subscribed
cy@;Cy;;;subscribed
"""


@pytest.fixture
def readers_file(project_folder: Path) -> Path:
    path = project_folder / "readers.csv"
    path.write_text(READERS)
    return path


@pytest.mark.usefixtures("readers_file")
def test_import_prints_summary_remarks_and_next_step(cli: Cli) -> None:
    code, out, err = cli("subscribers", "import", "readers.csv")
    assert code == 1
    assert out.splitlines() == [
        "readers.csv: 4 rows, UTF-8",
        "  columns   address from 'Email Address'; name from 'First Name' and 'Last",
        "            Name'; status from 'Status'; attributes first_name, last_name,",
        "            home_town",
        "  new       1 active, 1 unsubscribed",
        "  repeated  1; the first row of an address is used",
        "  refused   1",
        "Next: correct readers.csv.refused.csv and import it.",
    ]
    assert err.splitlines() == [
        "    row 4: 'BO@example.com' is a duplicate of an earlier row",
        "    row 5: 'cy@' is not a valid email address: There must be something after the @-sign.",
    ]


def test_import_of_valid_rows_exits_with_0(cli: Cli, project_folder: Path) -> None:
    (project_folder / "readers.csv").write_text("ada@example.com\n")
    code, out, err = cli("subscribers", "import", "readers.csv")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "readers.csv: 1 row, UTF-8",
        "  columns  addresses only",
        "  new      1 active",
        "Next: newsletter subscribers list",
    ]


@pytest.mark.usefixtures("readers_file")
def test_import_as_json(cli: Cli) -> None:
    code, out, _ = cli("subscribers", "import", "readers.csv", "--json")
    data = json.loads(out)
    assert code == 1
    assert (data["rows"], data["new"]) == (4, {"active": 1, "unsubscribed": 1})
    assert data["refused_file"] == "readers.csv.refused.csv"
    assert [remark["row"] for remark in data["remarks"]] == [4, 5]


def test_dry_run_changes_nothing(cli: Cli, readers_file: Path) -> None:
    _, out, _ = cli("subscribers", "import", readers_file, "--dry-run")
    assert out.endswith("Nothing was changed: this was a dry run.\n")
    assert cli("subscribers", "list") == (
        0,
        "The list is empty. Fill it with: newsletter subscribers import FILE.csv\n",
        "",
    )


def test_guessed_encoding_is_reported(cli: Cli, project_folder: Path) -> None:
    (project_folder / "readers.csv").write_bytes("email,name\na@b.com,Zo\u00eb\n".encode("cp1252"))
    _, out, _ = cli("subscribers", "import", "readers.csv")
    assert out.startswith(
        "readers.csv: 1 row, windows-1252 (a guess: save it as UTF-8 if names look wrong)\n"
    )


def test_map_option_names_columns(cli: Cli, project_folder: Path) -> None:
    (project_folder / "readers.csv").write_text("Contact,Town\nada@example.com,Oslo\n")
    code, _, err = cli("subscribers", "import", "readers.csv")
    assert code == 1
    assert err == (
        "newsletter: readers.csv:1: no column of email addresses found; the columns are: "
        "Contact, Town. Choose one: --map 'COLUMN=email'\n"
    )
    args = ("--map", "contact=email", "--map", "Town=city")
    assert cli("subscribers", "import", "readers.csv", *args)[0] == 0
    subscriber = json.loads(cli("subscribers", "list", "--json")[1])
    assert subscriber["attributes"] == {"city": "Oslo"}


@pytest.mark.usefixtures("readers_file")
@pytest.mark.parametrize("option", ["email", "=email", "Contact=", "Contact=E-Mail"])
def test_invalid_map_option_is_rejected(cli: Cli, option: str) -> None:
    code, _, err = cli("subscribers", "import", "readers.csv", "--map", option)
    assert code == 2
    assert f"'{option}' is not COLUMN=FIELD" in " ".join(err.split())


@pytest.mark.usefixtures("project_folder")
def test_import_of_missing_file_fails(cli: Cli) -> None:
    code, _, err = cli("subscribers", "import", "nowhere.csv")
    assert code == 2
    assert "'nowhere.csv' does not exist" in err


def test_import_outside_a_project_fails(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "readers.csv").write_text("ada@example.com\n")
    code, _, err = cli("subscribers", "import", "readers.csv")
    assert code == 1
    assert "no newsletter.yml" in err


@pytest.mark.usefixtures("readers_file")
def test_list_prints_readers_and_counts(cli: Cli) -> None:
    cli("subscribers", "import", "readers.csv")
    code, out, err = cli("subscribers", "list")
    lines = [line.rsplit("  ", 1)[0] for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert lines == [
        "ada@example.com  Ada Lovelace  active      ",
        "bo@example.com   Bo            unsubscribed",
        "2 readers: 1 active, 1 unsubscribed",
    ]
    out, err = cli("subscribers", "list", "--limit", "1")[1:]
    assert len(out.splitlines()) == 2
    assert err == "and 1 more; all of them with --limit 0\n"
    assert cli("subscribers", "list", "--status", "bounced")[1] == (
        "2 readers: 1 active, 1 unsubscribed\n"
    )


@pytest.mark.usefixtures("readers_file")
def test_list_as_json(cli: Cli) -> None:
    cli("subscribers", "import", "readers.csv")
    rows = [json.loads(line) for line in cli("subscribers", "list", "--json")[1].splitlines()]
    assert [row["address"] for row in rows] == ["ada@example.com", "bo@example.com"]
    assert "token" not in rows[0]
    matches = cli("subscribers", "list", "--json", "--search", "LOVE", "--status", "active")[1]
    assert json.loads(matches) == rows[0]


def test_list_is_aligned_by_display_width(
    cli: Cli, project_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "x" * 90
    (project_folder / "readers.csv").write_text(
        f"email,name\na@b.com,{long}\nb@b.com,日本 花子\nc@b.com,Zoë\n"
    )
    cli("subscribers", "import", "readers.csv")
    assert long in cli("subscribers", "list")[1]  # a pipe gets all of it
    monkeypatch.setattr("newsletter.cli.subscribers.queries.listing.get_stream_width", lambda _: 80)
    lines = cli("subscribers", "list")[1].splitlines()[:3]
    before_status = [line[: line.index("  active  2")] for line in lines]
    assert {get_display_width(text) for text in before_status} == {60}
    assert {get_display_width(line) for line in lines} == {80}


@pytest.mark.usefixtures("readers_file")
def test_list_takes_text_to_search_for(cli: Cli) -> None:
    cli("subscribers", "import", "readers.csv")
    for args in (("LOVE",), ("--search", "LOVE")):
        assert cli("subscribers", "list", *args)[1].count("@") == 1
    code, _, err = cli("subscribers", "list", "LOVE", "--search", "LOVE")
    assert (code, "TEXT and --search were both given" in err) == (2, True)


def test_control_characters_in_names_are_escaped(cli: Cli, project_folder: Path) -> None:
    (project_folder / "readers.csv").write_text("email,name\na@b.com,A\u202edrowssap\n")
    cli("subscribers", "import", "readers.csv")
    assert "A\\u202edrowssap" in cli("subscribers", "list")[1]


def test_statuses_match_the_database_schema() -> None:
    assert STATUSES == schema.STATUSES
