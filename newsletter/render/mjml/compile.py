"""Compile MJML to HTML with MRML, after stricter validation."""

import re
from collections.abc import Callable

from mjml import mjml2html

from newsletter.errors import Location, Problem, RenderError, TemplateError
from newsletter.render.mjml.validate import validate_mjml

_POSITION = re.compile(r"position (\d+)")
_WHITESPACE_GAP = re.compile(r">[ \t\n](?=[ \t\n]*<(?P<mjml>/?mj)?)")

Locator = Callable[[int], Location]


def compile_mjml(text: str, make_locator: Callable[[], Locator], *, article_count: int = 1) -> str:
    """Return the HTML of rendered MJML; the same text gives the same bytes.

    Args:
        text: one complete ``<mjml>`` document.
        make_locator: returns a function from a byte offset in ``text`` to its place in the
            templates; called only to report a problem.
        article_count: how often ``{{ article }}`` must occur in it.

    Raises:
        TemplateError: all problems at once, each with file and line.
    """
    if problems := validate_mjml(text, article_count=article_count):
        locate = make_locator()
        raise TemplateError.from_problems(
            [
                Problem(problem.message, locate(problem.offset), problem.remedy)
                for problem in problems
            ]
        )
    stripped = text.strip()  # MRML rejects white space around the document
    try:
        # fonts={}: otherwise MRML adds a link to a third party's web font.
        compiled: str = mjml2html(_normalize_whitespace(stripped), fonts={})
    except ValueError as error:
        leading_length = len(text) - len(text.lstrip())
        raise TemplateError.from_problems(
            [_make_mrml_problem(error, leading_length, make_locator())]
        ) from error
    if compiled.count("<!--[if") != compiled.count("<![endif]-->"):
        raise TemplateError(
            "a conditional comment is not closed",
            where=_locate_document(make_locator()),
            remedy="Each <!--[if …]> needs its <![endif]-->.",
        )
    return compiled


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
