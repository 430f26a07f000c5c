"""Render transactional emails from templates: confirmations.

The same chain as for an issue. An email has a single recipient, so the values are filled in
directly and there are no merge tokens. Pure.
"""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lxml import etree

from newsletter.config.models import Config
from newsletter.errors import TemplateError
from newsletter.render.article.dom import drop_element
from newsletter.render.email import Email, NamedAddress
from newsletter.render.locale import format_date, get_text_direction
from newsletter.render.template.compile import (
    compile_template,
    inline_styles,
    load_template_words,
)
from newsletter.render.template.context import make_newsletter_view
from newsletter.render.template.jinja_env import TemplateContext, get_template_variable
from newsletter.render.template.loader import Templates
from newsletter.render.text.article import render_article_text

# What an editor calls an email -> its kinds: both sides confirm a change of address.
TRANSACTIONAL_EMAILS: Mapping[str, tuple[str, ...]] = {
    "confirm": ("confirm",),
    "welcome": ("welcome",),
    "move": ("move_from", "move_to"),
    "download": ("download",),
    "erase": ("erase",),
}
# RFC 3834: so that no vacation responder replies.
TRANSACTIONAL_HEADERS = (("Auto-Submitted", "auto-generated"),)
_HIDDEN_STYLE = re.compile(r"(?:^|[;\s])display\s*:\s*none\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TransactionalContent:
    """The values of a transactional email.

    Attributes:
        kind: its kind, which names the template: ``confirm``, ``welcome``, ``move_from``,
            ``move_to``, ``download``, ``erase``.
        url: the URL of its button, or empty.
        until: the last day on which the link works, if it expires.
        address: the new address of a subscriber who changes it, as shown; or empty.
        unsubscribe_url: the recipient's unsubscribe link, if they are on the list.
        preferences_url: the recipient's preferences page, if they are on the list.
    """

    kind: str
    url: str = ""
    until: datetime.date | None = None
    address: str = ""
    unsubscribe_url: str = ""
    preferences_url: str = ""


def render_transactional(
    content: TransactionalContent, templates: Templates, config: Config, language: str = ""
) -> Email:
    """Return a transactional email; its ``issue`` is the kind.

    Args:
        content: its values.
        templates: the templates folder.
        config: the settings.
        language: the reader's; by default the newsletter's.

    Raises:
        TemplateError: a template is wrong or missing; all problems of one pass.
        RenderError: the document can't be rendered.
    """
    name = get_transactional_template(content.kind)
    if name not in templates.files:
        raise TemplateError(f"there is no template {templates.locate(name)}")
    context = _build_transactional_context(content, config, language or config.language)
    context["words"] = load_template_words(templates, context, "email")
    compiled = compile_template(name, templates, context)
    return Email(
        issue=content.kind,
        subject=_render_variable("subject", name, templates, context),
        preheader=_render_variable("preheader", name, templates, context),
        html=inline_styles(compiled, name, templates, context),
        text=render_transactional_text(compiled.html),
        sender=NamedAddress(config.sender.name, config.sender.address),
        reply_to=NamedAddress("", config.sender.reply_to) if config.sender.reply_to else None,
        headers=TRANSACTIONAL_HEADERS,
        merge_tags=(),
        language=context["lang"],
        view_online_url="",
    )


def get_transactional_template(kind: str) -> str:
    """Return the template of a kind; both emails about a change of address share one."""
    return f"{kind.partition('_')[0]}.mjml"


def _build_transactional_context(
    content: TransactionalContent, config: Config, lang: str
) -> dict[str, Any]:
    return {
        "newsletter": make_newsletter_view(config),
        "letter": content,
        "theme": config.theme,
        "lang": lang,
        "dir": get_text_direction(lang, config),
        "format_date": lambda day: format_date(day, lang),
    }


def _render_variable(
    variable: str, name: str, templates: Templates, context: TemplateContext
) -> str:
    line = " ".join(str(get_template_variable(templates, name, variable, context) or "").split())
    if not line:
        raise TemplateError(
            f"the template sets no {variable}",
            where=templates.locate(name),
            remedy=f'Write {{% set {variable} = "…" %}} at its top.',
        )
    return line


def render_transactional_text(html: str) -> str:
    """Return the text part: the text of the document, each link followed by its URL.

    Args:
        html: the document, with its styles not inlined yet, perhaps with merge tokens.
    """
    body = etree.fromstring(html, etree.HTMLParser(remove_comments=True)).find("body")
    assert body is not None
    for hidden in [e for e in body.iter() if _HIDDEN_STYLE.search(e.get("style") or "")]:
        drop_element(hidden)
    content = "".join(etree.tostring(part, method="html", encoding="unicode") for part in body)
    return render_article_text(content, links="inline")
