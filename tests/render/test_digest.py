"""An email of several posts: their cards in every design, the text part, what is lost."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lxml.html
import pytest

from newsletter.checks.analysis.article_similarity import make_article_text
from newsletter.config.models import Config
from newsletter.errors import TemplateError
from newsletter.posts.content_loss.inventory import take_inventory
from newsletter.posts.issue import CallToAction, DigestPost, FrontMatterImage, Issue
from newsletter.render.article.build import build_article
from newsletter.render.clip_size import GMAIL_CLIP_BYTES
from newsletter.render.issue import render_issue
from newsletter.render.lost_content import find_lost_content
from newsletter.render.template.loader import Templates, load_templates

ROOT = Path(__file__).parents[2]
BUOY = FrontMatterImage("https://cdn.example/buoy.jpg", "A buoy")
POSTS = (
    DigestPost(
        "Knots & bends", "https://a.example/knots?a=1&b=2", "Three <hold> fast.", BUOY, 3, "Boats"
    ),
    DigestPost("Tides", "https://a.example/tides", "They are wrong.", minutes=6),
    DigestPost("Nets", "https://a.example/nets", section="People"),
    DigestPost("Berths", "https://a.example/berths", "Dear.", section="Boats"),
)
SOURCE = (
    "---\ndigest:\n- title: Knots & bends\n- title: Tides\n- title: Nets\n- title: Berths\n---\n"
)

MakeIssue = Callable[..., Issue]
MakeConfig = Callable[..., Config]
MakeTemplates = Callable[..., Templates]


@pytest.fixture(scope="module")
def templates() -> Templates:
    return load_templates(ROOT / "templates")


@pytest.mark.parametrize("design", ["issue", "magazine", "plain"])
def test_every_design_shows_the_cards_by_section(
    make_issue: MakeIssue, make_config: MakeConfig, templates: Templates, design: str
) -> None:
    issue = make_issue(digest=POSTS, template=design, source=SOURCE)
    email = render_issue(issue, templates, make_config())
    root: Any = lxml.html.document_fromstring(email.html)
    titles = [element.text_content() for element in root.iter("h2", "h3")]
    assert titles == ["Tides", "Boats", "Knots & bends", "Berths", "People", "Nets"]
    (picture,) = (image for image in root.iter("img") if image.get("src") == BUOY.src)
    assert picture.get("alt") == "A buoy"
    assert picture.getparent().get("href") == POSTS[0].url
    text = root.text_content()
    assert "Three <hold> fast." in text
    assert "6 min read →" in text
    assert "0 min read" not in text
    # Each color that is inlined has its twin in the dark scheme.
    for part in (".digest-section h2", ".digest-story p", ".digest-story h3 a", ".digest-more a"):
        assert email.html.count(part) >= 2
    article = build_article(issue, make_config())
    assert not find_lost_content(take_inventory("Low water.", "text"), issue, article, email=email)


def test_the_text_part_lists_title_time_excerpt_and_url(
    make_issue: MakeIssue, make_config: MakeConfig, templates: Templates
) -> None:
    issue = make_issue(digest=POSTS, button=CallToAction("All", "https://a.example/all"))
    text = render_issue(issue, templates, make_config()).text
    assert (
        "Low water.\n\n\n"
        "Tides\n6 min read\nThey are wrong.\nhttps://a.example/tides\n\n\n"
        "Boats\n-----\n\n"
        "Knots & bends\n3 min read\nThree <hold> fast.\nhttps://a.example/knots?a=1&b=2\n\n"
        "Berths\nDear.\nhttps://a.example/berths\n\n\n"
        "People\n------\n\nNets\nhttps://a.example/nets\n\n\n"
        "All:\nhttps://a.example/all\n\n\n---"
    ) in text


def test_twelve_long_cards_are_not_clipped(
    make_issue: MakeIssue, make_config: MakeConfig, templates: Templates
) -> None:
    posts = [replace(POSTS[0], title="A long title " * 7, excerpt="And a sentence. " * 20)] * 12
    for design in ("issue", "magazine", "plain"):
        issue = make_issue(digest=tuple(posts), template=design)
        email = render_issue(issue, templates, make_config())
        assert len(email.html.encode()) < 0.8 * GMAIL_CLIP_BYTES


def test_a_right_to_left_digest_points_to_the_left(
    make_issue: MakeIssue, make_config: MakeConfig, templates: Templates
) -> None:
    issue = make_issue(digest=POSTS, post={"language": "ar"})
    html = render_issue(issue, templates, make_config()).html
    assert "←" in html
    assert "→" not in html


def test_a_picture_without_a_text_has_that_of_its_link(
    make_issue: MakeIssue, make_config: MakeConfig, templates: Templates
) -> None:
    issue = make_issue(digest=(replace(POSTS[0], picture=replace(BUOY, alt="")),))
    assert 'alt="Knots &amp; bends"' in render_issue(issue, templates, make_config()).html


def test_a_template_that_does_not_know_digests_is_refused(
    make_issue: MakeIssue, make_config: MakeConfig, make_templates: MakeTemplates
) -> None:
    with pytest.raises(TemplateError, match="doesn't show the posts of a digest") as caught:
        render_issue(make_issue(digest=POSTS), make_templates(), make_config())
    assert "digest.mjml" in caught.value.problems[0].remedy


def test_what_a_card_leaves_out_is_lost(
    make_issue: MakeIssue, make_config: MakeConfig, templates: Templates
) -> None:
    card = templates.files["digest.mjml"].replace("{{ post.excerpt }}", "").replace("<img", "<b")
    own = Templates("templates", {**templates.files, "digest.mjml": card})
    issue = make_issue(digest=POSTS, source=SOURCE)
    config = make_config()
    losses = find_lost_content(
        take_inventory("Low water.", "text"),
        issue,
        build_article(issue, config),
        email=render_issue(issue, own, config),
    )
    assert [(loss.kind, loss.line, loss.text) for loss in losses] == [
        ("paragraph", 3, "Three <hold> fast"),
        ("image", 3, BUOY.src),
        ("paragraph", 4, "They are wrong"),
        ("paragraph", 6, "Dear"),
    ]


def test_the_posts_are_part_of_the_article_that_is_compared(
    make_issue: MakeIssue, make_config: MakeConfig, templates: Templates
) -> None:
    issue = make_issue(digest=POSTS)
    article = build_article(issue, make_config())
    compared = make_article_text(article, render_issue(issue, templates, make_config()))
    assert "Three <hold> fast." in compared.text
    assert (
        article.word_count
        == len("Low water. Knots bends Three hold fast Tides They are wrong".split()) + 3
    )
