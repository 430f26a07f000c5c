"""Fixtures: an issue, a configuration and small templates, without files."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from newsletter.config.models import Config, SenderSettings
from newsletter.posts.issue import Issue
from newsletter.posts.post import Post
from newsletter.render.template.loader import Templates

PAGE = """\
<mjml lang="{{ lang }}" dir="{{ dir }}">
<mj-head>
<mj-title>{{ issue.title }}</mj-title>
</mj-head>
<mj-body>
<mj-section><mj-column>
<mj-text css-class="article">{{ article }}</mj-text>
<mj-text><a href="{{ unsubscribe_url }}">Leave</a>
<a href="{{ view_online_url }}">Online</a></mj-text>
</mj-column></mj-section>
</mj-body>
</mjml>
"""

MakeTemplates = Callable[..., Templates]
MakeIssue = Callable[..., Issue]
MakeConfig = Callable[..., Config]


@pytest.fixture
def make_templates() -> MakeTemplates:
    """Return a factory: ``make_templates("<mjml>…", css="…", more={"partials/a.mjml": "…"})``."""

    def make(page: str = PAGE, css: str = "", more: dict[str, str] | None = None) -> Templates:
        files = {"issue.mjml": page, "article.css": css, **(more or {})}
        return Templates("templates", MappingProxyType(files))

    return make


@pytest.fixture(scope="session")
def make_issue() -> MakeIssue:
    """Return a factory: ``make_issue("<p>body</p>", subject="…", post={"title": "…"})``."""

    def make(body: str = "<p>Low water.</p>", **changes: Any) -> Issue:
        post = Post(**{"title": "The tide", "body": body, **changes.pop("post", {})})
        minimal = Issue(
            name="2026-11-22-the-tide",
            slug="the-tide",
            source_path=Path("issues/2026-11-22-the-tide/post.md"),
            source="",
            post=post,
            subject="The tide",
            preheader="",
            number=None,
            draft=False,
            sender_name="",
            reply_to="",
            template="",
            hero=None,
            author=None,
            button=None,
            further=(),
            merge_tags=(),
            front_matter_lines={},
        )
        return replace(minimal, **changes)

    return make


@pytest.fixture
def make_config() -> MakeConfig:
    """Return a factory of a minimal configuration with the given settings."""

    def make(**settings: Any) -> Config:
        return Config(
            **{
                "name": "Harbour Notes",
                "sender": SenderSettings(
                    name="Harbour Notes", address="editor@harbournotes.example"
                ),
                "site_url": "https://harbournotes.example",
                "postal_address": "1 Quay Street, Bergen",
                **settings,
            }
        )

    return make
