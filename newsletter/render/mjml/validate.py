"""Validate rendered MJML: unknown tags, attributes, values, nesting.

MRML accepts most mistakes and drops their content. This parses the MJML as XML (expat), which is
stricter than MRML and knows every position.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from xml.parsers import expat

from newsletter.render.css.html_attributes import is_css_selector
from newsletter.render.mjml.components import (
    CHOICE_ATTRIBUTES,
    CLASSLESS_COMPONENTS,
    COLOR_ATTRIBUTES,
    COMMON_ATTRIBUTES,
    COMPONENTS,
    DEFAULTS_ELEMENTS,
    IGNORED_ATTRIBUTES,
    INERT_ATTRIBUTES,
    LENGTH_ATTRIBUTES,
    OWN_ATTRIBUTES,
    UNSEEN_ATTRIBUTES,
    describe_unsupported,
)
from newsletter.render.personalization import ARTICLE_MARKER

# 20,000 nested elements crash MRML; no mail client needs a hundred.
MAX_DEPTH = 100

_LENGTH_VALUE = re.compile(
    r"(?:auto|0|-?\d*\.?\d+(?:px|%))(?:\s+(?:auto|0|-?\d*\.?\d+(?:px|%))){0,3}"
)
_COLOR_VALUE = re.compile(r"#(?:[0-9a-fA-F]{3,4}){1,2}|[a-zA-Z]+|(?:rgb|hsl)a?\([\d.,%/\s]+\)")
_SINGLE_COMPONENTS = frozenset({"mj-head", "mj-body"})  # of two, MRML drops one
_CSS_IMPORT = re.compile(r"@import\b", re.IGNORECASE)
_HTML_ATTRIBUTE_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_ARTICLE_PARENTS = {"mj-text", "mj-raw"}


class MjmlProblem(NamedTuple):
    """A mistake in rendered MJML.

    Attributes:
        offset: its byte offset in the UTF-8 text.
        message: what is wrong, without a trailing full stop.
        remedy: what to do; may be empty.
    """

    offset: int
    message: str
    remedy: str = ""


def validate_mjml(text: str, *, article_count: int = 1) -> list[MjmlProblem]:
    """Return every problem of rendered MJML, in order; empty if MRML can compile it.

    Args:
        text: one complete ``<mjml>`` document.
        article_count: how often ``{{ article }}`` must occur in it.
    """
    return _MjmlValidator(article_count).validate(text)


class _MjmlValidator:
    def __init__(self, article_count: int) -> None:
        self.problems: list[MjmlProblem] = []
        self._expected_article_count = article_count
        self._open_elements: list[tuple[str, int]] = []
        self._article_count = 0
        self._text_pieces: list[str] = []
        self._text_offset = 0
        self._in_inline_style = False
        self._seen_components: set[str] = set()
        self._parser = parser = expat.ParserCreate("UTF-8")
        parser.StartElementHandler = self._on_start_element
        parser.EndElementHandler = self._on_end_element
        parser.CharacterDataHandler = self._on_text
        parser.StartCdataSectionHandler = self._on_cdata
        parser.ProcessingInstructionHandler = self._on_instruction
        parser.XmlDeclHandler = self._on_instruction
        parser.CommentHandler = self._on_comment

    def validate(self, text: str) -> list[MjmlProblem]:
        try:
            data = text.encode()
        except UnicodeEncodeError as error:
            offset = len(text[: error.start].encode())
            return [MjmlProblem(offset, "half of a surrogate pair is no character", "Remove it.")]
        try:
            self._parser.Parse(data, True)  # noqa: FBT003 - expat takes it by position only
        except expat.ExpatError as error:
            self._report_syntax_error(error, data)
        except _TooDeepError:
            self._report(f"elements are nested more than {MAX_DEPTH} deep", "Remove wrappers.")
        else:
            self._check_article_count()
        return self.problems

    def _check_article_count(self) -> None:
        if self._article_count != self._expected_article_count:
            mistake = "is missing" if self._article_count == 0 else "occurs more than once"
            self.problems.append(
                MjmlProblem(0, f"{{{{ article }}}} {mistake}", "Put it into one <mj-text>, alone.")
            )

    def _on_start_element(self, name: str, attributes: Mapping[str, str]) -> None:
        self._check_text()
        if len(self._open_elements) >= MAX_DEPTH:
            raise _TooDeepError
        parent = self._open_elements[-1][0] if self._open_elements else ""
        self._open_elements.append((name, self._parser.CurrentByteIndex))
        for value in attributes.values():
            if ARTICLE_MARKER in value:
                self._report("{{ article }} can't be an attribute", "Put it into an <mj-text>.")
        self._in_inline_style = name == "mj-style" and attributes.get("inline") == "inline"
        if name in COMPONENTS or name.startswith("mj-"):
            self._check_component(name, parent, attributes)
            self._check_attributes(name, attributes, parent)
        else:
            self._check_html(name, parent)

    def _check_component(self, name: str, parent: str, attributes: Mapping[str, str]) -> None:
        if parent == "mj-attributes":
            if name not in COMPONENTS and name not in DEFAULTS_ELEMENTS:
                self._report_unknown(name, (*COMPONENTS, *DEFAULTS_ELEMENTS), attributes)
            return
        if name not in COMPONENTS:
            self._report_unknown(name, COMPONENTS, attributes)
            return
        if not parent:
            if name != "mjml":
                self._report(f"a template must begin with <mjml>, not with <{name}>")
            return
        if name in _SINGLE_COMPONENTS and name in self._seen_components:
            self._report(f"there is a second <{name}>", "Put all into the first one.")
        self._seen_components.add(name)
        mjml_parent = self._get_mjml_parent()
        if mjml_parent in COMPONENTS and name not in COMPONENTS[mjml_parent].children:
            parents = [
                f"<{other}>"
                for other, component in COMPONENTS.items()
                if name in component.children
            ]
            self._report(
                f"<{name}> can't be inside <{mjml_parent}>",
                f"Put it into {_join_names(parents)}." if parents else "",
            )

    def _get_mjml_parent(self) -> str:
        """Return the nearest MJML ancestor of the element just opened; empty if none."""
        ancestors = (name for name, _ in reversed(self._open_elements[:-1]))
        return next((name for name in ancestors if name.startswith("mj")), "")

    def _report_unknown(
        self, name: str, known: Iterable[str], attributes: Mapping[str, str]
    ) -> None:
        if unsupported := describe_unsupported(name, attributes):
            self._report(*unsupported)
            return
        suggestions = difflib.get_close_matches(name, known, n=1)
        hint = f". Did you mean <{suggestions[0]}>?" if suggestions else ""
        self._report(f"<{name}> is not an MJML component{hint}")

    def _check_attributes(self, name: str, attributes: Mapping[str, str], parent: str) -> None:
        if name not in COMPONENTS and name not in DEFAULTS_ELEMENTS:
            return
        allowed = _get_allowed_attributes(name, parent)
        for attribute, value in attributes.items():
            if attribute in IGNORED_ATTRIBUTES.get(name, ()):
                self._report(f"{attribute} has no effect on <{name}> here", "Remove it.")
            elif attribute in OWN_ATTRIBUTES.get(name, ()):
                self._check_own_attribute(attribute, value)
            elif (name, attribute) == ("mj-hero", "mode") and value != "fixed-height":
                self._report(f'mode="{value}" is not supported here', "Leave it out.")
            elif attribute in INERT_ATTRIBUTES.get(name, ()) or (
                attribute in UNSEEN_ATTRIBUTES.get(name, ())
            ):
                continue
            elif attribute not in allowed:
                suggestions = difflib.get_close_matches(attribute, allowed, n=1)
                hint = f". Did you mean {suggestions[0]}?" if suggestions else ""
                remedy = "" if suggestions else "Remove it."
                self._report(f"<{name}> has no attribute {attribute}{hint}", remedy)
            else:
                self._check_value(attribute, value.strip())

    def _check_own_attribute(self, attribute: str, value: str) -> None:
        if attribute == "path" and not is_css_selector(value):
            self._report(f'path="{value}" is not a CSS selector', "Write it like .button a.")
        elif attribute == "name" and not _HTML_ATTRIBUTE_NAME.fullmatch(value):
            self._report(f'name="{value}" is not the name of an attribute', "Write it like title.")
        elif attribute == "position" and value != "file-start":
            self._report(f'position="{value}" is not a valid value', "Write file-start.")

    def _check_value(self, attribute: str, value: str) -> None:
        if not value:
            return
        if attribute in LENGTH_ATTRIBUTES and not _LENGTH_VALUE.fullmatch(value):
            self._report(
                f'{attribute}="{value}" is not a valid length', "Write it in px or %, like 20px."
            )
        elif attribute in COLOR_ATTRIBUTES and not _COLOR_VALUE.fullmatch(value):
            self._report(f'{attribute}="{value}" is not a valid colour', "Write it like #1f5f8b.")
        elif attribute in CHOICE_ATTRIBUTES and value not in CHOICE_ATTRIBUTES[attribute]:
            self._report(
                f'{attribute}="{value}" is not a valid value',
                f"Write {_join_names(CHOICE_ATTRIBUTES[attribute])}.",
            )

    def _check_html(self, name: str, parent: str) -> None:
        if not parent:
            self._report(f"a template must begin with <mjml>, not with <{name}>")
        elif parent in COMPONENTS and not COMPONENTS[parent].allows_content:
            self._report(f"<{name}> can't be inside <{parent}>", _suggest_html_parent(parent))
        if name == "pre":
            self._report("<pre> loses line breaks in a template", "Put code into the post.")

    def _on_end_element(self, name: str) -> None:  # noqa: ARG002 - expat checks that it is the open element
        self._check_text()
        self._open_elements.pop()

    def _on_text(self, text: str) -> None:
        """Collect text: expat passes it in pieces, such as a line or an entity."""
        if not self._text_pieces and not text.isspace():
            self._text_offset = self._parser.CurrentByteIndex
        if self._text_pieces or not text.isspace():
            self._text_pieces.append(text)

    def _check_text(self) -> None:
        """Check all the text between two tags."""
        text = "".join(self._text_pieces).strip()
        self._text_pieces.clear()
        if not text:
            return
        parent = self._open_elements[-1][0]
        if self._in_inline_style and _CSS_IMPORT.search(text):
            self._report("@import is not supported", "Copy the rules into this element.")
        self._article_count += text.count(ARTICLE_MARKER)
        if parent in COMPONENTS and not COMPONENTS[parent].allows_content:
            message, remedy = f"there is text in <{parent}>", _suggest_html_parent(parent)
            self.problems.append(MjmlProblem(self._text_offset, message, remedy))
        elif ARTICLE_MARKER in text and (parent not in _ARTICLE_PARENTS or text != ARTICLE_MARKER):
            message = "{{ article }} must be alone in its element"
            self.problems.append(
                MjmlProblem(self._text_offset, message, "Put it into its own <mj-text>.")
            )

    def _on_comment(self, text: str) -> None:
        if ARTICLE_MARKER in text:
            self._report("{{ article }} is in a comment", "Comment it out with {# … #}.")

    def _on_cdata(self) -> None:
        self._report("<![CDATA[ is not supported here", "Write &lt; and &amp; instead.")

    def _on_instruction(self, *_: object) -> None:
        self._report("<? … ?> is not supported here", "Remove it.")

    def _report(self, message: str, remedy: str = "") -> None:
        self.problems.append(MjmlProblem(max(self._parser.CurrentByteIndex, 0), message, remedy))

    def _report_syntax_error(self, error: expat.ExpatError, data: bytes) -> None:
        offset = max(self._parser.ErrorByteIndex, 0)
        self.problems.append(_explain_syntax_error(error, offset, data, self._open_elements))


class _TooDeepError(Exception):
    pass


def _get_allowed_attributes(name: str, parent: str) -> frozenset[str]:
    if name == "mj-all" or (name == "mj-class" and parent == "mj-attributes"):
        all_attributes = frozenset().union(
            *(component.attributes for component in COMPONENTS.values())
        )
        return all_attributes | COMMON_ATTRIBUTES | {"name"}
    return COMPONENTS[name].attributes | (
        frozenset() if name in CLASSLESS_COMPONENTS else COMMON_ATTRIBUTES
    )


def _explain_syntax_error(
    error: expat.ExpatError, offset: int, data: bytes, open_elements: list[tuple[str, int]]
) -> MjmlProblem:
    """Return expat's first error, at which it stops, as a problem with a remedy."""
    code = expat.errors.messages.get(error.code, "")
    excerpt = data[offset : offset + 200].decode(errors="replace")
    open_tag, begin = open_elements[-1] if open_elements else ("", 0)
    closing = re.match(r"(?:</)?([^\s<>/]*)", excerpt)
    message, remedy = f"invalid XML ({code})", ""
    if code == expat.errors.XML_ERROR_TAG_MISMATCH and closing:
        message = f"</{closing[1]}> doesn't match the open <{open_tag}>"
        remedy = f"Close <{open_tag}> first."
    elif b"<![" in data[max(offset - 3, 0) : offset]:
        message = "this form of conditional comment is not supported"
        remedy = "Write <!--[if !mso]><!--> … <!--<![endif]-->."
    elif code == expat.errors.XML_ERROR_NO_ELEMENTS and open_tag:
        offset, message, remedy = (
            begin,
            f"<{open_tag}> is never closed",
            f"Write </{open_tag}> where it ends.",
        )
    elif code == expat.errors.XML_ERROR_SYNTAX and not open_tag:
        remedy = "A template must begin with <mjml>."
    elif code == expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT:
        message, remedy = "there is something after </mjml>", "Put all into one <mjml>."
    elif code == expat.errors.XML_ERROR_NO_ELEMENTS:
        message, remedy = "this template is empty", "It must begin with <mjml>."
    elif code == expat.errors.XML_ERROR_UNDEFINED_ENTITY:
        message, remedy = (
            f"{excerpt.split(';')[0]}; is not a known character",
            "Write &amp; for a plain &.",
        )
    elif code == expat.errors.XML_ERROR_INVALID_TOKEN:
        remedy = "Write &amp; for a plain &, &lt; for a plain <, and no -- in a comment."
    return MjmlProblem(offset, message, remedy)


def _suggest_html_parent(parent: str) -> str:
    target = "mj-raw" if parent in {"mj-head", "mj-body", "mj-wrapper"} else "mj-text or mj-raw"
    return f"Put it into <{target.replace(' or ', '> or <')}>."


def _join_names(names: Iterable[str]) -> str:
    *rest, last = names
    return f"{', '.join(rest)} or {last}" if rest else last
