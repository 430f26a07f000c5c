"""Show an email's sources: HTML, MJML, headers, API request, .eml file."""

import datetime
import html
import json
from email import message_from_bytes, policy
from typing import Literal

from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from newsletter.errors import NewsletterError
from newsletter.posts.merge_tags.tags import MergeTagRegistry
from newsletter.preview.rendered_issues import Rendering
from newsletter.render.article.links import get_host
from newsletter.render.email import Email, NamedAddress
from newsletter.render.eml import to_eml
from newsletter.render.headers import build_unsubscribe_headers
from newsletter.render.personalization import personalize_for_recipient
from newsletter.render.template.compile import load_template_words
from newsletter.render.template.context import build_template_context
from newsletter.render.template.jinja_env import render_template
from newsletter.sending.providers.prepared_email import display_name
from newsletter.sending.providers.provider import RequestId
from newsletter.sending.providers.registry import get_provider
from newsletter.subscribers import Recipient

MAX_HIGHLIGHTED_LENGTH = 600_000  # characters; longer sources are shown without colours

SourceLanguage = Literal["html", "xml", "json", "text"]


def highlight_source(source: str, language: SourceLanguage) -> str:
    """Return ``source`` as HTML, one ``span.line`` per line, with Pygments' short class names."""
    if language == "text" or len(source) > MAX_HIGHLIGHTED_LENGTH:
        lines = html.escape(source).split("\n")
    else:
        lines = highlight(
            source, get_lexer_by_name(language, stripnl=False), HtmlFormatter(nowrap=True)
        ).split("\n")
    return "\n".join(f'<span class="line">{line}</span>' for line in lines)


def render_mjml(rendering: Rendering) -> str:
    """Return the MJML that MRML compiles: the filled template with the article's placeholder."""
    issue, config = rendering.issue, rendering.config
    merge_tags = MergeTagRegistry(config.attributes, issue.merge_tags)
    templates = rendering.rendered.templates
    context = build_template_context(issue, rendering.rendered.article, config, merge_tags)
    context["words"] = load_template_words(templates, context, "issue")
    return render_template(templates, f"{issue.template or config.theme.template}.mjml", context)


def build_preview_eml(rendering: Rendering, recipient: Recipient, now: datetime.datetime) -> bytes:
    """Return the email for one recipient as an ``.eml`` file that mail clients can open."""
    config = rendering.config
    return to_eml(
        personalize_for_recipient(rendering.email, config, recipient.attributes, recipient.token),
        NamedAddress(display_name(recipient), recipient.address),
        date=now,
        message_id=f"<{rendering.issue.name}@{get_host(config.site_url)}>",
        headers=build_unsubscribe_headers(config, recipient.token),
    )


def format_headers(message: bytes) -> str:
    """Return a message's headers as they are sent, one per line."""
    parsed = message_from_bytes(message, policy=policy.default)
    return "\n".join(f"{name}: {value}" for name, value in parsed.items())


def format_api_request(rendering: Rendering, recipient: Recipient) -> str:
    """Return the API request for this one recipient; the API key is never shown.

    The JSON is indented; that of a real request has no white space.
    """
    provider = get_provider(rendering.config)
    try:
        prepared = provider.prepare_email(rendering.email)
    except NewsletterError as error:
        return "\n".join(f"Refused: {problem}" for problem in error.problems)
    request = provider.build_request(prepared, [recipient], RequestId("preview", "1", "1"))
    return json.dumps(json.loads(request.body or b"{}"), indent=2, ensure_ascii=False)


def personalize_rendering(rendering: Rendering, recipient: Recipient) -> Email:
    """Return the email for one recipient, personalized as the provider will do it."""
    return personalize_for_recipient(
        rendering.email, rendering.config, recipient.attributes, recipient.token
    )
