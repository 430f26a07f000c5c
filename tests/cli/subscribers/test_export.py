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


def test_to_a_file_for_the_owner_alone(cli: Cli, folder: Path) -> None:
    code, out, err = cli("subscribers", "export", "all.csv")
    assert (code, err) == (0, "")
    assert out == "all.csv: 2 readers, for your eyes only\n"
    path = folder / "all.csv"
    assert path.stat().st_mode & 0o777 == 0o600
    assert "ada@example.com,'=Ada,active,vip," in path.read_text(encoding="utf-8-sig")
    assert [each.name for each in folder.glob(".all*")] == []


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("args", [[], ["-"]])
def test_to_standard_output(cli: Cli, args: list[str]) -> None:
    code, out, err = cli("subscribers", "export", *args, "--raw")
    assert (code, err) == (0, "2 readers\n")
    assert out.splitlines()[1].startswith("ada@example.com,=Ada,active,vip,")


def test_the_kind_by_the_files_name(cli: Cli, folder: Path) -> None:
    cli("subscribers", "export", "all.jsonl", "--journal")
    head, ada, _ = map(json.loads, (folder / "all.jsonl").read_text().splitlines())
    assert head == {"newsletter": 1, "attributes": {}}
    assert ada["journal"][0]["change"] == "imported"
    cli("subscribers", "export", "other.txt", "--format", "jsonl")
    assert "journal" not in json.loads((folder / "other.txt").read_text().splitlines()[1])


def test_nothing_is_overwritten_unasked(cli: Cli, folder: Path) -> None:
    code, _, err = cli("subscribers", "export", "readers.csv")
    assert code == 1
    assert "this file is there already" in err
    assert (folder / "readers.csv").read_text() == READERS
    assert cli("subscribers", "export", "readers.csv", "--force")[0] == 0
    assert (folder / "readers.csv").read_text(encoding="utf-8-sig") != READERS


@pytest.mark.usefixtures("folder")
def test_a_segment(cli: Cli) -> None:
    _, out, err = cli("subscribers", "export", "--segment", "tag:vip", "--raw")
    assert err == "1 reader\n"
    assert [line.split(",")[0] for line in out.splitlines()] == ["email", "ada@example.com"]


def test_a_segment_that_cannot_be_read_leaves_no_file(cli: Cli, folder: Path) -> None:
    code, _, err = cli("subscribers", "export", "some.csv", "--segment", "tag:nobody")
    assert code == 1
    assert "nobody" in err
    assert not list(folder.glob("*some.csv*"))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--journal"], "the journal goes into JSON lines: --format jsonl"),
        (["--raw", "--format", "jsonl"], "--raw is for CSV: JSON lines are never changed"),
    ],
)
def test_options_that_contradict(cli: Cli, args: list[str], said: str) -> None:
    code, _, err = cli("subscribers", "export", *args)
    assert code == 2
    assert said in " ".join(err.split())


@pytest.mark.usefixtures("folder")
def test_an_export_is_known_when_it_comes_back(cli: Cli) -> None:
    cli("subscribers", "export", "all.csv")
    code, out, _ = cli("subscribers", "import", "all.csv")
    assert code == 0
    assert out.startswith("all.csv: 2 rows, UTF-8, an export of newsletter\n")
    assert "  unchanged  2\n" in out
