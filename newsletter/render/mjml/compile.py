"""MJML to HTML through MRML, once what it would let pass has been checked."""

import re
from collections.abc import Callable

from mjml import mjml2html

from newsletter.errors import Location, Problem, RenderError, TemplateError
from newsletter.render.mjml.validate import validate_mjml

_POSITION = re.compile(r"position (\d+)")
_WHITESPACE_GAP = re.compile(r">[ \t\n](?=[ \t\n]*<(?P<mjml>/?mj)?)")

Locator = Callable[[int], Location]


def compile_mjml(text: str, make_locator: Callable[[], Locator], *, article_count: int = 1) -> str:
    """Turn filled MJML into HTML; the same text gives the same bytes.

    Args:
        text: one whole ``<mjml>`` document.
        make_locator: makes what tells where a byte of ``text`` comes from; called only on a fault.
        article_count: how often ``{{ article }}`` must stand in it.

    Raises:
        TemplateError: all faults at once, each with its file and line.
    """
    if faults := validate_mjml(text, article_count=article_count):
        locate = make_locator()
        raise TemplateError.from_problems(
            [Problem(fault.message, locate(fault.offset), fault.remedy) for fault in faults]
        )
    bare = text.strip()  # MRML takes no white space around the document
    try:
        # fonts={}: else a link to a third party's web font is added.
        compiled: str = mjml2html(_normalize_whitespace(bare), fonts={})
    except ValueError as error:
        before = len(text) - len(text.lstrip())
        raise TemplateError.from_problems(
            [_make_mrml_problem(error, before, make_locator())]
        ) from error
    if compiled.count("<!--[if") != compiled.count("<![endif]-->"):
        raise TemplateError(
            "a conditional comment is not closed",
            where=_locate_document(make_locator()),
            remedy="Each <!--[if …]> needs its <![endif]-->.",
        )
    return compiled


def insert_article(html: str, marker: str, article: str) -> str:
    """Put the article where the template said.

    Raises:
        RenderError: MRML lost the marker, or doubled it.
    """
    before, found, after = html.partition(marker)
    if not found or marker in after:
        raise RenderError("the article's place was lost in rendering the template")
    return f"{before}{article}{after}"


def _normalize_whitespace(text: str) -> str:
    """White space between tags as MRML wants it; each byte stays where it is.

    MRML drops white space that begins with a line break: so do clients between components, but
    two words of a text would run together. In the head it refuses what begins otherwise.
    """

    def gap(found: re.Match[str]) -> str:
        tag = text.rfind("<", 0, found.start())
        components = found["mjml"] or text.startswith(("<mj", "</mj"), tag)
        return ">\n" if components else "> "

    return _WHITESPACE_GAP.sub(gap, text)


def _make_mrml_problem(error: ValueError, document_offset: int, locate: Locator) -> Problem:
    """What MRML says; its offsets are bytes, and sometimes it gives none."""
    words = re.sub(r" in root template.*", "", str(error))
    message = f"MJML can't be rendered here ({words})"
    if found := _POSITION.search(str(error)):
        return Problem(message, locate(document_offset + int(found[1])))
    remedy = "A tag in a conditional comment must be closed in one within the same element."
    return Problem(message, _locate_document(locate), remedy)


def _locate_document(locate: Locator) -> Location:
    return Location(locate(0).path)
