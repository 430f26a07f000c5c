"""Whole emails of the sample issues, as they are before a reader's own words are filled in."""

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
ISSUES = ("2026-11-15-coffee-on-the-quay", "2026-11-22-reading-the-tide")


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(ROOT / "newsletter.yml", {})


@pytest.fixture(scope="module")
def templates() -> Templates:
    return load_templates(ROOT / "templates")


@pytest.fixture(scope="module", params=ISSUES)
def email(request: pytest.FixtureRequest, config: Config, templates: Templates) -> Email:
    return render_issue(read_issue(ROOT / "issues" / request.param, config), templates, config)


def in_lines(html: str) -> str:
    """``html`` with a line break inside each tag that touches the next: a diff can be read.

    To a browser the page is the same, and no other break stands before a ``>``: nothing is lost.
    """
    return re.sub(r"(?<![-\]])><", "\n><", html)


def test_the_email_is_byte_for_byte_what_it_was(
    email: Email, golden: Callable[[str, str], None]
) -> None:
    golden(f"{email.issue}.html", in_lines(email.html))
    golden(f"{email.issue}.txt", email.text)


def test_it_is_the_same_when_rendered_again(
    email: Email, config: Config, templates: Templates
) -> None:
    again = render_issue(read_issue(ROOT / "issues" / email.issue, config), templates, config)
    assert again == email


def test_outlooks_comments_are_balanced(email: Email) -> None:
    assert email.html.count("<!--[if") == email.html.count("<![endif]-->") > 5


def test_gmail_shows_all_of_it(email: Email) -> None:
    assert len(email.html.encode()) < 0.9 * 102 * 1024


def test_nothing_in_it_is_left_of_the_way_it_was_made(email: Email) -> None:
    for trace in ("{{", "{%", "<mj-", "data-premailer", "\ufdd0"):
        assert trace not in email.html
        assert trace not in email.text
