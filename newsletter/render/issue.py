"""Render an issue into an Email: the whole chain, in order.

Pure: no clock, no network, no files.
"""

import re
from dataclasses import replace
from difflib import get_close_matches

from markupsafe import escape

from newsletter.config.models import Config
from newsletter.errors import Location, TemplateError, display_path
from newsletter.posts.issue import CallToAction, Issue
from newsletter.posts.merge_tags.tags import (
    PREFERENCES_TAG,
    UNSUBSCRIBE_TAG,
    MergeTagRegistry,
    TokenTarget,
)
from newsletter.render.article.blocks import BUTTON_CLASS
from newsletter.render.article.build import Article, build_article
from newsletter.render.article.dark_images import add_dark_images, build_dark_urls
from newsletter.render.email import Email, NamedAddress
from newsletter.render.headers import build_common_headers
from newsletter.render.mjml.compile import insert_article
from newsletter.render.personalization import (
    ARTICLE_MARKER,
    FOOTNOTES_MARKER,
    filter_used_tags,
    unify_link_tokens,
)
from newsletter.render.template.compile import compile_template, inline_styles, load_template_words
from newsletter.render.template.context import build_template_context
from newsletter.render.template.jinja_env import TemplateContext
from newsletter.render.template.loader import Templates
from newsletter.render.text.article import render_article_text
from newsletter.render.text.layout import render_text_part
from newsletter.render.words import load_words

# SendGrid's own tags for an unsubscribe group ("Unsubscribe Groups", Twilio SendGrid docs).
SENDGRID_TAGS = {
    UNSUBSCRIBE_TAG: "<%asm_group_unsubscribe_raw_url%>",
    PREFERENCES_TAG: "<%asm_preferences_raw_url%>",
}
_TARGETS: tuple[TokenTarget, ...] = ("html", "text", "url")
_UNSUBSCRIBE_LINK = re.compile(r"""href=["']-nlunsubscribe[hu]-["']""")


def build_issue_article(issue: Issue, templates: Templates, config: Config) -> Article:
    """Return the article of an issue, its callouts named in the project's words.

    Raises:
        TemplateError: the project's own words are wrong.
    """
    lang = issue.post.language or config.language
    return build_article(issue, config, load_words(templates.own_words, lang, "article"))


def render_issue(
    issue: Issue, templates: Templates, config: Config, *, article: Article | None = None
) -> Email:
    """Return the email for an issue's recipients, with its merge tokens.

    The same arguments give the same bytes.

    Args:
        issue: the issue.
        templates: the templates folder.
        config: the settings.
        article: the issue's article, if it is built already.

    Raises:
        TemplateError: a template is wrong; all problems of one pass, each with file and line.
        RenderError: the article can't be rendered.
    """
    registry = MergeTagRegistry(config.attributes, issue.merge_tags)
    name = _find_template(issue, templates, config)
    article = article or build_issue_article(issue, templates, config)
    context = build_template_context(issue, article, config, registry)
    context["words"] = load_template_words(templates, context, "issue")
    html = _render_html(article, name, templates, context)
    html = add_dark_images(html, build_dark_urls(issue, config))
    # A digest has its button below its posts.
    button = None if issue.digest else context["issue"].button
    text_html = _insert_button(article, button)
    text = render_text_part(render_article_text(text_html, links=config.text_links), context)
    if issue.digest and not templates.shows_digest(name):
        raise TemplateError(
            "the template doesn't show the posts of a digest",
            where=templates.locate(name),
            remedy='Put {% include "digest.mjml" %} below its {{ article }}. digest.mjml is in the '
            "templates folder of a new newsletter: newsletter init DIR",
        )
    if not _UNSUBSCRIBE_LINK.search(html):
        raise TemplateError(
            "the template has no unsubscribe link",
            where=templates.locate(name),
            remedy='Put <a href="{{ unsubscribe_url }}">Unsubscribe</a> into its footer.',
        )
    if config.sendgrid.asm_group and not config.public_url:
        html, text = _use_provider_links(html), _use_provider_links(text)
    html, text = unify_link_tokens(html), unify_link_tokens(text)
    return Email(
        issue=issue.name,
        subject=issue.subject,
        preheader=issue.preheader,
        html=html,
        text=text,
        sender=NamedAddress(issue.sender_name or config.sender.name, config.sender.address),
        reply_to=_get_reply_to(issue, config),
        headers=build_common_headers(issue, config),
        merge_tags=filter_used_tags(
            (*registry.merge_tags, UNSUBSCRIBE_TAG, PREFERENCES_TAG),
            issue.subject,
            issue.preheader,
            html,
            text,
        ),
        language=context["lang"],
        view_online_url=context["view_online_url"],
    )


def _render_html(
    article: Article, name: str, templates: Templates, context: TemplateContext
) -> str:
    compiled = compile_template(name, templates, context)
    document, body = compiled.html, article.html
    if FOOTNOTES_MARKER in document:
        document = insert_article(document, FOOTNOTES_MARKER, article.footnotes)
        body = body.removesuffix(article.footnotes)
    document = insert_article(document, ARTICLE_MARKER, body)
    return inline_styles(replace(compiled, html=document), name, templates, context)


def _insert_button(article: Article, button: CallToAction | None) -> str:
    """Return the article's HTML for the text part, with its button before its footnotes."""
    if button is None:
        return article.html
    link = f'<a class="{BUTTON_CLASS}" href="{escape(button.url)}">{escape(button.text)}</a>'
    return f"{article.html.removesuffix(article.footnotes)}<p>{link}</p>{article.footnotes}"


def _find_template(issue: Issue, templates: Templates, config: Config) -> str:
    design = issue.template or config.theme.template
    name = f"{design}.mjml"
    if name in templates.files:
        return name
    designs = templates.list_designs()
    suggestions = get_close_matches(design, designs, n=1)
    hint = f". Did you mean '{suggestions[0]}'?" if suggestions else ""
    line = issue.front_matter_lines.get("template")
    raise TemplateError(
        f"there is no template {templates.locate(name)}{hint}",
        where=Location(display_path(issue.source_path), line)
        if issue.template
        else Location("newsletter.yml"),
        remedy=f"The designs in this folder: {', '.join(designs) or 'none'}. Those of this version "
        "are in the templates folder of a new newsletter: newsletter init DIR",
    )


def _use_provider_links(part: str) -> str:
    """Replace our link tokens by the provider's tags; last, as rendering would escape them."""
    for tag, provider_tag in SENDGRID_TAGS.items():
        for target in _TARGETS:
            part = part.replace(tag.token(target), provider_tag)
    return part


def _get_reply_to(issue: Issue, config: Config) -> NamedAddress | None:
    address = issue.reply_to or config.sender.reply_to
    return NamedAddress("", address) if address else None
