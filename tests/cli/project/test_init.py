import re
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_new_folder_is_made_and_the_next_step_told(cli: Cli, work: Path) -> None:
    code, out, err = cli("init", "harbour-notes")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "Created harbour-notes/ with newsletter.yml, issues/, templates/.",
        "Next: put your name and address into newsletter.yml, then",
        "  cd harbour-notes && newsletter import POST",
    ]
    made = {path.name for path in (work / "harbour-notes").iterdir()}
    assert made == {
        "newsletter.yml",
        "newsletter.schema.json",
        "issues",
        "templates",
        ".gitignore",
        ".env.example",
    }
    assert "name: Harbour Notes\n" in (work / "harbour-notes" / "newsletter.yml").read_text()


def test_the_working_folder_is_the_default(cli: Cli, work: Path) -> None:
    code, out, _ = cli("init", "--name", "Quay", "--sender", "ed@quay.org")
    assert code == 0
    assert out.startswith("Created newsletter.yml, issues/, templates/.\n")
    assert out.endswith("\n  newsletter import POST\n")
    settings = (work / "newsletter.yml").read_text()
    assert "name: Quay\n" in settings
    assert "address: ed@quay.org" in settings


def test_a_folder_is_never_made_twice(cli: Cli, work: Path) -> None:
    cli("init", "quay")
    settings = work / "quay" / "newsletter.yml"
    settings.write_text("mine")
    code, out, err = cli("init", "quay")
    assert (code, out) == (1, "")
    assert err.startswith("newsletter: quay: already there: .env.example, .gitignore, issues, ")
    assert "newsletter.yml" in err
    assert settings.read_text() == "mine"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--sender", "nobody"), "--sender: 'nobody' is no address that can send"),
        (("--name", " "), "--name: this can't be empty"),
        (("--name", "a\nb"), "--name: this holds a line break"),
        (("x", "y"), "extra argument"),
    ],
)
def test_wrong_words_are_a_usage_error_and_make_nothing(
    cli: Cli, work: Path, args: tuple[str, ...], words: str
) -> None:
    code, out, err = cli("init", *args)
    assert (code, out) == (2, "")
    assert words in err
    assert err.endswith("Help: newsletter init -h\n")
    assert list(work.iterdir()) == []


def test_a_file_in_the_way_is_told(cli: Cli, work: Path) -> None:
    (work / "quay").write_text("")
    code, _, err = cli("init", "quay")
    assert code == 2
    assert "'quay' is a file" in err
    code, _, err = cli("init", "quay/inside")
    assert (code, err) == (1, "newsletter: quay/inside: not a directory\n")


def test_a_folder_that_may_not_be_written_to_is_told(cli: Cli) -> None:
    # Not even root may make a folder there.
    code, out, err = cli("init", "/sys/quay")
    assert (code, out) == (1, "")
    assert re.fullmatch(
        r"newsletter: /sys/quay: (permission denied|operation not permitted|read-only file system)"
        "\n",
        err,
    )


@pytest.mark.parametrize(
    ("folder", "name", "cd"),
    [
        ("the_quay letter", "The Quay Letter", "cd 'the_quay letter'"),
        ("über-uns", "Über Uns", "cd 'über-uns'"),
        ("---", "Newsletter", "cd ---"),
    ],
)
def test_the_name_is_made_from_the_folder_and_the_next_step_can_be_pasted(
    cli: Cli, work: Path, folder: str, name: str, cd: str
) -> None:
    code, out, _ = cli("init", "--", folder)
    assert code == 0
    assert cd in out
    assert f"name: {name}\n" in (work / folder / "newsletter.yml").read_text()
