"""Metadata of a page: JSON-LD first, then Open Graph, meta and elements."""

import datetime

import pytest

from newsletter.posts.extracted_article import ExtractedArticle
from newsletter.posts.html.extract_article import extract_article

OTHERS = (
    '<meta property="og:title" content="OG"><meta property="og:description" content="OG text">'
    '<meta property="article:published_time" content="2026-11-02"><meta name="author" content="M">'
    '<meta property="og:image" content="/og.png"><meta property="og:image:alt" content="Quay">'
    "<title>Title</title>"
)


def extract(json_ld: str, body: str = "<main><p>x</p></main>") -> ExtractedArticle:
    script = f'<script type="application/ld+json">{json_ld}</script>'
    return extract_article(f"<html><head>{OTHERS}{script}</head><body>{body}</body></html>", "p")


def test_json_ld_comes_first() -> None:
    page = extract(
        '{"@type": ["NewsArticle"], "headline": "Tide &amp; fog", "description": "Text",'
        '"datePublished": "2026-11-01T10:00:00+01:00", "image": {"url": "/ld.png"},'
        '"author": [{"name": "Ada"}, "Bo", {"name": "Ada"}], "keywords": "tide, fog"}'
    )
    assert (page.title, page.description, page.author) == ("Tide & fog", "Text", "Ada, Bo")
    assert (page.date, page.image, page.image_alt) == (datetime.date(2026, 11, 1), "/ld.png", "")
    assert page.published == "2026-11-01T10:00:00+01:00"
    assert page.tags == ("tide", "fog")


@pytest.mark.parametrize(
    "json_ld",
    ["", "{", "3", '"Article"', "[null]", '{"@type": "WebSite", "name": "Site"}', "[" * 5_000],
)
def test_page_without_an_article_in_json_ld_has_its_other_metadata(json_ld: str) -> None:
    page = extract(json_ld)
    assert (page.title, page.description, page.author) == ("OG", "OG text", "M")
    assert (page.date, page.image, page.image_alt) == (
        datetime.date(2026, 11, 2),
        "/og.png",
        "Quay",
    )


@pytest.mark.parametrize(
    "json_ld",
    [
        '{"@type": "Article", "headline": "Tide", "author": {"name": "Ada"},}',
        '<!-- {"@type": "Article", "headline": "Tide", "author": "Ada"} -->',
        '//<![CDATA[\n{"@type": "Article", "headline": "Tide", "author": "Ada"}\n//]]>',
        '{"@type": "Article", "headline": "Ti\nde", "author": "Ada"};',
        '[[{"@type": "BlogPosting", "headline": "Tide", "author": ["https://a.example", "Ada"]}]]',
        (
            '{"@type": "WebPage", "mainEntity": {"@type": "Article", "headline": "Tide",'
            '"author": {"name": ["Ada"]}}}'
        ),
        (
            '{"@graph": [{"@type": "Person", "@id": "#a", "name": "Ada"}, {"@type": "Article",'
            '"headline": "Tide", "author": {"@id": "#a"}}]}'
        ),
    ],
)  # fmt: skip
def test_json_ld_is_read_in_each_form(json_ld: str) -> None:
    page = extract(json_ld)
    assert (page.title.replace("Ti de", "Tide"), page.author) == ("Tide", "Ada")


@pytest.mark.parametrize(
    ("head", "body", "title"),
    [
        ("<title>A - B | Notes</title>", "<h1>Notes</h1><main>x</main>", "A - B"),
        ("<title>Notes</title>", "<h1>A</h1><main>x</main>", "A"),
        ("<title>A</title>", "<h1>B</h1><h1>C</h1><main>x</main>", "A"),
        ('<meta property="og:title" content="A · Notes">', "<main><h2>B</h2></main>", "A"),
        ('<meta property="og:title" content="A">', "<main><h1>B</h1></main>", "B"),
    ],
)
def test_title_is_without_the_name_of_the_site(head: str, body: str, title: str) -> None:
    site = '<meta property="og:site_name" content="Notes">'
    assert extract_article(f"<head>{site}{head}</head><body>{body}</body>", "p").title == title
