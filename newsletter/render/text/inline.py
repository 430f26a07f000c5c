"""Convert phrasing elements to plain text: links, footnotes, emphasis."""

import re
from collections.abc import Iterable
from typing import Literal
from urllib.parse import unquote

from newsletter.render.article.blocks import BUTTON_CLASS
from newsletter.render.article.dom import BLOCKS, Element, get_classes, is_blank
from newsletter.render.article.links import is_same_address

LinkStyle = Literal["numbered", "inline"]

NO_BREAK_SPACE = "\u00a0"
_REPLACEMENTS = {"br": "\n", "rp": ""}

_SPACES = re.compile("[ \t\n\r\f\x85\u2028\u2029]+")
_REPEATED_SPACES = re.compile("  +")
_AROUND_BREAK = re.compile(" *\n *")
_EMPHASIS_MARKS = {
    **dict.fromkeys(("strong", "b", "mark"), ("*", "*")),
    **dict.fromkeys(("em", "i"), ("_", "_")),
    **dict.fromkeys(("s", "del", "strike"), ("~~", "~~")),
    "code": ("`", "`"),
}
_ENCLOSING_MARKS = {"q": ("\u201c", "\u201d"), "rt": ("(", ")")}
_EXPONENT = re.compile("[+\u2212-]?[0-9]+")


class InlineWriter:
    """Converter of runs of text and elements to text; it numbers links and footnotes.

    Args:
        root: the article, whose footnotes get letters in order.
        links: ``numbered`` puts ``[1]`` after a link's text, ``inline`` its URL in ``<…>``.
    """

    def __init__(self, root: Element, links: LinkStyle) -> None:
        self._numbered = links == "numbered"
        self._emphasis = True
        self._footnote_labels = {
            item.get("id", ""): number_to_letters(number)
            for notes in root.iter("div", "section")
            if "footnotes" in get_classes(notes)
            for number, item in enumerate((i for i in notes.iter("li") if i.get("id")), 1)
        }
        self.urls: dict[str, int] = {}

    def write_run(self, run: Iterable[str | Element]) -> str:
        r"""Return a run of text and elements, spaces collapsed, ``\n`` where a ``<br>`` was."""
        parts = (
            self._collapse_spaces(e) if isinstance(e, str) else self._write_element(e) for e in run
        )
        text = "".join(parts)
        text = _REPEATED_SPACES.sub(" ", text) if "  " in text else text
        return (_AROUND_BREAK.sub("\n", text) if "\n" in text else text).strip(" \n")

    def write_line(self, element: Element) -> str:
        """Return all of an element's content on one line, without emphasis marks."""
        self._emphasis = False
        text = self.write_run([self._write_content(element)])
        self._emphasis = True
        return text

    def add_reference(self, href: str, text: str) -> str:
        """Return ``text`` with a reference to ``href``."""
        core = text.strip(" \n")
        if is_same_address(core, href):
            return text.replace(core, re.sub("^(mailto|tel):", "", href), 1)
        if not core:
            return f"<{href}>"
        if self._numbered:
            reference = f"{NO_BREAK_SPACE}[{self.urls.setdefault(href, len(self.urls) + 1)}]"
        else:
            reference = f" <{href}>"
        return text.replace(core, core + reference, 1)

    def get_footnote_label(self, element: Element) -> str:
        """Return the letter of a footnote; empty if the element is not a footnote."""
        return self._footnote_labels.get(element.get("id", ""), "")

    def _collapse_spaces(self, text: str | None) -> str:
        return _SPACES.sub(" ", text) if text else ""

    def _write_content(self, element: Element) -> str:
        parts = [self._collapse_spaces(element.text)]
        for child in element:
            parts += (self._write_element(child), self._collapse_spaces(child.tail))
        return "".join(parts)

    def _write_element(self, element: Element) -> str:
        tag = str(element.tag)
        if tag in _REPLACEMENTS:
            return _REPLACEMENTS[tag]
        if tag == "img":
            alt = self._collapse_spaces(element.get("alt"))
            return "" if is_blank(alt) else f"[{alt.strip()}]"
        if tag == "a":
            return self._write_link(element)
        content = self._write_content(element)
        if tag in BLOCKS:
            return f" {content} "
        if tag == "sup" and _EXPONENT.fullmatch(content):
            return f"^{content}"  # m^2 is not m2; an ordinal such as 1st is readable as it is
        before, after = (
            _ENCLOSING_MARKS.get(tag) or (self._emphasis and _EMPHASIS_MARKS.get(tag)) or ("", "")
        )
        core = content.strip(" \n")
        return content.replace(core, before + core + after, 1) if core else content

    def _write_link(self, link: Element) -> str:
        href = link.get("href")
        if href is None:
            return self._write_content(link)
        if href.startswith("#"):
            if letter := self._footnote_labels.get(href[1:]):
                return f"[{letter}]"
            return "" if "footnote-backref" in get_classes(link) else self._write_content(link)
        content = self._write_content(link)
        if BUTTON_CLASS in get_classes(link):
            return f"{content}: {_get_shown_address(href)}"
        return self.add_reference(href, content)


def _get_shown_address(href: str) -> str:
    """Return the address itself of a ``mailto:`` URL; any other URL as it is."""
    return (
        unquote(href.removeprefix("mailto:").partition("?")[0]) if "mailto:" in href[:7] else href
    )


def number_to_letters(number: int) -> str:
    """Return the label of a footnote: 1 → a, 26 → z, 27 → aa; link references are numbers."""
    text = ""
    while number:
        number, digit = divmod(number - 1, 26)
        text = chr(ord("a") + digit) + text
    return text
