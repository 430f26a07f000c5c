"""The rule on markup of another tool: shortcodes, template tags."""

import re
from collections.abc import Iterator, Mapping

from newsletter.checks.check_context import CheckContext
from newsletter.checks.rule import Match, Topic
from newsletter.checks.rules.content import READER_DATA, shorten_quote
from newsletter.posts.importing.markup.dialects.emoji import EMOJI, EMOJI_NAMES
from newsletter.render.article.dom import Element
from newsletter.render.issue import SENDGRID_TAGS

rule = Topic("Other tools' markup").rule

_QUOTE = "[\"'“”„«»‘’]"  # noqa: RUF001 - typographic quotes are what the build writes
_KINDS: Mapping[str, re.Pattern[str]] = {
    "a shortcode": re.compile(
        rf"\[/[a-z][\w-]{{1,40}}\]|\[[a-z][\w-]{{1,40}}\s[^\[\]]{{0,200}}?[\w-]{{1,40}}={_QUOTE}[^\[\]]{{0,200}}\]"
        r"|\{\{[<%][^{}\n]{1,200}[>%]\}\}"
    ),
    "a template tag": re.compile(
        # With a reader's data it is a leftover-tag.
        rf"<%(?![^%\n]{{0,80}}(?i:{READER_DATA}))[=-]?\s?\w[^%<>\n]{{0,200}}%>"
        r"|\{%-?\s?\w[^{}\n]{0,200}%\}"
        r"|\{\{-?\s?(?:(?:site|page|post|params|config|include)\.|\.[A-Z])[^{}\n]{0,200}\}\}"
    ),
    "an attribute list": re.compile(
        r"\{:\s?(?:[.#][\w-]|toc|\w{1,40}=)[^{}\n]{0,200}\}|\s\{#[\w-]{1,80}\}$"
    ),
    "a line of JavaScript": re.compile(
        rf"^(?:import\s[^\n]{{0,200}}\sfrom\s{_QUOTE}|import\s{_QUOTE}\S|export\s(?:const|default)\s)"
    ),
    "a component": re.compile(
        r"(?<!\w)(?:</[A-Z]\w{1,60}>|<[A-Z]\w{1,60}(?:\s[^<>]{1,300}|\s?/)>)"
    ),
    "a footnote": re.compile(r"\[\^[^\]\s]{1,60}\]"),
    "Markdown": re.compile(
        r"(?:(?<![A-Za-z0-9*])\*\*(?=[^\s*])[^*\n]{1,200}(?<=[^\s*])\*\*(?!\*)"
        r"|\*\*(?=[^\s*])[^*\n]{1,200}(?<=[^\s*])\*\*(?![A-Za-z0-9*]))"
        r"|!?\[[^\[\]\n]{1,200}\]\((?:(?:javascript|file|data):"
        r"|(?:https?:/|mailto:|\.{0,2}/|#)[^()\s]{0,500}\)|$)"
        r"|^#{1,6}\s\S|^:{3,}"
    ),
    "a character reference": re.compile(
        r"&(?:amp|lt|gt|quot|apos|nbsp|hellip|[mn]dash|[lr][sd]quo|#\d{2,6}|#x[0-9a-fA-F]{2,5}"
        r"|[A-Za-z](?:acute|grave|uml|circ|tilde|cedil|slash|ring));"
    ),
    "a wiki link": re.compile(
        r"!?\[\[(?=[^\[\]\n]{0,200}[^\W\d_]{2})[^\[\]\n]{1,200}\]\](?![(\[])"
    ),
}
# The text part is no Markdown, but marks emphasis and headings in its own way.
_TEXT_PART_KINDS = ("a shortcode", "a template tag", "an attribute list", "a character reference")
_CODE_TAGS = ("code", "pre", "kbd", "samp", "tt")


@rule(
    "foreign-markup",
    "warning",
    meaning="Readers see the markup of another tool instead of what it means.",
    remedy="Write what it means, or delete it; to show it as it is, put it in `code`.",
)
def foreign_markup(context: CheckContext) -> Iterator[Match]:
    """Shortcodes, template tags, raw Markdown, `&amp;` or `:wave:` in what readers see."""
    found: dict[str, list[Match]] = {}
    for text, key in (
        (context.default_email.subject, "subject"),
        (context.default_email.preheader, "preheader"),
    ):
        where = context.source_map.locate_setting(key, "title")
        for kind, excerpt in find_foreign_markup(text):
            message = f"{kind} is in the {key}: {shorten_quote(excerpt)}"
            found.setdefault(f"{kind} {key}", []).append(Match(message, where, excerpt))
    for run in context.text_runs:
        if _is_code(run.element):
            continue
        for kind, excerpt in find_foreign_markup(run.text):
            where = context.source_map.locate_text(excerpt)
            message = f"{kind} is in the text: {shorten_quote(excerpt)}"
            found.setdefault(kind, []).append(Match(message, where, excerpt))
    for image in context.tree.iter("img"):
        for kind, excerpt in find_foreign_markup(image.get("alt") or ""):
            where = context.source_map.locate_text(excerpt)
            message = f"{kind} is in an image's alternative text: {shorten_quote(excerpt)}"
            found.setdefault(f"{kind} image", []).append(Match(message, where, excerpt))
    for kind, excerpt in _iter_text_part_markup(context):
        where = context.source_map.locate_text(excerpt)
        message = f"{kind} is in the plain text: {shorten_quote(excerpt)}"
        found.setdefault(f"{kind} text part", []).append(Match(message, where, excerpt))
    for first, *more in found.values():
        yield first._replace(message=first.message + (f" and {len(more)} more" if more else ""))


def find_foreign_markup(text: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and the text of all that looks like another tool's markup."""
    text = text.strip()
    for kind, pattern in _KINDS.items():
        for match in pattern.finditer(text):
            yield kind, match[0].strip()
    for match in EMOJI_NAMES.finditer(text):
        if set(match[0].strip(":").split("::")) <= EMOJI.keys():
            yield "an emoji's name", match[0]


def _iter_text_part_markup(context: CheckContext) -> Iterator[tuple[str, str]]:
    """Yield what only the text part has; what the HTML shows too, as code or not, is its text."""
    alternatives = [image.get("alt") or "" for image in context.tree.iter("img")]
    shown = " ".join("".join([*map(str, context.tree.itertext()), *alternatives]).split())
    text = context.default_email.text
    for kind in _TEXT_PART_KINDS:
        for match in _KINDS[kind].finditer(text):
            excerpt = " ".join(match[0].split())
            if excerpt not in shown and excerpt not in SENDGRID_TAGS.values():
                yield kind, excerpt


def _is_code(element: Element) -> bool:
    return element.tag in _CODE_TAGS or next(element.iterancestors(*_CODE_TAGS), None) is not None
