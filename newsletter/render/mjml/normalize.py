"""Rewrite MJML as people write it to the strict XML that MRML takes.

MJML's own compiler reads a template as HTML: a bare ``&`` in a URL, ``<br>``, an attribute without
quotes. MRML and the validator read XML. Every place can be traced back. Pure.
"""

import html
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from newsletter.render.mjml.components import COMPONENTS, LENGTH_ATTRIBUTES

VOID_TAGS = frozenset("area base br col embed hr img input link meta source track wbr".split())

# Around the content of <mj-raw> in <mj-wrapper>, which MRML puts into a comment for Outlook.
WRAPPER_RAW_START, WRAPPER_RAW_END = "<!--\ufdd4-->", "<!--\ufdd5-->"

_PROLOG = re.compile(
    r"(?P<between>\s+|<!--.*?-->)|\ufeff|<\?xml\b[^>]*\?>|<!doctype\b[^>]*>",
    re.DOTALL | re.IGNORECASE,
)
_TOKEN = re.compile(
    r"<!--(?P<comment>.*?)-->"
    r"|<!\[CDATA\[.*?\]\]>"
    r"|</(?P<closed>[A-Za-z][\w:.-]*)\s*>"
    r"""|<(?P<name>[A-Za-z][\w:.-]*)(?P<attributes>(?:\s(?:"[^"]*"|'[^']*'|[^"'<>])*?)?)(?P<end>/?)>"""
    r"|&(?!#\d+;|#[xX][0-9a-fA-F]+;|[A-Za-z][A-Za-z0-9]*;)|<(?![A-Za-z/!?])",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(
    r"(?P<space>\s*)(?P<name>[^\s=\"'<>/]+)"
    r"""(?:(?P<equals>\s*=\s*)(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<plain>[^\s"'>]+)))?"""
)
_BARE_AMPERSAND = re.compile(r"&(?!#\d+;|#[xX][0-9a-fA-F]+;|[A-Za-z][A-Za-z0-9]*;)")
_UNSAFE_CHARACTER = re.compile(r"[^ -~]|\\")
_PADDING_NAME = re.compile(r"(?:[a-z]+-)?padding(?P<side>-(?:top|right|bottom|left))?")
_BORDER_NAME = re.compile(r"(?:inner-)?border(?P<side>-(?:top|right|bottom|left))?")
_BARE_ZERO = re.compile(r"^[-+]?0*\.?0+%?$")
_BARE_NUMBER = re.compile(r"(?<!\S)(?!0*\.?0*(?!\S))\d*\.?\d+(?!\S)")
_NO_BORDER = re.compile(r"^\s*(?:0(?=\s|$)|(?=none\b))(?P<rest>.*)")
_LATE_BORDER_WIDTH = re.compile(r"^\s*(?P<before>[a-zA-Z#][^;]*?)\s+(?P<width>\d*\.?\d+px)\b")
_HYPHEN_PAIR = re.compile(r"-(?=-)|-$")
# The elements in which MRML takes no comment.
_NO_COMMENTS = frozenset(
    {name for name, component in COMPONENTS.items() if not component.allows_content}
    - {"mjml", "mj-head", "mj-body", "mj-wrapper", "mj-section", "mj-group", "mj-column", "mj-hero",
       "mj-social", "mj-navbar"}
    | {"mj-title", "mj-preview", "mj-accordion-title", "mj-accordion-text"}
)  # fmt: skip


class SourceEdit(NamedTuple):
    """A piece of text that is replaced.

    Attributes:
        start: index of its first character.
        end: index after its last one.
        replacement: the new text.
    """

    start: int
    end: int
    replacement: str


class NormalizedMjml(NamedTuple):
    """MJML as XML, with the way back to the text that it was made from.

    Attributes:
        text: the MJML that the validator and MRML read.
        source: the MJML as it was.
        edits: what was replaced in ``source``, in order.
    """

    text: str
    source: str
    edits: tuple[SourceEdit, ...]

    def source_offset(self, offset: int) -> int:
        """Return the byte offset in ``source`` of a byte offset in ``text``."""
        position = len(self.text.encode()[:offset].decode(errors="ignore"))
        growth = accumulate(
            (len(edit.replacement) - (edit.end - edit.start) for edit in self.edits), initial=0
        )
        shift = 0
        for edit, grown in zip(self.edits, growth, strict=False):
            if edit.start + grown > position:
                break
            shift = min(
                grown + len(edit.replacement) - (edit.end - edit.start), position - edit.start
            )
        return len(self.source[: position - shift].encode())


def normalize_mjml(text: str) -> NormalizedMjml:
    """Return rendered MJML as the XML that MRML takes; what can't be mended stays as it is."""
    edits = sorted(_find_edits(text))
    parts: list[str] = []
    position = 0
    for edit in edits:
        parts += (text[position : edit.start], edit.replacement)
        position = edit.end
    return NormalizedMjml("".join((*parts, text[position:])), text, tuple(edits))


def blank_out(text: str) -> str:
    """Return white space with the line breaks of ``text`` and as many characters."""
    return re.sub(r"[^\n]", " ", text)


def _find_edits(text: str) -> Iterator[SourceEdit]:
    yield from _blank_prolog(text)
    open_components = [""]
    void_end = -1
    for found in _TOKEN.finditer(text):
        if found["comment"] is not None:
            yield SourceEdit(*found.span(), _rewrite_comment(found[0], open_components[-1]))
        elif found[0] in {"&", "<"}:
            yield SourceEdit(*found.span(), html.escape(found[0]))
        elif closed := (found["closed"] or "").lower():
            yield from _rewrite_end_tag(found, closed, is_repeated=void_end == found.start())
            if closed == open_components[-1]:
                open_components.pop()
                yield from _mark_raw(closed, open_components[-1], found.start(), WRAPPER_RAW_END)
        elif name := (found["name"] or "").lower():
            yield from _rewrite_tag(found, name)
            if name in VOID_TAGS:
                void_end = found.end()
            elif name.startswith("mj") and not found["end"]:
                yield from _mark_raw(name, open_components[-1], found.end(), WRAPPER_RAW_START)
                open_components.append(name)


def _mark_raw(component: str, parent: str, place: int, mark: str) -> Iterator[SourceEdit]:
    if (component, parent) == ("mj-raw", "mj-wrapper"):
        yield SourceEdit(place, place, mark)


def _rewrite_tag(found: re.Match[str], name: str) -> Iterator[SourceEdit]:
    if found["name"] != name:
        yield SourceEdit(*found.span("name"), name)
    if attributes := found["attributes"]:
        rewritten = _rewrite_attributes(attributes, is_mjml=name.startswith("mj"))
        if rewritten != attributes:
            yield SourceEdit(*found.span("attributes"), rewritten)
    if name in VOID_TAGS and not found["end"]:
        yield SourceEdit(*found.span("end"), "/")


def _rewrite_end_tag(found: re.Match[str], name: str, *, is_repeated: bool) -> Iterator[SourceEdit]:
    if name in VOID_TAGS:  # </br> alone is a line break, in HTML too
        is_break = name == "br" and not is_repeated
        yield SourceEdit(*found.span(), "<br/>" if is_break else blank_out(found[0]))
    elif found["closed"] != name:
        yield SourceEdit(*found.span("closed"), name)


def _blank_prolog(text: str) -> Iterator[SourceEdit]:
    """Blank the XML declaration and the doctype; the email gets its own."""
    position = 0
    while found := _PROLOG.match(text, position):
        if not found["between"]:
            yield SourceEdit(*found.span(), blank_out(found[0]))
        position = found.end()


def _rewrite_comment(comment: str, component: str) -> str:
    """Return a comment as XML has it; white space where MRML takes none."""
    if component == "mj-style":  # comment marks have no meaning in CSS, what is between them has
        return html.escape(f"    {comment[4:-3]}   ", quote=False)
    if component in _NO_COMMENTS:
        return blank_out(comment)
    if comment.startswith(("<!--[if", "<!--<![")):
        return comment
    return f"<!--{_HYPHEN_PAIR.sub('=', comment[4:-3])}-->"


@lru_cache(maxsize=2048)
def _rewrite_attributes(attributes: str, *, is_mjml: bool) -> str:
    """Return the attributes in XML: quoted, escaped, in lower case, each once.

    Of several attributes of one name the first counts, as in HTML. Cached, since a template's tags
    are mostly the same from one email to the next.
    """
    names: set[str] = set()

    def rewrite(found: re.Match[str]) -> str:
        name = found["name"].lower()
        if name in names:
            return blank_out(found[0])
        names.add(name)
        quote = "'" if found["single"] is not None else '"'
        value = next((v for v in found.group("double", "single", "plain") if v is not None), "")
        if is_mjml:
            value = _rewrite_lengths(name, value)
        value = _BARE_AMPERSAND.sub("&amp;", value).replace("<", "&lt;")
        value = _UNSAFE_CHARACTER.sub(_escape_character, value)
        return f"{found['space']}{name}{found['equals'] or '='}{quote}{value}{quote}"

    return _ATTRIBUTE.sub(rewrite, attributes)


def _escape_character(found: re.Match[str]) -> str:
    """Return a character of an attribute as MRML leaves it alone.

    MRML writes line breaks, backslashes, no-break spaces, combining marks and the joiners of emoji
    as Rust's debug notation does, and readers would see that. White space is a space, as in XML.
    """
    return " " if found[0] in "\n\t\r" else f"&#{ord(found[0])};"


def _rewrite_lengths(attribute: str, value: str) -> str:
    """Return the value of an attribute as MRML's sums of widths understand it.

    A bare 0 in a padding's shorthand makes MRML leave out the whole padding; a bare 0 of one side,
    the shorthand's value for that side; a border's width that isn't first, the border. Outlook
    would get columns wider than their place. A number without a unit is pixels, as in HTML.
    """
    if attribute in LENGTH_ATTRIBUTES:
        value = _BARE_NUMBER.sub(r"\g<0>px", value)
    if found := _PADDING_NAME.fullmatch(attribute):
        sides = value.split()
        if found["side"] or len(sides) > 1:
            return " ".join(_BARE_ZERO.sub("0px", side) for side in sides)
    elif found := _BORDER_NAME.fullmatch(attribute):
        value = _LATE_BORDER_WIDTH.sub(r"\g<width> \g<before>", value)
        if found["side"] and (nothing := _NO_BORDER.fullmatch(value)):
            return f"0px {nothing['rest'].strip()}".strip()
    return value
