"""Render the welcome email: Markdown in the frame of emails to one reader.

The same chain as for an issue, with the one reader's values filled in. Pure.
"""

import html
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from newsletter.config.models import Config
from newsletter.posts.html.callouts import DEFAULT_LATEST_COUNT, LATEST_CLASS
from newsletter.posts.issue import CallToAction, Issue
from newsletter.posts.merge_tags.tags import MergeTagRegistry
from newsletter.posts.post import Post
from newsletter.posts.read_welcome import WELCOME_FILE, make_welcome_issue
from newsletter.render.email import Email, NamedAddress
from newsletter.render.issue import build_issue_article
from newsletter.render.latest_issues import FindLatestIssues, find_no_issues, insert_latest_issues
from newsletter.render.mjml.compile import insert_article
from newsletter.render.personalization import ARTICLE_MARKER, personalize
from newsletter.render.template.compile import (
    compile_template,
    inline_styles,
    load_template_words,
)
from newsletter.render.template.context import build_template_context
from newsletter.render.template.loader import Templates
from newsletter.render.transactional import (
    TRANSACTIONAL_HEADERS,
    TransactionalContent,
    render_transactional_text,
)

WELCOME_TEMPLATE = "partials/welcome.mjml"


@dataclass(frozen=True, slots=True)
class WelcomedReader:
    """Whom a welcome email is for, and what there is to read.

    Attributes:
        attributes: the reader's values for merge tags.
        find_latest: finds the latest issues.
    """

    attributes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    find_latest: FindLatestIssues = find_no_issues


def render_welcome(
    welcome: Issue,
    content: TransactionalContent,
    reader: WelcomedReader,
    templates: Templates,
    config: Config,
) -> Email:
    """Return the welcome email for one reader.

    Args:
        welcome: its text, from ``read_welcome`` or ``make_default_welcome``.
        content: the reader's own links.
        reader: whom it is for.
        templates: the folder with ``WELCOME_TEMPLATE``.
        config: the settings.

    Raises:
        TemplateError: the template is wrong; all problems of one pass.
        RenderError: the article can't be rendered.
    """
    post = welcome.post
    body = insert_latest_issues(post.body, reader.find_latest, post.language)
    issue = replace(welcome, post=replace(post, body=body))
    article = build_issue_article(issue, templates, config)
    registry = MergeTagRegistry(config.attributes, issue.merge_tags)
    context = {
        **build_template_context(issue, article, config, registry),
        "letter": content,
        "view_online_url": "",
    }
    context["words"] = load_template_words(templates, context, "email")
    compiled = compile_template(WELCOME_TEMPLATE, templates, context)
    compiled = replace(compiled, html=insert_article(compiled.html, ARTICLE_MARKER, article.html))
    email = Email(
        issue=content.kind,
        subject=issue.subject,
        preheader=issue.preheader,
        html=inline_styles(compiled, WELCOME_TEMPLATE, templates, context),
        text=render_transactional_text(compiled.html),
        sender=NamedAddress(config.sender.name, config.sender.address),
        reply_to=NamedAddress("", config.sender.reply_to) if config.sender.reply_to else None,
        headers=TRANSACTIONAL_HEADERS,
        merge_tags=registry.merge_tags,
        language=post.language,
        view_online_url="",
    )
    return personalize(
        email,
        reader.attributes,
        unsubscribe_link=content.unsubscribe_url,
        preferences_link=content.preferences_url,
    )


def make_default_welcome(words: Mapping[str, str], config: Config, language: str) -> Issue:
    """Return the welcome email of a newsletter that has not written its own.

    Args:
        words: the words of emails to one reader, in that language.
        config: the settings.
        language: the reader's.
    """
    greeting = words["welcome"].replace("{name}", config.name)
    paragraphs = [greeting, *([config.description] if config.description else [])]
    text = "".join(f"<p>{html.escape(paragraph)}</p>" for paragraph in paragraphs)
    latest = (
        f'<div class="{LATEST_CLASS} {LATEST_CLASS}-{DEFAULT_LATEST_COUNT}">'
        f"<h2>{html.escape(words['welcome_latest'])}</h2></div>"
    )
    return make_welcome_issue(
        Post(title=words["welcome_title"], body=text + latest, language=language),
        Path(WELCOME_FILE),
        subject=words["welcome_subject"].replace("{name}", config.name),
        preheader=greeting,
        button=CallToAction(words["welcome_button"], config.site_url),
    )
