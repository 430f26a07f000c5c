import re
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_init_creates_folder_and_prints_next_step(cli: Cli, working_folder: Path) -> None:
    code, out, err = cli("init", "harbour-notes")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "Created harbour-notes/ with newsletter.yml, issues/, templates/.",
        "Next: cd harbour-notes && newsletter setup",
    ]
    created = {path.name for path in (working_folder / "harbour-notes").iterdir()}
    assert created == {
        "newsletter.yml",
        "front-matter.schema.json",
        "newsletter.schema.json",
        "issues",
        "templates",
        ".gitignore",
        ".env.example",
    }
    settings = (working_folder / "harbour-notes" / "newsletter.yml").read_text()
    assert "name: Harbour Notes\n" in settings


def test_init_defaults_to_the_working_folder(cli: Cli, working_folder: Path) -> None:
    code, out, _ = cli("init", "--name", "Quay", "--sender", "ed@quay.org")
    assert code == 0
    assert out.startswith("Created newsletter.yml, issues/, templates/.\n")
    assert out.endswith("\nNext: newsletter setup\n")
    settings = (working_folder / "newsletter.yml").read_text()
    assert "name: Quay\n" in settings
    assert "address: ed@quay.org" in settings


def test_init_never_overwrites_a_project(cli: Cli, working_folder: Path) -> None:
    cli("init", "quay")
    settings = working_folder / "quay" / "newsletter.yml"
    settings.write_text("mine")
    code, out, err = cli("init", "quay")
    assert (code, out) == (1, "")
    assert err.startswith("newsletter: quay: already exists: .env.example, .gitignore, ")
    assert "newsletter.yml" in err
    assert settings.read_text() == "mine"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--sender", "nobody"), "--sender: 'nobody' is not a valid sender address"),
        (("--name", " "), "--name: this can't be empty"),
        (("--name", "a\nb"), "--name: this contains a line break"),
        (("x", "y"), "extra argument"),
    ],
)
def test_invalid_arguments_are_a_usage_error_and_create_nothing(
    cli: Cli, working_folder: Path, args: tuple[str, ...], message: str
) -> None:
    code, out, err = cli("init", *args)
    assert (code, out) == (2, "")
    assert message in err
    assert err.endswith("Help: newsletter init -h\n")
    assert list(working_folder.iterdir()) == []


def test_file_at_the_path_is_reported(cli: Cli, working_folder: Path) -> None:
    (working_folder / "quay").write_text("")
    code, _, err = cli("init", "quay")
    assert code == 2
    assert "'quay' is a file" in err
    code, _, err = cli("init", "quay/inside")
    assert (code, err) == (1, "newsletter: quay/inside: not a directory\n")


def test_unwritable_folder_is_reported(cli: Cli) -> None:
    # Not even root may create a folder in /sys.
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
def test_name_is_derived_from_folder_and_printed_command_is_quoted(
    cli: Cli, working_folder: Path, folder: str, name: str, cd: str
) -> None:
    code, out, _ = cli("init", "--", folder)
    assert code == 0
    assert cd in out
    assert f"name: {name}\n" in (working_folder / folder / "newsletter.yml").read_text()
