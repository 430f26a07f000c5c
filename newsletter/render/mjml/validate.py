"""Checks filled MJML before MRML sees it, which lets most mistakes pass and drops the rest.

Reads it as XML (expat), which is stricter than MRML and knows where everything stands.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from xml.parsers import expat

from newsletter.render.mjml.components import (
    CHOICE_ATTRIBUTES,
    CLASSLESS_COMPONENTS,
    COLOR_ATTRIBUTES,
    COMMON_ATTRIBUTES,
    COMPONENTS,
    DEFAULTS_ELEMENTS,
    IGNORED_ATTRIBUTES,
    LENGTH_ATTRIBUTES,
    UNSUPPORTED_REMEDIES,
)
from newsletter.render.personalization import ARTICLE_MARKER

# 20,000 nested elements crash MRML; no mail client shows a tenth of a hundred.
MAX_DEPTH = 100

_LENGTH_VALUE = re.compile(
    r"(?:auto|0|-?\d*\.?\d+(?:px|%))(?:\s+(?:auto|0|-?\d*\.?\d+(?:px|%))){0,3}"
)
_COLOR_VALUE = re.compile(r"#(?:[0-9a-fA-F]{3,4}){1,2}|[a-zA-Z]+|(?:rgb|hsl)a?\([\d.,%/\s]+\)")
_VOID_TAGS = "area base br col embed hr img input link meta source track wbr".split()  # noqa: SIM905
_ARTICLE_PARENTS = {"mj-text", "mj-raw"}


class MjmlFault(NamedTuple):
    """Something wrong in filled MJML.

    Attributes:
        offset: where, in bytes of its UTF-8.
        message: what is wrong, without a trailing full stop.
        remedy: what to do; may be empty.
    """

    offset: int
    message: str
    remedy: str = ""


def validate_mjml(text: str, *, article_count: int = 1) -> list[MjmlFault]:
    """Every fault of filled MJML, in its order; empty when MRML can be trusted with it.

    Args:
        text: one whole ``<mjml>`` document.
        article_count: how often ``{{ article }}`` must stand in it.
    """
    return _MjmlValidator(article_count).validate(text)


class _MjmlValidator:
    def __init__(self, article_count: int) -> None:
        self.faults: list[MjmlFault] = []
        self._expected_article_count = article_count
        self._open_elements: list[tuple[str, int]] = []
        self._article_count = 0
        self._text_pieces: list[str] = []
        self._text_offset = 0
        self._parser = parser = expat.ParserCreate("UTF-8")
        parser.StartElementHandler = self._on_start_element
        parser.EndElementHandler = self._on_end_element
        parser.CharacterDataHandler = self._on_text
        parser.StartCdataSectionHandler = self._on_cdata
        parser.StartDoctypeDeclHandler = self._on_doctype
        parser.ProcessingInstructionHandler = self._on_instruction
        parser.XmlDeclHandler = self._on_instruction
        parser.CommentHandler = self._on_comment

    def validate(self, text: str) -> list[MjmlFault]:
        data = text.encode()
        try:
            self._parser.Parse(data, True)  # noqa: FBT003 - expat takes it by position only
        except expat.ExpatError as error:
            self._report_syntax_error(error, data)
        except _TooDeepError:
            self._report_fault(
                f"this nests more than {MAX_DEPTH} elements deep", "Take wrappers out."
            )
        else:
            self._check_article_count()
        return self.faults

    def _check_article_count(self) -> None:
        if self._article_count != self._expected_article_count:
            times = "never placed" if self._article_count == 0 else "placed more than once"
            self.faults.append(
                MjmlFault(0, f"{{{{ article }}}} is {times}", "Put it into one <mj-text>, alone.")
            )

    def _on_start_element(self, name: str, attributes: Mapping[str, str]) -> None:
        self._check_text()
        if len(self._open_elements) >= MAX_DEPTH:
            raise _TooDeepError
        parent = self._open_elements[-1][0] if self._open_elements else ""
        self._open_elements.append((name, self._parser.CurrentByteIndex))
        for value in attributes.values():
            if ARTICLE_MARKER in value:
                self._report_fault(
                    "{{ article }} can't be an attribute", "Put it into an <mj-text>."
                )
        if name in COMPONENTS or name.startswith("mj-"):
            self._check_component(name, parent)
            self._check_attributes(name, attributes, parent)
        else:
            self._check_html(name, attributes, parent)

    def _check_component(self, name: str, parent: str) -> None:
        if parent == "mj-attributes":
            if name not in COMPONENTS and name not in DEFAULTS_ELEMENTS:
                self._report_unknown(name, (*COMPONENTS, *DEFAULTS_ELEMENTS))
            return
        if name not in COMPONENTS:
            self._report_unknown(name, COMPONENTS)
            return
        if not parent:
            if name != "mjml":
                self._report_fault(f"a template begins with <mjml>, not with <{name}>")
            return
        home = self._get_mjml_parent()
        if home in COMPONENTS and name not in COMPONENTS[home].children:
            homes = [f"<{other}>" for other, it in COMPONENTS.items() if name in it.children]
            self._report_fault(
                f"<{name}> can't be inside <{home}>",
                f"It goes into {_join_names(homes)}." if homes else "",
            )

    def _get_mjml_parent(self) -> str:
        """The nearest MJML element around the one just opened."""
        around = (name for name, _ in reversed(self._open_elements[:-1]))
        return next((n for n in around if n.startswith("mj")), "")

    def _report_unknown(self, name: str, known: Iterable[str]) -> None:
        if name in UNSUPPORTED_REMEDIES:
            self._report_fault(f"<{name}> is not supported here", UNSUPPORTED_REMEDIES[name])
            return
        near = difflib.get_close_matches(name, known, n=1)
        hint = f". Did you mean <{near[0]}>?" if near else ""
        self._report_fault(f"<{name}> is no MJML component{hint}")

    def _check_attributes(self, name: str, attributes: Mapping[str, str], parent: str) -> None:
        if name not in COMPONENTS and name not in DEFAULTS_ELEMENTS:
            return
        allowed = _get_allowed_attributes(name, parent)
        for attribute, value in attributes.items():
            if attribute in IGNORED_ATTRIBUTES.get(name, ()):
                remedy = (
                    "Rules to inline go into article.css." if name == "mj-style" else "Take it out."
                )
                self._report_fault(f"{attribute} does nothing on <{name}> here", remedy)
            elif attribute not in allowed:
                near = difflib.get_close_matches(attribute, allowed, n=1)
                hint = f". Did you mean {near[0]}?" if near else ""
                self._report_fault(f"<{name}> has no attribute {attribute}{hint}")
            else:
                self._check_value(attribute, value.strip())

    def _check_value(self, attribute: str, value: str) -> None:
        if not value:
            return
        if attribute in LENGTH_ATTRIBUTES and not _LENGTH_VALUE.fullmatch(value):
            self._report_fault(
                f'{attribute}="{value}" is no length', "Write it in px or %, like 20px."
            )
        elif attribute in COLOR_ATTRIBUTES and not _COLOR_VALUE.fullmatch(value):
            self._report_fault(f'{attribute}="{value}" is no colour', "Write it like #1f5f8b.")
        elif attribute in CHOICE_ATTRIBUTES and value not in CHOICE_ATTRIBUTES[attribute]:
            self._report_fault(
                f'{attribute}="{value}" means nothing',
                f"It is {_join_names(CHOICE_ATTRIBUTES[attribute])}.",
            )

    def _check_html(self, name: str, attributes: Mapping[str, str], parent: str) -> None:
        if not parent:
            self._report_fault(f"a template begins with <mjml>, not with <{name}>")
        elif parent in COMPONENTS and not COMPONENTS[parent].allows_content:
            self._report_fault(f"<{name}> can't be inside <{parent}>", _suggest_html_parent(parent))
        if name != name.lower() or any(key != key.lower() for key in attributes):
            self._report_fault(
                f"<{name}> has capital letters in it", "Write tags and attributes small."
            )
        if name == "pre":
            self._report_fault("<pre> loses line breaks in a template", "Put code into the post.")

    def _on_end_element(self, name: str) -> None:  # noqa: ARG002 - expat checks that it is the one open
        self._check_text()
        self._open_elements.pop()

    def _on_text(self, text: str) -> None:
        """Expat hands text over in pieces: a line, an entity."""
        if not self._text_pieces and not text.isspace():
            self._text_offset = self._parser.CurrentByteIndex
        if self._text_pieces or not text.isspace():
            self._text_pieces.append(text)

    def _check_text(self) -> None:
        """All the text between two tags."""
        text = "".join(self._text_pieces).strip()
        self._text_pieces.clear()
        if not text:
            return
        parent = self._open_elements[-1][0]
        self._article_count += text.count(ARTICLE_MARKER)
        if parent in COMPONENTS and not COMPONENTS[parent].allows_content:
            message, remedy = f"there is text in <{parent}>", _suggest_html_parent(parent)
            self.faults.append(MjmlFault(self._text_offset, message, remedy))
        elif ARTICLE_MARKER in text and (parent not in _ARTICLE_PARENTS or text != ARTICLE_MARKER):
            message = "{{ article }} must stand alone in its element"
            self.faults.append(
                MjmlFault(self._text_offset, message, "Give it an <mj-text> of its own.")
            )

    def _on_comment(self, text: str) -> None:
        if ARTICLE_MARKER in text:
            self._report_fault(
                "{{ article }} is in a comment", "Comment out in a template: {# … #}."
            )

    def _on_cdata(self) -> None:
        self._report_fault("<![CDATA[ is not supported here", "Write &lt; and &amp; instead.")

    def _on_doctype(self, *_: object) -> None:
        self._report_fault(
            "a template has no <!DOCTYPE", "Take it out; the mail gets one by itself."
        )

    def _on_instruction(self, *_: object) -> None:
        self._report_fault("<? … ?> is not supported here", "Take it out.")

    def _report_fault(self, message: str, remedy: str = "") -> None:
        self.faults.append(MjmlFault(max(self._parser.CurrentByteIndex, 0), message, remedy))

    def _report_syntax_error(self, error: expat.ExpatError, data: bytes) -> None:
        at = max(self._parser.ErrorByteIndex, 0)
        self.faults.append(_explain_syntax_error(error, at, data, self._open_elements))


class _TooDeepError(Exception):
    pass


def _get_allowed_attributes(name: str, parent: str) -> frozenset[str]:
    if name == "mj-all" or (name == "mj-class" and parent == "mj-attributes"):
        every = frozenset().union(*(component.attributes for component in COMPONENTS.values()))
        return every | COMMON_ATTRIBUTES | {"name"}
    return COMPONENTS[name].attributes | (
        frozenset() if name in CLASSLESS_COMPONENTS else COMMON_ATTRIBUTES
    )


def _explain_syntax_error(
    error: expat.ExpatError, offset: int, data: bytes, open_elements: list[tuple[str, int]]
) -> MjmlFault:
    """Expat's first complaint, after which it reads no further, in words that help."""
    code = expat.errors.messages.get(error.code, "")
    here = data[offset : offset + 200].decode(errors="replace")
    inner, begin = open_elements[-1] if open_elements else ("", 0)
    closing = re.match(r"(?:</)?([^\s<>/]*)", here)
    message, remedy = f"this can't be read ({code})", ""
    if code == expat.errors.XML_ERROR_TAG_MISMATCH and inner in _VOID_TAGS:
        offset, message, remedy = begin, f"<{inner}> is never closed", f"Write <{inner} />."
    elif code == expat.errors.XML_ERROR_TAG_MISMATCH and closing:
        message = f"</{closing[1]}> closes nothing: <{inner}> is open"
        remedy = f"Close <{inner}> first."
    elif b"<![" in data[max(offset - 3, 0) : offset]:
        message = "this kind of conditional comment breaks"
        remedy = "Write <!--[if !mso]><!--> … <!--<![endif]-->."
    elif code == expat.errors.XML_ERROR_NO_ELEMENTS and inner:
        offset, message, remedy = (
            begin,
            f"<{inner}> is never closed",
            f"Write </{inner}> where it ends.",
        )
    elif code == expat.errors.XML_ERROR_NO_ELEMENTS:
        message, remedy = "there is nothing in this template", "It begins with <mjml>."
    elif code == expat.errors.XML_ERROR_UNDEFINED_ENTITY:
        message, remedy = f"{here.split(';')[0]}; is no character", "Write &amp; for a plain &."
    elif code == expat.errors.XML_ERROR_INVALID_TOKEN:
        remedy = "Write &amp; for a plain &, &lt; for a plain <, and no -- in a comment."
    return MjmlFault(offset, message, remedy)


def _suggest_html_parent(parent: str) -> str:
    home = "mj-raw" if parent in {"mj-head", "mj-body", "mj-wrapper"} else "mj-text or mj-raw"
    return f"Put it into <{home.replace(' or ', '> or <')}>."


def _join_names(names: Iterable[str]) -> str:
    *rest, last = names
    return f"{', '.join(rest)} or {last}" if rest else last
