"""The blocks of docs/reference/issues.md become what the page says."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.config.models import Config
from newsletter.posts.html.markdown import render_markdown
from newsletter.posts.html.sanitize import sanitize_html
from newsletter.posts.issue import Issue
from newsletter.render.article.build import build_article

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "issues.md"
BLOCK = re.compile(
    r"^### (?P<name>[^\n]*)\n(?:(?!^###).)*?^(?P<fence>`{3,})\w+\n(?P<source>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
# What the HTML of each block has in it.
EXPECTED = {
    "Headings": ['<h2 id="four-numbers-a-day">'],
    "Emphasis and inline code": ["<em>", "<strong>", "<mark>", "<code>"],
    "Links": ['<a href="https://harbournotes.example/issues/knots">'],
    "Lists and tasks": ["<ol>", "<ul>", "☑", "☐"],
    "Definitions": ["<dl>", "<dt>", "<dd>"],
    "Quotations": ["<blockquote>"],
    "Callouts": ["callout callout-note", "Heights"],
    "Pull quotes": ['<blockquote class="pullquote">', 'class="pullquote-source"'],
    "Sponsors": ['class="sponsor-label">Sponsor · ', 'class="button-row"'],
    "Invitations to reply": ["smell of?", 'href="mailto:editor@harbournotes.example?subject=Re'],
    "Buttons in the text": ['class="inline-button">Open the tables</a></td>'],
    "Images": ["boat.jpg", 'class="caption"', "The quay at six."],
    "Galleries": ['class="gallery"'],
    "Tables": ["<table", "text-align:right"],
    "Code": ["<strong>tide.py</strong>", "<pre"],
    "Video, audio and embeds": ['class="embed"', "Slack water", "slack.jpg"],
    "Details": ['class="details"', "Nobody knows."],
    "Footnotes": ['class="footnotes"', "footnote-backref"],
    "A line between two parts": ["<hr"],
    "Merge tags": ["Good morning"],
    "Attributes": ['class="small"'],
}
EXAMPLES = {match["name"]: match["source"] for match in BLOCK.finditer(PAGE.read_text())}


def test_every_block_of_the_page_has_an_example() -> None:
    headings = re.findall(r"^### (.*)$", PAGE.read_text(), re.MULTILINE)
    assert list(EXAMPLES) == headings == list(EXPECTED)


def test_every_block_of_the_page_has_a_picture() -> None:
    sections = re.split("^### ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    pictures = [re.findall(r"^!\[.+\]\((\.\.\S+)\)$", text, re.MULTILINE) for text in sections]
    assert [len(found) for found in pictures] == [1] * len(EXAMPLES)
    named = {(PAGE.parent / path).resolve() for (path,) in pictures}
    files = set((PAGE.parents[1] / "images" / "blocks").iterdir())
    assert named == files  # taken by scripts/block_pictures.py
    assert sum(file.stat().st_size for file in files) < 600_000


@pytest.mark.parametrize("name", EXPECTED)
def test_example_becomes_the_block(
    name: str, make_issue: Callable[..., Issue], make_config: Callable[..., Config]
) -> None:
    html = sanitize_html(render_markdown(EXAMPLES[name]))
    article = build_article(make_issue(html), make_config())
    assert [part for part in EXPECTED[name] if part not in article.html] == []
