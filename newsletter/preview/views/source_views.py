"""The mail as text: its HTML coloured, the MJML that it came from, headers and API request."""

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
from newsletter.preview.rendered_issues import Proof
from newsletter.render.article.build import build_article
from newsletter.render.article.links import get_host
from newsletter.render.email import Email, NamedAddress
from newsletter.render.eml import to_eml
from newsletter.render.headers import build_unsubscribe_headers
from newsletter.render.personalization import personalize_for_recipient
from newsletter.render.template.context import build_template_context
from newsletter.render.template.jinja_env import render_template
from newsletter.sending.providers.provider import RequestId
from newsletter.sending.providers.sendgrid.payload import build_request, display_name, prepare_email
from newsletter.subscribers import Recipient

COLOURED = 600_000  # characters; what is longer is shown in one colour

Language = Literal["html", "xml", "json", "text"]


def coloured(source: str, language: Language) -> str:
    """``source`` as HTML, a ``span.line`` a line; its other classes are Pygments' short ones."""
    if language == "text" or len(source) > COLOURED:
        lines = html.escape(source).split("\n")
    else:
        lines = highlight(
            source, get_lexer_by_name(language, stripnl=False), HtmlFormatter(nowrap=True)
        ).split("\n")
    return "\n".join(f'<span class="line">{line}</span>' for line in lines)


def mjml(proof: Proof) -> str:
    """The filled template, the article's place marked, as MRML gets it."""
    issue, config = proof.issue, proof.config
    table = MergeTagRegistry(config.attributes, issue.merge_tags)
    context = build_template_context(issue, build_article(issue, config), config, table)
    return render_template(
        proof.templates, f"{issue.template or config.theme.template}.mjml", context
    )


def eml(proof: Proof, reader: Recipient, now: datetime.datetime) -> bytes:
    """One reader's copy as a file that mail clients open."""
    config = proof.config
    return to_eml(
        personalize_for_recipient(proof.email, config, reader.attributes, reader.token),
        NamedAddress(display_name(reader), reader.address),
        date=now,
        message_id=f"<{proof.issue.name}@{get_host(config.site_url)}>",
        headers=build_unsubscribe_headers(config, reader.token),
    )


def headers(message: bytes) -> str:
    """A message's headers as they travel, one a line."""
    parsed = message_from_bytes(message, policy=policy.default)
    return "\n".join(f"{name}: {value}" for name, value in parsed.items())


def api_request(proof: Proof, reader: Recipient) -> str:
    """What would be POSTed for this one reader; the key is never shown.

    The body's JSON is indented; a real request's has no white space.
    """
    try:
        letter = prepare_email(proof.email, proof.config)
    except NewsletterError as error:
        return "\n".join(f"Refused: {problem}" for problem in error.problems)
    body = build_request(letter, [reader], RequestId("preview", "1", "1"))
    return json.dumps(json.loads(body.body or b"{}"), indent=2, ensure_ascii=False)


def personal(proof: Proof, reader: Recipient) -> Email:
    """One reader's own copy, filled in as SendGrid will."""
    return personalize_for_recipient(proof.email, proof.config, reader.attributes, reader.token)
