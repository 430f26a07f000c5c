"""``newsletter setup`` on the command line."""

import codecs
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from newsletter.cli.project import setup
from newsletter.config import load_config

Cli = Callable[..., tuple[int, str, str]]

ANSWERS = {
    "name": "Quay Notes",
    "sender-name": "",
    "sender": "ed@quay.org",
    "reply-to": "",
    "postal-address": r"Quay\n1 Quay Street",
    "site": "https://quay.org",
    "pages": "none",
    "unsubscribe-group": "12345",
    "time-zone": "Europe/Oslo",
    "language": "nb",
}
FLAGS = [f"--{name}={answer}" for name, answer in ANSWERS.items() if answer]


@pytest.fixture
def settings(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """newsletter.yml of a new newsletter, whose folder is the working folder."""
    monkeypatch.setenv("TZ", "Europe/Lisbon")
    monkeypatch.delenv("SENDGRID_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    cli("init", "quay")
    monkeypatch.chdir(tmp_path / "quay")
    return tmp_path / "quay" / "newsletter.yml"


def test_interview_asks_again_after_a_wrong_answer(cli: Cli, settings: Path) -> None:
    before = settings.read_text()
    typed = "\n".join({**ANSWERS, "sender": "nobody\n\ned@quay.example\ned@quay.org"}.values())
    code, out, err = cli("setup", typed=f"{typed}\n")
    assert code == 0
    assert "'nobody' is not a valid sender address" in err
    assert "This can't be empty.\n" in err
    assert "'ed@quay.example' is an example: give your own.\n" in err
    assert "Newsletter's name [Quay]: " in err
    assert "Sender name, as inboxes show it [Quay Notes]: " in err
    assert "Sender address: " in err
    assert "Reply-to address (optional): " in err
    assert "Time zone [Europe/Lisbon]: " in err
    assert all(len(line) <= 80 for line in out.splitlines())
    config = load_config(settings, {})
    assert (config.name, config.sender.name, config.sender.reply_to) == (
        "Quay Notes",
        "Quay Notes",
        None,
    )
    assert config.postal_address == "Quay\n1 Quay Street"
    assert (config.sendgrid.asm_group, config.timezone, config.language) == (
        12345,
        "Europe/Oslo",
        "nb",
    )
    after = settings.read_text()
    assert len(after.splitlines()) == len(before.splitlines())
    assert "# Required by law in every issue" in after


@pytest.mark.usefixtures("settings")
def test_what_was_saved_is_listed_and_checked(cli: Cli) -> None:
    code, out, err = cli("setup", *FLAGS, "--yes")
    assert (code, err) == (0, "")
    assert out.startswith("Saved newsletter.yml:\n  name                Quay Notes\n")
    assert "  sendgrid.asm_group  12345\n" in out
    assert "fail  key: no API key" in out
    assert out.endswith(
        "Fix what failed before you send; you can write and preview issues now.\n"
        "Next: newsletter import POST\n"
    )
    assert cli("setup", "--yes") == (
        3,
        "",
        "newsletter: nothing to change in newsletter.yml. Check it with: newsletter doctor\n",
    )


@pytest.mark.usefixtures("settings")
def test_questions_with_a_flag_are_not_asked(cli: Cli) -> None:
    code, _, err = cli("setup", *FLAGS[1:], typed="Quay Notes\n\n\n")
    assert code == 0
    assert "Newsletter's name [Quay]: " in err
    assert "Sender address" not in err


def test_optional_settings_are_removed_by_a_hyphen(cli: Cli, settings: Path) -> None:
    cli("setup", *FLAGS, "--reply-to=re@quay.org", "--yes")
    code, out, err = cli("setup", typed="\n\n\n-\n\n\n\n-\n\n\n")
    assert code == 0
    assert "Reply-to address (- removes it) [re@quay.org]: " in err
    assert r"Postal address [Quay\n1 Quay Street]: " in err
    assert "  sender.reply_to     removed\n  sendgrid.asm_group  removed\n" in out
    assert load_config(settings, {}).sender.reply_to is None


def test_next_step_is_the_preview_of_the_latest_issue(cli: Cli, settings: Path) -> None:
    (settings.parent / "issues" / "2026-01-02-first-light").mkdir()
    _, out, _ = cli("setup", *FLAGS, "--yes")
    assert out.endswith("Next: newsletter preview first-light\n")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            (),
            "cannot ask: no terminal. In a script, give --sender, --postal-address, --site",
        ),
        (
            ("--yes", "--site=https://quay.org"),
            "some settings have no value yet. Give --sender and --postal-address.",
        ),
        (("--sender=nobody",), "--sender: 'nobody' is not a valid sender address"),
        (("--name=",), "--name: this can't be empty"),
        (("--sender=SG.abcdefghijk",), "--sender: this is a SendGrid API key"),
        ((*FLAGS, "--pages-url=https://quay.org", "--yes"), "--pages-url is not used with"),
    ],
)
def test_usage_errors_save_nothing(
    cli: Cli, settings: Path, args: tuple[str, ...], message: str
) -> None:
    before = settings.read_bytes()
    code, out, err = cli("setup", *args)
    assert (code, out) == (2, "")
    assert message in err
    assert settings.read_bytes() == before


