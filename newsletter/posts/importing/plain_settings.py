"""Make plain text of settings: no Markdown, literal braces."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from newsletter.posts.importing.markup.dialects.emoji import replace_emoji
from newsletter.posts.merge_tags.compiler import escape_braces

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

PLAIN_SETTINGS = ("title", "subject", "preheader")
_MARKUP = re.compile(r"[*_`\[\]<~=\\&^]|:[a-z0-9_+-]+:")
FOOTNOTE_REFERENCE = re.compile(r"\[\^[^\]\s]{1,60}\]")
_FORMATTING_TAG = re.compile(
    r"</?(?:a|abbr|b|br|code|del|em|i|ins|kbd|mark|s|small|span|strong|sub|sup|u|wbr)\b[^>]*>",
    re.IGNORECASE,
)


@lru_cache(maxsize=1)
def _build_inline_parser() -> "MarkdownIt":
    # Late: most titles are plain text.
    from markdown_it import MarkdownIt

    from newsletter.posts.html.emphasis import emphasis_plugin
    from newsletter.posts.html.linear_inline import limit_inline_rules

    md = MarkdownIt("commonmark").use(emphasis_plugin).enable("strikethrough")
    limit_inline_rules(md)
    return md


def make_plain_text(text: str) -> str:
    """Return the text of one line of Markdown as a reader sees it."""
    if not _MARKUP.search(text):
        return text
    (inline,) = _build_inline_parser().parseInline(FOOTNOTE_REFERENCE.sub("", text))
    parts = (
        " "
        if child.type in {"softbreak", "hardbreak"}
        else _FORMATTING_TAG.sub("", child.content)
        if child.type == "html_inline"
        else child.content
        for child in inline.children or ()
    )
    return " ".join(replace_emoji("".join(parts)).split())


def make_plain_settings(settings: Mapping[str, Any], *, is_markdown: bool) -> dict[str, Any]:
    """Return settings whose titles are plain text; braces in them that are no merge tag stay.

    Args:
        settings: the settings of an issue.
        is_markdown: whether its titles may have Markdown in them.
    """
    return {
        key: escape_braces(make_plain_text(value) if is_markdown else value)
        if key in PLAIN_SETTINGS and isinstance(value, str)
        else value
        for key, value in settings.items()
    }
