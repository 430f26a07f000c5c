"""Rules on accessibility: language, headings, link texts, font size."""

import re
from collections.abc import Iterator, Mapping

from newsletter.checks.analysis.computed_text import parse_length
from newsletter.checks.analysis.css_parser import parse_dimension, parse_style
from newsletter.checks.check_context import CheckContext
from newsletter.checks.rule import Match, Topic
from newsletter.render.article.dom import Element, get_visible_text
from newsletter.render.locale import get_text_direction

rule = Topic("Accessibility").rule

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_WEAK_LINK_TEXT = re.compile(
    r"(?:please )?(?:click|tap|press)(?: on)?(?: here| this| this link)?(?: to \w+)?"
    r"|here|this|link|this link|read more|more|learn more|continue reading|details"
    r"|hier|ici|aquí|qui|her|mehr|en savoir plus",
    re.IGNORECASE,
)
_MIN_FONT_SIZE = 12.0
_MIN_TARGET_HEIGHT = 24.0  # CSS pixels, WCAG 2.2, 2.5.8
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")


@rule(
    "no-language",
    "warning",
    meaning="A screen reader guesses the language, and may read it in the wrong voice.",
    remedy='Put lang="{{ lang }}" on <mjml> in the template.',
)
def no_language(context: CheckContext) -> Iterator[Match]:
    """The document has no language, or an invalid one (BCP 47)."""
    lang = context.tree.get("lang") or ""
    if not _LANGUAGE.fullmatch(lang):
        yield Match(f"'{lang}' is not a valid language" if lang else "the email has no language")


@rule(
    "wrong-direction",
    "warning",
    meaning="Text and punctuation are on the wrong side.",
    remedy='Put dir="{{ dir }}" on <mjml> in the template, and language: in the front matter.',
)
def wrong_direction(context: CheckContext) -> Iterator[Match]:
    """The document's direction is not that of its language."""
    actual, expected = (
        context.tree.get("dir") or "",
        get_text_direction(context.email.language, context.config),
    )
    if actual != expected and (actual or expected == "rtl"):
        message = f"dir is {actual or 'ltr'}, but {context.email.language} is {expected}"
        yield Match(message, context.source_map.locate_setting("language"))


@rule(
    "no-title",
    "warning",
    meaning="A screen reader, a browser tab and a printout have no name for the email.",
    remedy="Put <mj-title>{{ issue.title }}</mj-title> into the template's head.",
)
def no_title(context: CheckContext) -> Iterator[Match]:
    """The document has no title."""
    if not any((title.text or "").strip() for title in context.tree.iter("title")):
        yield Match("the email has no title")


@rule(
    "heading-order",
    "warning",
    meaning="Readers who jump from heading to heading look for a level that isn't there.",
    remedy="Make each heading at most one level below the previous one.",
)
def heading_order(context: CheckContext) -> Iterator[Match]:
    """A heading that skips a level."""
    previous = 0
    for heading in context.tree.iter(*_HEADINGS):
        level = int(heading.tag[1])
        if previous and level > previous + 1:
            text = get_visible_text(heading).strip()
            message = f"'{text[:40]}' is h{level} after h{previous}"
            yield Match(message, context.source_map.locate_text(text), text)
        previous = level


@rule(
    "one-h1",
    "warning",
    meaning="A screen reader announces several titles, or none.",
    remedy="Use ## for headings in the post: its title is the h1.",
)
def one_h1(context: CheckContext) -> Iterator[Match]:
    """More than one heading of the first level, or none where there are others."""
    titles = [get_visible_text(heading).strip() for heading in context.tree.iter("h1")]
    for text in titles[1:]:
        yield Match(f"'{text[:40]}' is a second h1", context.source_map.locate_text(text), text)
    if not titles and next(context.tree.iter(*_HEADINGS[1:]), None) is not None:
        yield Match("there are headings but no h1")


