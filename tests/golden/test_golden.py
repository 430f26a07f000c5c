"""Complete emails of the sample issues, before personalization."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.config.load import load_config
from newsletter.config.models import Config
from newsletter.posts.read_issue import read_issue
from newsletter.render.email import Email
from newsletter.render.issue import render_issue
from newsletter.render.template.loader import Templates, load_templates

ROOT = Path(__file__).parents[2]
ISSUES = (
    ROOT / "issues" / "2026-11-15-coffee-on-the-quay",
    ROOT / "issues" / "2026-11-22-reading-the-tide",
    Path(__file__).parent / "2026-11-30-from-the-quay",
)


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(ROOT / "newsletter.yml", {})


@pytest.fixture(scope="module")
def templates() -> Templates:
    return load_templates(ROOT / "templates")


@pytest.fixture(scope="module", params=ISSUES, ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture(scope="module")
def email(folder: Path, config: Config, templates: Templates) -> Email:
    return render_issue(read_issue(folder, config), templates, config)


def break_lines(html: str) -> str:
    """Return ``html`` with a line break inside adjacent tags, for readable diffs.

    The page is the same to a browser, and no other break precedes a ``>``: nothing is lost.
    """
    return re.sub(r"(?<![-\]])><", "\n><", html)


def test_email_matches_the_golden_file(email: Email, golden: Callable[[str, str], None]) -> None:
    golden(f"{email.issue}.html", break_lines(email.html))
    golden(f"{email.issue}.txt", email.text)


def test_rendering_again_gives_the_same_email(
    folder: Path, email: Email, config: Config, templates: Templates
) -> None:
    again = render_issue(read_issue(folder, config), templates, config)
    assert again == email


def test_outlook_comments_are_balanced(email: Email) -> None:
    assert email.html.count("<!--[if") == email.html.count("<![endif]-->") > 5


def test_email_is_below_the_gmail_clip_limit(email: Email) -> None:
    assert len(email.html.encode()) < 0.9 * 102 * 1024


def test_email_has_no_template_leftovers(email: Email) -> None:
    for trace in ("{{", "{%", "<mj-", "data-premailer", "\ufdd0"):
        assert trace not in email.html
        assert trace not in email.text
