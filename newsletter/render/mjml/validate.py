"""Checks filled MJML before MRML sees it, which lets most mistakes pass and drops the rest.

Reads it as XML (expat), which is stricter than MRML and knows where everything stands.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from xml.parsers import expat

from newsletter.render.mjml.components import (
    CHOICE,
    CLASSLESS,
    COLOUR,
    COMMON,
    COMPONENTS,
    ELSEWHERE,
    EVERYWHERE,
    IGNORED,
    LENGTH,
)
from newsletter.render.personalization import ARTICLE

# 20,000 nested elements crash MRML; no mail client shows a tenth of a hundred.
MAX_DEPTH = 100

_LENGTHS = re.compile(r"(?:auto|0|-?\d*\.?\d+(?:px|%))(?:\s+(?:auto|0|-?\d*\.?\d+(?:px|%))){0,3}")
_COLOURS = re.compile(r"#(?:[0-9a-fA-F]{3,4}){1,2}|[a-zA-Z]+|(?:rgb|hsl)a?\([\d.,%/\s]+\)")
_VOID = "area base br col embed hr img input link meta source track wbr".split()  # noqa: SIM905
_ARTICLE_HOMES = {"mj-text", "mj-raw"}


class Fault(NamedTuple):
    """Something wrong in filled MJML.

    Attributes:
        offset: where, in bytes of its UTF-8.
        message: what is wrong, without a trailing full stop.
        remedy: what to do; may be empty.
    """

    offset: int
    message: str
    remedy: str = ""


def check_mjml(text: str, *, articles: int = 1) -> list[Fault]:
    """Every fault of filled MJML, in its order; empty when MRML can be trusted with it.

    Args:
        text: one whole ``<mjml>`` document.
        articles: how often ``{{ article }}`` must stand in it.
    """
    return _Reader(articles).read(text)


class _Reader:
    def __init__(self, articles: int) -> None:
        self.faults: list[Fault] = []
        self._articles = articles
        self._open: list[tuple[str, int]] = []
        self._article = 0
        self._words: list[str] = []
        self._words_at = 0
        self._parser = parser = expat.ParserCreate("UTF-8")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._piece
        parser.StartCdataSectionHandler = self._cdata
        parser.StartDoctypeDeclHandler = self._doctype
        parser.ProcessingInstructionHandler = self._instruction
        parser.XmlDeclHandler = self._instruction
        parser.CommentHandler = self._comment

    def read(self, text: str) -> list[Fault]:
        data = text.encode()
        try:
            self._parser.Parse(data, True)  # noqa: FBT003 - expat takes it by position only
        except expat.ExpatError as error:
            self._broken(error, data)
        except _TooDeepError:
            self._fault(f"this nests more than {MAX_DEPTH} elements deep", "Take wrappers out.")
        else:
            self._whole()
        return self.faults

    def _whole(self) -> None:
        if self._article != self._articles:
            times = "never placed" if self._article == 0 else "placed more than once"
            self.faults.append(
                Fault(0, f"{{{{ article }}}} is {times}", "Put it into one <mj-text>, alone.")
            )

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._text()
        if len(self._open) >= MAX_DEPTH:
            raise _TooDeepError
        parent = self._open[-1][0] if self._open else ""
        self._open.append((name, self._parser.CurrentByteIndex))
        for value in attributes.values():
            if ARTICLE in value:
                self._fault("{{ article }} can't be an attribute", "Put it into an <mj-text>.")
        if name in COMPONENTS or name.startswith("mj-"):
            self._component(name, parent)
            self._attributes(name, attributes, parent)
        else:
            self._html(name, attributes, parent)

    def _component(self, name: str, parent: str) -> None:
        if parent == "mj-attributes":
            if name not in COMPONENTS and name not in EVERYWHERE:
                self._unknown(name, (*COMPONENTS, *EVERYWHERE))
            return
        if name not in COMPONENTS:
            self._unknown(name, COMPONENTS)
            return
        if not parent:
            if name != "mjml":
                self._fault(f"a template begins with <mjml>, not with <{name}>")
            return
        home = self._home()
        if home in COMPONENTS and name not in COMPONENTS[home].children:
            homes = [f"<{other}>" for other, it in COMPONENTS.items() if name in it.children]
            self._fault(
                f"<{name}> can't be inside <{home}>",
                f"It goes into {_listed(homes)}." if homes else "",
            )

    def _home(self) -> str:
        """The nearest MJML element around the one just opened."""
        around = (name for name, _ in reversed(self._open[:-1]))
        return next((n for n in around if n.startswith("mj")), "")

    def _unknown(self, name: str, known: Iterable[str]) -> None:
        if name in ELSEWHERE:
            self._fault(f"<{name}> is not supported here", ELSEWHERE[name])
            return
        near = difflib.get_close_matches(name, known, n=1)
        hint = f". Did you mean <{near[0]}>?" if near else ""
        self._fault(f"<{name}> is no MJML component{hint}")

    def _attributes(self, name: str, attributes: Mapping[str, str], parent: str) -> None:
        if name not in COMPONENTS and name not in EVERYWHERE:
            return
        allowed = _allowed(name, parent)
        for attribute, value in attributes.items():
            if attribute in IGNORED.get(name, ()):
                remedy = (
                    "Rules to inline go into article.css." if name == "mj-style" else "Take it out."
                )
                self._fault(f"{attribute} does nothing on <{name}> here", remedy)
            elif attribute not in allowed:
                near = difflib.get_close_matches(attribute, allowed, n=1)
                hint = f". Did you mean {near[0]}?" if near else ""
                self._fault(f"<{name}> has no attribute {attribute}{hint}")
            else:
                self._value(attribute, value.strip())

    def _value(self, attribute: str, value: str) -> None:
        if not value:
            return
        if attribute in LENGTH and not _LENGTHS.fullmatch(value):
            self._fault(f'{attribute}="{value}" is no length', "Write it in px or %, like 20px.")
        elif attribute in COLOUR and not _COLOURS.fullmatch(value):
            self._fault(f'{attribute}="{value}" is no colour', "Write it like #1f5f8b.")
        elif attribute in CHOICE and value not in CHOICE[attribute]:
            self._fault(
                f'{attribute}="{value}" means nothing', f"It is {_listed(CHOICE[attribute])}."
            )

    def _html(self, name: str, attributes: Mapping[str, str], parent: str) -> None:
        if not parent:
            self._fault(f"a template begins with <mjml>, not with <{name}>")
        elif parent in COMPONENTS and not COMPONENTS[parent].content:
            self._fault(f"<{name}> can't be inside <{parent}>", _html_remedy(parent))
        if name != name.lower() or any(key != key.lower() for key in attributes):
            self._fault(f"<{name}> has capital letters in it", "Write tags and attributes small.")
        if name == "pre":
            self._fault("<pre> loses line breaks in a template", "Put code into the post.")

    def _end(self, name: str) -> None:  # noqa: ARG002 - expat checks that it is the one open
        self._text()
        self._open.pop()

    def _piece(self, text: str) -> None:
        """Expat hands text over in pieces: a line, an entity."""
        if not self._words and not text.isspace():
            self._words_at = self._parser.CurrentByteIndex
        if self._words or not text.isspace():
            self._words.append(text)

    def _text(self) -> None:
        """All the text between two tags."""
        text = "".join(self._words).strip()
        self._words.clear()
        if not text:
            return
        parent = self._open[-1][0]
        self._article += text.count(ARTICLE)
        if parent in COMPONENTS and not COMPONENTS[parent].content:
            message, remedy = f"there is text in <{parent}>", _html_remedy(parent)
            self.faults.append(Fault(self._words_at, message, remedy))
        elif ARTICLE in text and (parent not in _ARTICLE_HOMES or text != ARTICLE):
            message = "{{ article }} must stand alone in its element"
            self.faults.append(Fault(self._words_at, message, "Give it an <mj-text> of its own."))

    def _comment(self, text: str) -> None:
        if ARTICLE in text:
            self._fault("{{ article }} is in a comment", "Comment out in a template: {# … #}.")

    def _cdata(self) -> None:
        self._fault("<![CDATA[ is not supported here", "Write &lt; and &amp; instead.")

    def _doctype(self, *_: object) -> None:
        self._fault("a template has no <!DOCTYPE", "Take it out; the mail gets one by itself.")

    def _instruction(self, *_: object) -> None:
        self._fault("<? … ?> is not supported here", "Take it out.")

    def _fault(self, message: str, remedy: str = "") -> None:
        self.faults.append(Fault(max(self._parser.CurrentByteIndex, 0), message, remedy))

    def _broken(self, error: expat.ExpatError, data: bytes) -> None:
        at = max(self._parser.ErrorByteIndex, 0)
        self.faults.append(_broken(error, at, data, self._open))


class _TooDeepError(Exception):
    pass


def _allowed(name: str, parent: str) -> frozenset[str]:
    if name == "mj-all" or (name == "mj-class" and parent == "mj-attributes"):
        every = frozenset().union(*(component.attributes for component in COMPONENTS.values()))
        return every | COMMON | {"name"}
    return COMPONENTS[name].attributes | (frozenset() if name in CLASSLESS else COMMON)


def _broken(error: expat.ExpatError, at: int, data: bytes, around: list[tuple[str, int]]) -> Fault:
    """Expat's first complaint, after which it reads no further, in words that help."""
    code = expat.errors.messages.get(error.code, "")
    here = data[at : at + 200].decode(errors="replace")
    inner, begin = around[-1] if around else ("", 0)
    closing = re.match(r"(?:</)?([^\s<>/]*)", here)
    message, remedy = f"this can't be read ({code})", ""
    if code == expat.errors.XML_ERROR_TAG_MISMATCH and inner in _VOID:
        at, message, remedy = begin, f"<{inner}> is never closed", f"Write <{inner} />."
    elif code == expat.errors.XML_ERROR_TAG_MISMATCH and closing:
        message = f"</{closing[1]}> closes nothing: <{inner}> is open"
        remedy = f"Close <{inner}> first."
    elif b"<![" in data[max(at - 3, 0) : at]:
        message = "this kind of conditional comment breaks"
        remedy = "Write <!--[if !mso]><!--> … <!--<![endif]-->."
    elif code == expat.errors.XML_ERROR_NO_ELEMENTS and inner:
        at, message, remedy = (
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
    return Fault(at, message, remedy)


def _html_remedy(parent: str) -> str:
    home = "mj-raw" if parent in {"mj-head", "mj-body", "mj-wrapper"} else "mj-text or mj-raw"
    return f"Put it into <{home.replace(' or ', '> or <')}>."


def _listed(names: Iterable[str]) -> str:
    *rest, last = names
    return f"{', '.join(rest)} or {last}" if rest else last
