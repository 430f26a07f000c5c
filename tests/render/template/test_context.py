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
from newsletter.render.template.card_views import (
    CardView,
    DigestPostView,
    DigestSectionView,
    PictureView,
)
from newsletter.render.template.context import (
    AuthorView,
    IssueView,
    NewsletterView,
    SubscriberView,
    build_template_context,
    list_template_names,
)
from newsletter.render.words import load_shipped_words

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "templates.md"

MakeIssue = Callable[..., Issue]
MakeConfig = Callable[..., Config]


def make_view(issue: Issue, config: Config) -> IssueView:
    context = build_template_context(
        issue, build_article(issue, config), config, MergeTagRegistry({})
    )
    issue_view: IssueView = context["issue"]
    return issue_view


def test_templates_page_documents_every_name(
    make_issue: MakeIssue, make_config: MakeConfig
) -> None:
    issue, config = make_issue(), make_config()
    context = build_template_context(
        issue, build_article(issue, config), config, MergeTagRegistry({})
    )
    text = re.sub(r"^```.*?^```$", "", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    documented = set(re.findall(r"\b\w+\b", " ".join(re.findall(r"`([^`]+)`", text))))
    cards = (CardView, DigestPostView, DigestSectionView)
    views = (IssueView, NewsletterView, AuthorView, *cards, PictureView)
    names = {field.name for view_class in views for field in fields(view_class)}
    assert names | set(context) | set(load_shipped_words("en", "issue")) <= documented


def test_local_images_have_published_url_and_size(
    make_issue: MakeIssue, make_config: MakeConfig
) -> None:
    boat = FrontMatterImage("boat.jpg", "A boat", "Ours")
    issue = make_issue(
        hero=boat,
        author=Author("Ingrid", picture=FrontMatterImage("https://cdn.example/i.jpg")),
        further=(FurtherReadingCard("Knots", "/knots", picture=boat),),
        post={"images": {"boat.jpg": LocalImage("boat.jpg", 1200, 800, 9)}},
    )
    issue_view = make_view(issue, make_config(image_url="https://cdn.example/{slug}/{file}"))
    published = PictureView("https://cdn.example/the-tide/boat.jpg", "A boat", "Ours", 1200, 800)
    assert issue_view.hero == issue_view.further[0].picture == published
    assert issue_view.author
    assert issue_view.author.picture == PictureView("https://cdn.example/i.jpg", "", "", 0, 0)


def test_button_or_image_with_an_unusable_url_is_left_out(
    make_issue: MakeIssue, make_config: MakeConfig
) -> None:
    issue_view = make_view(
        make_issue(
            button=CallToAction("Go", "javascript:alert(1)"),
            hero=FrontMatterImage("data:image/png,x"),
        ),
        make_config(),
    )
    assert issue_view.button is None
    assert issue_view.hero is None


def test_front_matter_has_html_tokens_and_urls_have_url_tokens(
    make_issue: MakeIssue, make_config: MakeConfig
) -> None:
    issue_view = make_view(
        make_issue(
            subject="-nl0t-",
            button=CallToAction("-nl0t-", "https://a.example/-nl0u-"),
            post={"title": "-nl0t-"},
        ),
        make_config(),
    )
    assert (issue_view.title, issue_view.subject) == ("-nl0h-", "-nl0h-")
    assert issue_view.button == CallToAction("-nl0h-", "https://a.example/-nl0u-")


@pytest.mark.parametrize("use", [str, bool, len, list, lambda value: value == "x"])
def test_merge_value_can_only_be_printed(use: Callable[[object], object]) -> None:
    with pytest.raises(TemplateError, match=r"subscriber\.name differs for each reader"):
        use(SubscriberView(MergeTagRegistry({})).name)


def test_theme_settings_are_suggested(make_config: MakeConfig) -> None:
    assert "width" in list_template_names(make_config().theme)
    assert list_template_names({"a": 1}) == ["a"]
