"""Compile MJML to HTML with MRML, after stricter validation."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from mjml import mjml2html

from newsletter.errors import Location, Problem, RenderError, TemplateError
from newsletter.render.css.html_attributes import HtmlAttribute
from newsletter.render.mjml.head_rules import extract_head_rules
from newsletter.render.mjml.normalize import (
    WRAPPER_RAW_END,
    WRAPPER_RAW_START,
    normalize_mjml,
)
from newsletter.render.mjml.validate import validate_mjml

_POSITION = re.compile(r"position (\d+)")
_WHITESPACE_GAP = re.compile(r">[ \t\n](?=[ \t\n]*<(?P<mjml>/?mj)?)")

_WRAPPER_CELL = re.compile(
    r'(?P<start><td[^>]* width=")(?P<cell>[\d.]+)'
    r'(?P<between>px"[^>]*><!\[endif\]--><!--\[if mso \| IE\]><table [^>]*?width=")'
    r"(?P<section>[\d.]+)"
)

Locator = Callable[[int], Location]


@dataclass(frozen=True, slots=True)
class CompiledMjml:
    """The HTML of a template, and what is still to be done with it.

    Attributes:
        html: the document.
        inline_css: the rules of its ``<mj-style inline="inline">``.
        html_attributes: those of its ``<mj-html-attributes>``.
    """

    html: str
    inline_css: str = ""
    html_attributes: tuple[HtmlAttribute, ...] = ()


def compile_mjml(
    text: str, make_locator: Callable[[], Locator], *, article_count: int = 1
) -> CompiledMjml:
    """Return the HTML of rendered MJML; the same text gives the same bytes.

    Args:
        text: one complete ``<mjml>`` document.
        make_locator: returns a function from a byte offset in ``text`` to its place in the
            templates; called only to report a problem.
        article_count: how often ``{{ article }}`` must occur in it.

    Raises:
        TemplateError: all problems at once, each with file and line.
    """
    normalized = normalize_mjml(text)

    def locate_in_source() -> Locator:
        locate = make_locator()
        return lambda offset: locate(normalized.source_offset(offset))

    if problems := validate_mjml(normalized.text, article_count=article_count):
        locate = locate_in_source()
        raise TemplateError.from_problems(
            [
                Problem(problem.message, locate(problem.offset), problem.remedy)
                for problem in problems
            ]
        )
    rules = extract_head_rules(normalized.text)
    stripped = rules.text.strip()  # MRML rejects white space around the document
    try:
        # fonts={}: otherwise MRML adds a link to a third party's web font.
        compiled: str = mjml2html(_normalize_whitespace(stripped), fonts={})
    except ValueError as error:
        leading_length = len(rules.text) - len(rules.text.lstrip())
        raise TemplateError.from_problems(
            [_make_mrml_problem(error, leading_length, locate_in_source())]
        ) from error
    if compiled.count("<!--[if") != compiled.count("<![endif]-->"):
        raise TemplateError(
            "a conditional comment is not closed",
            where=_locate_document(make_locator()),
            remedy="Each <!--[if …]> needs its <![endif]-->.",
        )
    compiled = _narrow_wrapper_cells(_show_raw_in_wrappers(compiled))
    return CompiledMjml(compiled, rules.inline_css, rules.html_attributes)


def insert_article(html: str, marker: str, article: str) -> str:
    """Return ``html`` with the article in the place of the marker.

    Raises:
        RenderError: MRML lost the marker, or duplicated it.
    """
    before, found, after = html.partition(marker)
    if not found or marker in after:
        raise RenderError("the place of the article was lost in MJML compilation")
    return f"{before}{article}{after}"


def _normalize_whitespace(text: str) -> str:
    """Return the text with white space between tags as MRML needs it; offsets stay the same.

    MRML drops white space that begins with a line break: harmless between components, where clients
    ignore it, but two words of a text would run together. In the head it rejects any other white
    space.
    """

    def replace_gap(found: re.Match[str]) -> str:
        tag_start = text.rfind("<", 0, found.start())
        components = found["mjml"] or text.startswith(("<mj", "</mj"), tag_start)
        return ">\n" if components else "> "

    return _WHITESPACE_GAP.sub(replace_gap, text)


def _show_raw_in_wrappers(html: str) -> str:
    """Return the HTML with the ``<mj-raw>`` of wrappers outside of the comments for Outlook.

    MRML puts it between the rows that only Outlook gets: readers elsewhere would not see it.
    """
    return html.replace(WRAPPER_RAW_START, "<![endif]-->").replace(
        WRAPPER_RAW_END, "<!--[if mso | IE]>"
    )


def _narrow_wrapper_cells(html: str) -> str:
    """Return the HTML with no Outlook cell of a wrapper wider than the section in it.

    MRML, like MJML, gives the cell the width of the wrapper with its padding: Outlook would draw it
    that much too wide.
    """

    def narrow(found: re.Match[str]) -> str:
        width = min(float(found["cell"]), float(found["section"]))
        return f"{found['start']}{width:g}{found['between']}{found['section']}"

    return _WRAPPER_CELL.sub(narrow, html)


def _make_mrml_problem(error: ValueError, document_offset: int, locate: Locator) -> Problem:
    """Return MRML's error as a problem; its offsets are bytes, and sometimes it gives none."""
    reason = re.sub(r" in root template.*", "", str(error))
    message = f"MJML can't be compiled ({reason})"
    if found := _POSITION.search(str(error)):
        return Problem(message, locate(document_offset + int(found[1])))
    remedy = "A tag opened in a conditional comment must be closed in one within the same element."
    return Problem(message, _locate_document(locate), remedy)


def _locate_document(locate: Locator) -> Location:
    return Location(locate(0).path)
