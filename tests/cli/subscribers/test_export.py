import json
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., tuple[int, str, str]]

READERS = "email,name,tags\nada@example.com,=Ada,vip\nbo@example.com,Bo,\n"


@pytest.fixture
def folder(project_folder: Path, cli: Cli) -> Path:
    (project_folder / "readers.csv").write_text(READERS)
    cli("subscribers", "import", "readers.csv")
    return project_folder


def test_exported_file_is_readable_by_its_owner_only(cli: Cli, folder: Path) -> None:
    code, out, err = cli("subscribers", "export", "all.csv")
    assert (code, err) == (0, "")
    assert out == "all.csv: 2 readers, readable only by you\n"
    path = folder / "all.csv"
    assert path.stat().st_mode & 0o777 == 0o600
    assert "ada@example.com,'=Ada,active,vip," in path.read_text(encoding="utf-8-sig")
    assert list(folder.glob(".all*")) == []


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("args", [[], ["-"]])
def test_export_to_standard_output(cli: Cli, args: list[str]) -> None:
    code, out, err = cli("subscribers", "export", *args, "--raw")
    assert (code, err) == (0, "2 readers\n")
    assert out.splitlines()[1].startswith("ada@example.com,=Ada,active,vip,")


@pytest.mark.usefixtures("folder")
def test_result_as_json(cli: Cli) -> None:
    data = json.loads(cli("subscribers", "export", "all.csv", "--json")[1])
    assert data == {"file": "all.csv", "format": "csv", "readers": 2}


def test_format_is_chosen_by_file_name(cli: Cli, folder: Path) -> None:
    cli("subscribers", "export", "all.jsonl", "--journal")
    header, ada, _ = map(json.loads, (folder / "all.jsonl").read_text().splitlines())
    assert header == {"newsletter": 1, "attributes": {}}
    assert ada["journal"][0]["change"] == "imported"
    cli("subscribers", "export", "other.txt", "--format", "jsonl")
    assert "journal" not in json.loads((folder / "other.txt").read_text().splitlines()[1])


def test_existing_file_is_overwritten_only_with_force(cli: Cli, folder: Path) -> None:
    code, _, err = cli("subscribers", "export", "readers.csv")
    assert code == 1
    assert "this file exists already" in err
    assert (folder / "readers.csv").read_text() == READERS
    assert cli("subscribers", "export", "readers.csv", "--force")[0] == 0
    assert (folder / "readers.csv").read_text(encoding="utf-8-sig") != READERS


@pytest.mark.usefixtures("folder")
def test_segment_limits_the_export(cli: Cli) -> None:
    _, out, err = cli("subscribers", "export", "--segment", "tag:vip", "--raw")
    assert err == "1 reader\n"
    assert [line.split(",")[0] for line in out.splitlines()] == ["email", "ada@example.com"]


def test_invalid_segment_leaves_no_file(cli: Cli, folder: Path) -> None:
    code, _, err = cli("subscribers", "export", "some.csv", "--segment", "tag:nobody")
    assert code == 1
    assert "nobody" in err
    assert not list(folder.glob("*some.csv*"))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--journal"], "--journal needs JSON lines: --format jsonl"),
        (["--json"], "--json needs FILE"),
        (["--raw", "--format", "jsonl"], "--raw is for CSV: JSON lines are never escaped"),
    ],
)
def test_contradictory_options_are_rejected(cli: Cli, args: list[str], message: str) -> None:
    code, _, err = cli("subscribers", "export", *args)
    assert code == 2
    assert message in " ".join(err.split())


@pytest.mark.usefixtures("folder")
def test_import_of_an_export_changes_nothing(cli: Cli) -> None:
    cli("subscribers", "export", "all.csv")
    code, out, _ = cli("subscribers", "import", "all.csv")
    assert code == 0
    assert out.startswith("all.csv: 2 rows, UTF-8, an export of newsletter\n")
    assert "  unchanged  2\n" in out
