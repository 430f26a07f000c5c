"""``newsletter setup``: the interview, its options, and what is written."""

import codecs
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

Cli = Callable[..., tuple[int, str, str]]
ANSWERS = {
    "name": "Harbour Notes",
    "sender-name": "",
    "sender": "editor@harbour-notes.org",
    "reply-to": "",
    "postal-address": "Harbour Notes, 1 Quay Street, Bergen",
    "site": "https://harbour-notes.org",
    "pages": "none",
    "unsubscribe-group": "12345",
    "time-zone": "Europe/Oslo",
    "language": "en",
}


@pytest.fixture
def settings(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The newsletter.yml of a new newsletter, in the working folder."""
    monkeypatch.chdir(tmp_path)
    for variable in ("SENDGRID_API_KEY", "SENDGRID_HOST", "NEWSLETTER_DATABASE"):
        monkeypatch.delenv(variable, raising=False)
    assert cli("init", "harbour-notes")[0] == 0
    monkeypatch.chdir(tmp_path / "harbour-notes")
    return tmp_path / "harbour-notes" / "newsletter.yml"


def typed(**changes: str) -> str:
    answers = ANSWERS | {name.replace("_", "-"): text for name, text in changes.items()}
    return "".join(f"{text}\n" for text in answers.values())


def flags(**changes: str) -> list[str]:
    answers = ANSWERS | {name.replace("_", "-"): text for name, text in changes.items()}
    return [f"--{name}={text}" for name, text in answers.items() if text]


def get_comments(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.lstrip().startswith("# ")]


def test_interview_fills_in_a_new_file_and_keeps_its_comments(cli: Cli, settings: Path) -> None:
    comments = get_comments(settings.read_text())
    code, out, err = cli("setup", typed=typed())
    assert code == 0, err
    data = yaml.safe_load(settings.read_text())
    assert data["sender"] == {"name": "Harbour Notes", "address": "editor@harbour-notes.org"}
    assert data["postal_address"] == "Harbour Notes, 1 Quay Street, Bergen"
    assert data["site_url"] == "https://harbour-notes.org"
    assert data["sendgrid"] == {"asm_group": 12345}
    assert data["timezone"] == "Europe/Oslo"
    assert get_comments(settings.read_text()) == comments
    assert "fail  key: no API key" in out
    assert out.endswith("Next: newsletter import POST\n")


@pytest.mark.parametrize(
    ("question", "wrong", "message"),
    [
        ("sender", "editor@", "is not a valid"),
        ("sender", "editor@harbour-notes.example", "is an example"),
        ("sender", "", "can't be empty"),
        ("reply_to", "nobody", "is not a valid"),
        ("postal_address", "-", "can't be left out"),
        ("site", "harbour notes", "site"),
        ("pages", "cloud", "is not one of these: server, static, none"),
        ("unsubscribe_group", "twelve", "is not a number"),
        ("time_zone", "Bergen", "time zone"),
        ("language", "norsk!", "language"),
        (
            "name",
            "SG.aaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
            "API key",
        ),
    ],
)
def test_wrong_answer_is_explained_and_asked_again(
    cli: Cli, settings: Path, question: str, wrong: str, message: str
) -> None:
    right = ANSWERS[question.replace("_", "-")]
    code, _, err = cli("setup", typed=typed(**{question: f"{wrong}\n{right}"}))
    assert code == 0, err
    assert message in " ".join(err.split())
    data = yaml.safe_load(settings.read_text())
    assert data["sender"]["address"] == "editor@harbour-notes.org"
    assert data["timezone"] == "Europe/Oslo"


def test_answers_with_yaml_syntax_and_several_lines_are_read_back(cli: Cli, settings: Path) -> None:
    name, address = 'Boats: "no" # 1', r"Harbour Notes\nملاحظات الميناء\nBergen"
    assert cli("setup", typed=typed(name=name, sender_name="12:30", postal_address=address))[0] == 0
    data = yaml.safe_load(settings.read_text())
    assert data["name"] == name
    assert data["sender"]["name"] == "12:30"
    assert data["postal_address"] == address.replace(r"\n", "\n")


def test_options_answer_without_a_terminal(cli: Cli, settings: Path) -> None:
    code, out, err = cli("setup", "--yes", *flags())
    assert (code, err) == (0, "")
    assert "Saved newsletter.yml:" in out
    assert yaml.safe_load(settings.read_text())["timezone"] == "Europe/Oslo"
    before = settings.read_bytes()
    code, _, err = cli("setup", "--yes")
    assert code == 3
    assert "nothing to change" in err
    assert settings.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (["--yes"], "--sender, --postal-address, --site"),
        (["--yes", *flags(sender="")], "--sender"),
        ([], "--sender, --postal-address, --site, --yes"),
    ],
)
def test_missing_answers_are_a_usage_error_and_nothing_is_written(
    cli: Cli, settings: Path, arguments: list[str], missing: str
) -> None:
    before = settings.read_bytes()
    code, _, err = cli("setup", *arguments)
    assert code == 2
    assert f"give {missing}" in " ".join(err.split()).lower()
    assert settings.read_bytes() == before


def test_input_that_ends_early_writes_nothing(cli: Cli, settings: Path) -> None:
    before = settings.read_bytes()
    code, _, _ = cli("setup", typed="Harbour Notes\n\neditor@harbour-notes.org\n")
    assert code == 2
    assert settings.read_bytes() == before


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        (
            "server",
            "static",
            {
                "issue_url": "https://news.harbour-notes.org/issues/{slug}/",
                "image_url": "https://news.harbour-notes.org/issues/{slug}/{file}",
            },
        ),
        ("static", "server", {"public_url": "https://news.harbour-notes.org"}),
        ("server", "none", {}),
        ("static", "none", {}),
    ],
)
def test_pages_move(
    cli: Cli, settings: Path, first: str, then: str, expected: dict[str, str]
) -> None:
    url = "--pages-url=https://news.harbour-notes.org"
    group = [] if first == "server" else ["--unsubscribe-group=12345"]
    rest = flags(pages=first, unsubscribe_group="")
    assert cli("setup", "--yes", url, *group, *rest)[0] == 0
    more = [] if then == "none" else [url]
    assert cli("setup", "--yes", f"--pages={then}", *more)[0] == 0
    data = yaml.safe_load(settings.read_text())
    names = ("public_url", "issue_url", "image_url")
    assert {name: data[name] for name in names if name in data} == expected


def test_windows_line_ends_and_byte_order_mark_are_kept(cli: Cli, settings: Path) -> None:
    text = settings.read_bytes().replace(b"\n", b"\r\n")
    settings.write_bytes(codecs.BOM_UTF8 + text)
    assert cli("setup", "--yes", *flags())[0] == 0
    data = settings.read_bytes()
    assert data.startswith(codecs.BOM_UTF8 + b"#")
    assert data.count(b"\n") == data.count(b"\r\n")


def test_mistake_elsewhere_is_refused_with_its_line(cli: Cli, settings: Path) -> None:
    text = settings.read_text().replace("theme:", "theme:\n  widht: 620")
    settings.write_text(text)
    line = text.splitlines().index("  widht: 620") + 1
    code, _, err = cli("setup", typed=typed())
    assert code == 1
    assert f"newsletter.yml:{line}" in err
    assert settings.read_text() == text


def test_mistake_in_what_is_asked_becomes_a_question(cli: Cli, settings: Path) -> None:
    settings.write_text(settings.read_text().replace("#timezone: UTC  ", "timezone: Bergen"))
    code, _, err = cli("setup", typed=typed())
    assert code == 0, err
    assert "Bergen" in err
    assert yaml.safe_load(settings.read_text())["timezone"] == "Europe/Oslo"


def test_setup_outside_a_newsletter_names_init(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = cli("setup", "--yes")
    assert code == 1
    assert "newsletter init" in err