def answer_with(monkeypatch: pytest.MonkeyPatch, answer: Callable[[str], str | None]) -> None:
    """Replace what is typed: ``answer`` gets the prompt."""
    monkeypatch.setattr(setup, "prompt_for_answer", answer)


def test_ctrl_c_saves_nothing(cli: Cli, settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = settings.read_bytes()

    def interrupt(prompt: str) -> str:
        if prompt.startswith("Language"):
            raise click.Abort
        return ""

    answer_with(monkeypatch, interrupt)
    code, out, err = cli("setup", *FLAGS[:-1], "--reply-to=", "--sender-name=Ed")
    assert (code, out) == (1, "")
    assert err.endswith("\nnewsletter.yml is unchanged.\nStopped.\n")
    assert settings.read_bytes() == before


@pytest.mark.usefixtures("settings")
def test_answer_that_is_not_utf8_is_asked_for_again(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([b"\xff", b"nb"])
    answer_with(monkeypatch, lambda _: next(answers).decode())
    code, _, err = cli("setup", *FLAGS[:-1], "--reply-to=", "--sender-name=Ed")
    assert code == 0
    assert "This is not valid UTF-8.\n" in err


def test_file_that_was_changed_meanwhile_is_not_overwritten(
    cli: Cli, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edit_file(_: str) -> str:
        settings.write_text("mine")
        return "nb"

    answer_with(monkeypatch, edit_file)
    code, out, err = cli("setup", *FLAGS[:-1], "--reply-to=", "--sender-name=Ed")
    assert (code, out) == (1, "")
    assert err.endswith(
        "newsletter: newsletter.yml: the file was changed in the meantime; nothing was saved. "
        "Run newsletter setup again.\n"
    )
    assert settings.read_text() == "mine"


def test_byte_order_mark_line_ends_and_link_are_kept(cli: Cli, settings: Path) -> None:
    text = settings.read_text().replace("\n", "\r\n")
    target = settings.with_name("shared.yml")
    target.write_bytes(codecs.BOM_UTF8 + text.encode())
    settings.unlink()
    settings.symlink_to(target)
    assert cli("setup", *FLAGS, "--yes")[0] == 0
    data = target.read_bytes()
    assert settings.is_symlink()
    assert data.startswith(codecs.BOM_UTF8 + b"#")
    assert data.count(b"\n") == data.count(b"\r\n") == text.count("\n")
    assert b"\r\nname: Quay Notes\r\n" in data


def test_mistake_elsewhere_is_refused_before_the_first_question(cli: Cli, settings: Path) -> None:
    text = f"width_: 3\n{settings.read_text()}"
    settings.write_text(text)
    code, out, err = cli("setup", typed="\n")
    assert (code, out) == (1, "")
    assert err.startswith("newsletter: newsletter.yml:1: unknown key 'width_'")
    assert "name [" not in err
    assert settings.read_text() == text


def test_mistake_at_a_question_is_shown_with_it(cli: Cli, settings: Path) -> None:
    settings.write_text(f"{settings.read_text()}timezone: Olso\n")
    flags = [flag for flag in FLAGS if "zone" not in flag]
    code, _, err = cli("setup", *flags, "--reply-to=", "--sender-name=Ed", typed="\n")
    assert code == 0
    line = len(settings.read_text().splitlines())
    assert f"\nnewsletter.yml:{line}: timezone: unknown time zone 'Olso'.\n" in err
    assert load_config(settings, {}).timezone == "Europe/Lisbon"


def test_setting_that_cannot_be_edited_is_reported_with_its_line(cli: Cli, settings: Path) -> None:
    text = "name: &n Quay\ndescription: *n\nsender: {name: Quay, address: ed@quay.org}\n"
    text += "postal_address: Quay\nsite_url: https://quay.org\n"
    settings.write_text(text)
    code, out, err = cli("setup", "--name=New", "--yes")
    assert (code, out) == (1, "")
    assert err.startswith("newsletter: newsletter.yml:1: this is written in a way that can't be")
    assert "nothing was saved" in err
    assert settings.read_text() == text


@pytest.mark.usefixtures("settings")
def test_right_to_left_default_does_not_reorder_the_prompt(cli: Cli) -> None:
    cli("setup", *FLAGS, "--name=رسالة", "--yes")
    _, _, err = cli("setup", typed="\n" * 20)
    assert "Newsletter's name [\u2068رسالة\u2069]: " in err


@pytest.mark.usefixtures("settings")
def test_right_to_left_lines_are_each_isolated(cli: Cli) -> None:
    code, out, _ = cli("setup", *FLAGS, r"--postal-address=رسالة الميناء\nBergen", "--yes")
    assert code == 0
    assert "  postal_address      \u2068رسالة\u00a0الميناء\u2069\n" in out
    assert "\\u" not in out
    _, _, err = cli("setup", typed="\n" * 20)
    assert "Postal address [\u2068رسالة\u00a0الميناء\\nBergen\u2069]: " in err


def test_answers_with_yaml_syntax_are_read_back(cli: Cli, settings: Path) -> None:
    name = 'Boats: "no" # 1'
    assert cli("setup", *FLAGS, f"--name={name}", "--sender-name=12:30", "--yes")[0] == 0
    config = load_config(settings, {})
    assert (config.name, config.sender.name) == (name, "12:30")


@pytest.mark.usefixtures("settings")
def test_mistake_in_the_environment_is_left_to_the_checks(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSLETTER_DATABASE", "nonsense")
    code, out, err = cli("setup", *FLAGS, "--yes")
    assert (code, err) == (0, "")
    assert "fail  settings: NEWSLETTER_DATABASE" in out


def test_examples_in_the_help_are_on_lines_of_their_own(cli: Cli) -> None:
    assert "\n    newsletter setup --time-zone Europe/Oslo --yes\n" in cli("setup", "-h")[1]


def test_outside_a_project_init_is_named(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = cli("setup")
    assert (code, out) == (1, "")
    assert "newsletter init DIR" in err
    assert "cd into" in err


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    ("zone", "expected"),
    [("Europe/Oslo", "Europe/Oslo"), (":Asia/Tokyo", "Asia/Tokyo"), ("Etc/UTC", "UTC")],
)
def test_zone_of_the_machine_is_offered(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, zone: str, expected: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    _, _, err = cli("setup", *[flag for flag in FLAGS if "zone" not in flag], typed="\n" * 3)
    assert f"Time zone [{expected}]: " in err
