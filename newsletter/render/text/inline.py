"""Phrasing elements as plain text: links numbered or beside their words, marks for emphasis."""

import re
from collections.abc import Iterable
from typing import Literal

from newsletter.render.article.dom import BLOCKS, Element, blank, classes
from newsletter.render.article.links import same_address

LinkStyle = Literal["numbered", "inline"]

NO_BREAK_SPACE = "\u00a0"
_INSTEAD = {"br": "\n", "rp": ""}

_SPACES = re.compile("[ \t\n\r\f\x85\u2028\u2029]+")
_AROUND_BREAK = re.compile(" *\n *")
_MARKS = {
    **dict.fromkeys(("strong", "b"), ("*", "*")),
    **dict.fromkeys(("em", "i"), ("_", "_")),
    **dict.fromkeys(("s", "del", "strike"), ("~~", "~~")),
    "code": ("`", "`"),
}
_AROUND = {"q": ("\u201c", "\u201d"), "rt": ("(", ")")}
_EXPONENT = re.compile("[+\u2212-]?[0-9]+")


class Inline:
    """Turns runs of text and elements into text, and keeps count of links and notes.

    Args:
        root: the article, whose footnotes get letters in order.
        links: ``numbered`` puts ``[1]`` behind a link's words, ``inline`` its URL in ``<…>``.
    """

    def __init__(self, root: Element, links: LinkStyle) -> None:
        self._numbered = links == "numbered"
        self._marks = True
        self._notes = {
            item.get("id", ""): letters(number)
            for notes in root.iter("div", "section")
            if "footnotes" in classes(notes)
            for number, item in enumerate((i for i in notes.iter("li") if i.get("id")), 1)
        }
        self.urls: dict[str, int] = {}

    def text(self, run: Iterable[str | Element]) -> str:
        r"""A run of text and elements, spaces collapsed, ``\n`` where a ``<br>`` was."""
        parts = (self._words(e) if isinstance(e, str) else self._element(e) for e in run)
        text = re.sub("  +", " ", "".join(parts))
        return (_AROUND_BREAK.sub("\n", text) if "\n" in text else text).strip(" \n")

    def line(self, element: Element) -> str:
        """All of an element's content on one line, without marks for emphasis."""
        self._marks = False
        text = self.text([self._inside(element)])
        self._marks = True
        return text

    def reference(self, href: str, words: str) -> str:
        """``words`` with what tells where they lead."""
        core = words.strip(" \n")
        if same_address(core, href):
            return words.replace(core, re.sub("^(mailto|tel):", "", href), 1)
        if not core:
            return f"<{href}>"
        if self._numbered:
            mark = f"{NO_BREAK_SPACE}[{self.urls.setdefault(href, len(self.urls) + 1)}]"
        else:
            mark = f" <{href}>"
        return words.replace(core, core + mark, 1)

    def note(self, element: Element) -> str:
        """The letter of a footnote, empty if it is none."""
        return self._notes.get(element.get("id", ""), "")

    def _words(self, text: str | None) -> str:
        return _SPACES.sub(" ", text) if text else ""

    def _inside(self, element: Element) -> str:
        parts = [self._words(element.text)]
        for inner in element:
            parts += (self._element(inner), self._words(inner.tail))
        return "".join(parts)

    def _element(self, element: Element) -> str:
        tag = str(element.tag)
        if tag in _INSTEAD:
            return _INSTEAD[tag]
        if tag == "img":
            alt = self._words(element.get("alt"))
            return "" if blank(alt) else f"[{alt.strip()}]"
        if tag == "a":
            return self._link(element)
        inside = self._inside(element)
        if tag in BLOCKS:
            return f" {inside} "
        if tag == "sup" and _EXPONENT.fullmatch(inside):
            return f"^{inside}"  # m^2 is not m2; an ordinal's 1st can be read as it is
        before, after = _AROUND.get(tag) or (self._marks and _MARKS.get(tag)) or ("", "")
        core = inside.strip(" \n")
        return inside.replace(core, before + core + after, 1) if core else inside

    def _link(self, link: Element) -> str:
        href = link.get("href")
        if href is None:
            return self._inside(link)
        if href.startswith("#"):
            if letter := self._notes.get(href[1:]):
                return f"[{letter}]"
            return "" if "footnote-backref" in classes(link) else self._inside(link)
        return self.reference(href, self._inside(link))


def letters(number: int) -> str:
    """1 → a, 26 → z, 27 → aa: the labels of footnotes, as they can't be taken for links."""
    text = ""
    while number:
        number, place = divmod(number - 1, 26)
        text = chr(ord("a") + place) + text
    return text
