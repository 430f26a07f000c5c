"""Ids of headings, as GitHub makes them."""

from collections.abc import Callable

import pytest
from lxml import etree

from newsletter.config.models import Config
from newsletter.posts.html.markdown import render_markdown
from newsletter.posts.html.sanitize import sanitize_html
from newsletter.posts.issue import Issue
from newsletter.render.article.build import build_article
from newsletter.render.article.headings import make_heading_id


@pytest.mark.parametrize(
    ("text", "heading_id"),
    [
        ("The second part", "the-second-part"),
        ("What's new? (In 2026)", "whats-new-in-2026"),
        ("a - b", "a---b"),
        ("snake_case and kebab-case", "snake_case-and-kebab-case"),
        ("Über die Brücke", "über-die-brücke"),
        ("हिन्दी में", "हिन्दी-में"),
        ("潮の時間", "潮の時間"),
        ("⚓ Anchors", "anchors"),
        ("Dear -nl0h-, hello", "dear--hello"),
        ("?!", ""),
    ],
)
def test_id_of_a_heading(text: str, heading_id: str) -> None:
    assert make_heading_id(text) == heading_id


@pytest.mark.parametrize(
    ("markdown", "ids"),
    [
        ("## Tide\n\n## Tide\n\n### Tide", ["tide", "tide-1", "tide-2"]),
        ("{#own}\n## A\n\n## B", ["own", "b"]),
        ('<h2 id="b">A</h2>\n\n## B', ["b", "b-1"]),
        ("## A `code` and *more*", ["a-code-and-more"]),
        ("## ?!", [None]),
    ],
)
def test_every_heading_has_its_own_id(
    markdown: str,
    ids: list[str | None],
    make_issue: Callable[..., Issue],
    make_config: Callable[..., Config],
) -> None:
    body = sanitize_html(render_markdown(markdown))
    html = build_article(make_issue(body), make_config()).html
    headings = etree.HTML(html).iter("h2", "h3")
    assert [heading.get("id") for heading in headings] == ids


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("#second-part", "#second-part"),
        ("#Second-Part", "#second-part"),
        ("#user-content-second-part", "#second-part"),
        ("#%C3%BCber", "#%C3%BCber"),
        ("#second--part", "#second-part"),
        ("#what-s-next", "#whats-next"),
        ("#one-two", "https://harbournotes.example/#one-two"),  # two headings could be meant
        ("#third-part", "https://harbournotes.example/#third-part"),
    ],
)
def test_links_to_headings_work_in_the_email(
    href: str, expected: str, make_issue: Callable[..., Issue], make_config: Callable[..., Config]
) -> None:
    body = f'<p><a href="{href}">x</a></p><h2>Second part</h2><h2>Über</h2>'
    body += "<h2>What's next?</h2><h2 id='o-netwo'>1</h2><h2 id='onet-wo'>2</h2>"
    assert f'<a href="{expected}">' in build_article(make_issue(body), make_config()).html