@rule(
    "weak-link-text",
    "hint",
    meaning="On its own, as in a screen reader's list of links, it has no meaning.",
    remedy="Say in the link text where it leads.",
)
def weak_link_text(context: CheckContext) -> Iterator[Match]:
    """A link whose text is “click here”, “here”, “read more” or the like."""
    for link in context.links:
        if _WEAK_LINK_TEXT.fullmatch(link.text.strip(" .…»›→>")):  # noqa: RUF001 - arrows
            where = context.source_map.locate_url(link.url, "button")
            yield Match(f"'{link.text}' doesn't say where it leads", where, link.url)


@rule(
    "silent-link",
    "warning",
    meaning="A screen reader reads out the URL, letter by letter.",
    remedy="Give the link a text, or the image in it an alternative text.",
)
def silent_link(context: CheckContext) -> Iterator[Match]:
    """A link without a text, or around an image without an alternative text."""
    for link in context.links:
        label = link.element.get("aria-label") or link.element.get("title")
        if link.url.strip(" #") and not link.text and not label:
            yield Match(
                f"the link to {link.url[:60]} has no text",
                context.source_map.locate_url(link.url),
                link.url,
            )


@rule(
    "table-role",
    "warning",
    meaning="A screen reader announces rows and columns where there is only layout.",
    remedy='Put role="presentation" on a layout table, and header cells into a data table.',
)
def table_role(context: CheckContext) -> Iterator[Match]:
    """A table that is neither marked as layout nor has a header cell."""
    for table in context.tree.iter("table"):
        is_layout = table.get("role") in {"presentation", "none"}
        if not is_layout and not _has_header_cells(table):
            text = get_visible_text(table).strip()
            yield Match(
                "a table has neither header cells nor a role",
                context.source_map.locate_text(text),
                text[:80],
            )


def _has_header_cells(table: Element) -> bool:
    return any(next(cell.iterancestors("table")) is table for cell in table.iter("th", "caption"))


@rule(
    "small-text",
    "warning",
    meaning="On a phone it can't be read without zooming in.",
    remedy="Set it in 13 px or more.",
)
def small_text(context: CheckContext) -> Iterator[Match]:
    """Text of less than 12 px, except footnote marks."""
    for run in context.text_runs:
        small = run.style.font_size < _MIN_FONT_SIZE and not run.style.raised
        if small and any(char.isalnum() for char in run.text):
            text = " ".join(run.text.split())
            message = f"'{text[:40]}' is set in {run.style.font_size:.0f} px"
            yield Match(message, context.source_map.locate_text(text), text[:80])


@rule(
    "small-target",
    "warning",
    meaning="A finger misses it, or hits the one beside it.",
    remedy="Give the button more padding.",
)
def small_target(context: CheckContext) -> Iterator[Match]:
    """A button of less than 24 px in height (WCAG 2.2, 2.5.8)."""
    for link in context.links:
        style = parse_style(link.element.get("style") or "")
        if style.get("display") not in {"block", "inline-block"} or len(link.element):
            continue
        height = _compute_button_height(style)
        if height < _MIN_TARGET_HEIGHT:
            message = f"'{link.text[:40]}' is {height:.0f} px high"
            yield Match(message, context.source_map.locate_url(link.url, "button"), link.url)


def _compute_button_height(style: Mapping[str, str]) -> float:
    size = parse_length(style.get("font-size", "")) or 16.0
    line = style.get("line-height", "")
    factor, unit = parse_dimension(line) or (None, "")
    line_height = parse_length(line, size) if factor is None or unit else factor * size
    padding = [parse_length(part, size) or 0.0 for part in style.get("padding", "").split()] or [
        0.0
    ]
    bottom = padding[2] if len(padding) > 2 else padding[0]  # noqa: PLR2004 - CSS's order of sides
    return (1.2 * size if line_height is None else line_height) + padding[0] + bottom
