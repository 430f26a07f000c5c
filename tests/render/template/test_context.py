import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from newsletter.config.models import Config
from newsletter.errors import TemplateError
from newsletter.posts.issue import Author, CallToAction, FrontMatterImage, FurtherReadingCard, Issue
from newsletter.posts.merge_tags.tags import MergeTagRegistry
from newsletter.posts.post import LocalImage
from newsletter.render.article.build import build_article
from newsletter.render.template.context import (
    AuthorView,
    CardView,
    IssueView,
    NewsletterView,
    PictureView,
    SubscriberView,
    build_template_context,
    list_template_names,
)
from newsletter.render.text.layout import DEFAULT_LABELS

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "templates.md"

IssueOf = Callable[..., Issue]
ConfigOf = Callable[..., Config]


def view(issue: Issue, config: Config) -> IssueView:
    context = build_template_context(
        issue, build_article(issue, config), config, MergeTagRegistry({})
    )
    seen: IssueView = context["issue"]
    return seen


def test_the_page_for_designers_names_all_that_a_template_can(
    issue_of: IssueOf, config_of: ConfigOf
) -> None:
    issue, config = issue_of(), config_of()
    context = build_template_context(
        issue, build_article(issue, config), config, MergeTagRegistry({})
    )
    told = set(re.findall(r"\b\w+\b", " ".join(re.findall(r"`([^`]+)`", PAGE.read_text()))))
    views = (IssueView, NewsletterView, AuthorView, CardView, PictureView)
    names = {field.name for seen in views for field in fields(seen)}
    assert names | set(context) | set(DEFAULT_LABELS) <= told


def test_local_pictures_have_their_published_address_and_size(
    issue_of: IssueOf, config_of: ConfigOf
) -> None:
    boat = FrontMatterImage("boat.jpg", "A boat", "Ours")
    issue = issue_of(
        hero=boat,
        author=Author("Ingrid", picture=FrontMatterImage("https://cdn.example/i.jpg")),
        further=(FurtherReadingCard("Knots", "/knots", picture=boat),),
        post={"images": {"boat.jpg": LocalImage("boat.jpg", 1200, 800, 9)}},
    )
    seen = view(issue, config_of(image_url="https://cdn.example/{slug}/{file}"))
    published = PictureView("https://cdn.example/the-tide/boat.jpg", "A boat", "Ours", 1200, 800)
    assert seen.hero == seen.further[0].picture == published
    assert seen.author
    assert seen.author.picture == PictureView("https://cdn.example/i.jpg", "", "", 0, 0)


def test_a_button_or_picture_that_leads_nowhere_is_left_out(
    issue_of: IssueOf, config_of: ConfigOf
) -> None:
    seen = view(
        issue_of(
            button=CallToAction("Go", "javascript:alert(1)"),
            hero=FrontMatterImage("data:image/png,x"),
        ),
        config_of(),
    )
    assert seen.button is None
    assert seen.hero is None


def test_front_matter_gets_html_tokens_and_addresses_keep_theirs(
    issue_of: IssueOf, config_of: ConfigOf
) -> None:
    seen = view(
        issue_of(
            subject="-nl0t-",
            button=CallToAction("-nl0t-", "https://a.example/-nl0u-"),
            post={"title": "-nl0t-"},
        ),
        config_of(),
    )
    assert (seen.title, seen.subject) == ("-nl0h-", "-nl0h-")
    assert seen.button == CallToAction("-nl0h-", "https://a.example/-nl0u-")


@pytest.mark.parametrize("use", [str, bool, len, list, lambda value: value == "x"])
def test_what_differs_by_reader_cannot_be_looked_at(use: Callable[[object], object]) -> None:
    with pytest.raises(TemplateError, match=r"subscriber\.name differs from reader to reader"):
        use(SubscriberView(MergeTagRegistry({})).name)


def test_a_setting_of_the_theme_is_suggested_too(config_of: ConfigOf) -> None:
    assert "width" in list_template_names(config_of().theme)
    assert list_template_names({"a": 1}) == ["a"]
