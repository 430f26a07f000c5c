"""An article as plain text, for the text part of the mail (RFC 2046 ``multipart/alternative``).

Written from the mail's own HTML (``Article.html``), not from the post, so that it says the same:
final addresses, cards for what can't be played, everything opened.

How things look: ``*strong*``, ``_emphasis_``, ``~~struck~~``, code in backticks; headings
underlined; ``> `` before quotes, ``| `` beside callouts; links ``[1]`` with their addresses at the
end, footnotes ``[a]`` with theirs where the article has them; images as ``[alt]``, decorative ones
left out; code indented by four, never wrapped.
"""

import re
from collections.abc import Callable, Iterator

from newsletter.posts.merge_tags.tags import TOKEN
from newsletter.render.article.dom import (
    BLOCKS,
    Element,
    blank,
    classes,
    containers,
    drop,
    parse,
    visible_text,
)
from newsletter.render.article.links import host
from newsletter.render.text.inline import Inline, LinkStyle
from newsletter.render.text.table import table_lines
from newsletter.render.text.wrap import columns, wrap

Block = list[str]
_Write = Callable[[Element, int], list[Block]]

_NARROWEST = 20
_UNDERLINES = {"h1": "=", "h2": "-"}
_INVISIBLE = str.maketrans({"\u00a0": " ", **dict.fromkeys("\u00ad\u200b\u2060\ufeff", "")})
_BOXES = {"\u2610": "[\u00a0]", "\u2611": "[x]", "\u2612": "[x]"}
_SPACED = ("pre", "blockquote", "p", "th")  # what needs room around itself in a figure


def article_text(html: str, *, width: int = 72, links: LinkStyle = "numbered") -> str:
    """The text of an article's HTML, with text tokens; ends with a line break.

    Args:
        html: ``Article.html``; any other fragment will do.
        width: columns a line may take; longer only for what can't be broken, and code.
        links: ``numbered`` or ``inline``.
    """
    root = parse(html)
    _box_tasks(root)
    writer = _Writer(root, links)
    blocks = writer.flow(root, max(width, _NARROWEST))
    if writer.inline.urls:
        blocks.append([f"[{number}] {url}" for url, number in writer.inline.urls.items()])
    lines = (line.translate(_INVISIBLE).rstrip() for line in _joined(blocks))
    return TOKEN.sub(_in_text, "\n".join(lines)) + "\n"


def _in_text(found: re.Match[str]) -> str:
    return found[0] if found["target"] == "u" else f"-nl{found['key']}t-"


def _box_tasks(root: Element) -> None:
    for item in root.iter("li"):
        if "task-list-item" in classes(item):
            first = next((e for e in item.iter() if not blank(e.text)), item)
            text = (first.text or "").lstrip()
            if text[:1] in _BOXES:
                first.text = _BOXES[text[0]] + text[1:]


def _joined(blocks: list[Block], *, tight: bool = False) -> Block:
    lines: Block = []
    for block in blocks:
        lines += [] if tight or not lines else [""]
        lines += block
    return lines


def _indented(lines: Block, first: str, rest: str) -> Block:
    return [(first if at == 0 else rest) + line for at, line in enumerate(lines or [""])]


class _Writer:
    """Writes block elements; each method gives a list of blocks, a block being its lines."""

    def __init__(self, root: Element, links: LinkStyle) -> None:
        self.inline = Inline(root, links)
        self._containers = containers(root)

    def flow(self, element: Element, width: int, write: _Write | None = None) -> list[Block]:
        """What is in an element, one block after the other; ``write`` writes its own blocks."""
        write = write or self._block
        blocks: list[Block] = []
        run: list[str | Element] = [element.text or ""]
        for inner in element:
            if inner.tag in BLOCKS or inner in self._containers:
                blocks += self._paragraph(run, width)
                blocks += write(inner, width)
                run = [inner.tail or ""]
            else:
                run += [inner, inner.tail or ""]
        return blocks + self._paragraph(run, width)

    def _paragraph(self, run: list[str | Element], width: int) -> list[Block]:
        text = self.inline.text(run)
        return [wrap(text, width)] if not blank(text) else []

    def _block(self, element: Element, width: int) -> list[Block]:  # noqa: PLR0911 - a table
        match element.tag:
            case "h1" | "h2" | "h3" | "h4" | "h5" | "h6":
                return self._heading(element, width)
            case "hr":
                return [["* * *".center(width).rstrip()]]
            case "pre":
                return self._code(element)
            case "blockquote":
                return self._beside("> ", self.flow(element, _within(width, 2)))
            case "ul" | "ol":
                return self._list(element, width)
            case "dl":
                return self._definitions(element, width)
            case "table" if not self._is_layout(element):
                lines = table_lines(element, self.inline, width)
                return [lines] if lines else []
            case "a":
                return self._link(element, width)
        return self._division(element, width)

    def _division(self, element: Element, width: int) -> list[Block]:
        names = classes(element)
        if "callout" in names:
            return self._callout(element, width)
        if "embed" in names:
            return self._embed(element, width)
        blocks = self.flow(element, width)
        pictures = "figure" in names and next(element.iter(*_SPACED), None) is None
        return [_joined(blocks, tight=True)] if pictures and blocks else blocks

    def _is_layout(self, table: Element) -> bool:
        """Whether a table only places what is in it."""
        if table.get("role") == "presentation":
            return True
        cells = list(table.iter("td"))
        return next(table.iter("th"), None) is None and any(c in self._containers for c in cells)

    def _heading(self, heading: Element, width: int) -> list[Block]:
        text = self.inline.line(heading)
        if blank(text):
            return []
        lines = wrap(text, width)
        if mark := _UNDERLINES.get(str(heading.tag)):
            lines.append(mark * min(width, max(map(columns, lines))))
        return [lines]

    def _code(self, pre: Element) -> list[Block]:
        for line_break in pre.iter("br"):
            line_break.text = "\n"
        lines = "".join(map(str, pre.itertext())).split("\n")
        while lines and blank(lines[-1]):
            lines.pop()
        while lines and blank(lines[0]):
            lines.pop(0)
        return [_indented(lines, "    ", "    ")] if lines else []

    def _beside(self, bar: str, blocks: list[Block]) -> list[Block]:
        return [_indented(_joined(blocks), bar, bar)] if blocks else []

    def _list(self, element: Element, width: int) -> list[Block]:
        items = [inner for inner in element if inner.tag == "li"]
        marks = dict(zip(items, self._marks(element, items), strict=True))
        notes = any(self.inline.note(item) for item in items)
        loose = any(inner.tag == "p" for item in items for inner in item)

        def write(item: Element, width: int) -> list[Block]:
            mark = marks.get(item, "  ")
            write_inner = self.flow if item in marks else self._block
            lines = _joined(write_inner(item, _within(width, len(mark))), tight=not loose)
            return [_indented(lines, mark, " " * len(mark))]

        blocks = self.flow(element, width, write)
        return [_joined(blocks, tight=notes or not loose)] if blocks else []

    def _marks(self, element: Element, items: list[Element]) -> list[str]:
        """What stands before each item of a list, all of one width."""
        step = -1 if element.get("reversed") is not None else 1
        number = _number(element.get("start"), len(items) if step < 0 else 1)
        marks = []
        for item in items:
            number = _number(item.get("value"), number)
            note = self.inline.note(item)
            numbered = f"{number}. " if element.tag == "ol" else "- "
            marks.append(f"[{note}] " if note else numbered)
            number += step
        widest = max(map(len, marks), default=0)
        return [mark.rjust(widest) for mark in marks]

    def _definitions(self, element: Element, width: int) -> list[Block]:
        def write(part: Element, width: int) -> list[Block]:
            if part.tag == "div":
                return self.flow(part, width, write)
            if part.tag not in {"dt", "dd"}:
                return self._block(part, width)
            if _continues(part):
                return []  # written with the first of its group
            lines: Block = []
            for member in _group(part):
                indent = "" if member.tag == "dt" else "    "
                inner = _joined(self.flow(member, _within(width, len(indent))))
                lines += _indented(inner, indent, indent)
            return [lines]

        return self.flow(element, width, write)

    def _callout(self, callout: Element, width: int) -> list[Block]:
        """``| NOTE: …``, the kind before its first words."""
        names = [n.removeprefix("callout-") for n in classes(callout) if n.startswith("callout-")]
        kind = names[0] if names else ""
        label = f"{kind.upper()}: " if kind else ""
        title = next((e for e in callout if "callout-title" in classes(e)), None)
        if title is not None and self.inline.line(title).casefold() == kind:
            drop(title)
        opens = blank(callout.text) and len(callout) and callout[0].tag == "p"
        first = callout[0] if opens else callout
        first.text = label + (first.text or "").lstrip()
        return self._beside("| ", self.flow(callout, _within(width, 2)))

    def _embed(self, card: Element, width: int) -> list[Block]:
        """``Title: URL``; a quoted post keeps its words above that."""
        link = next((link for title in card.iter("p") for link in title.iter("a")), None)
        href = link.get("href", "") if link is not None else ""
        for part in list(card):
            picture = "embed-picture" in classes(part) and blank(visible_text(part))
            if picture or ("embed-host" in classes(part) and part.text == host(href)):
                drop(part)

        def write(part: Element, width: int) -> list[Block]:
            if "embed-title" not in classes(part) or not _is_link(part):
                return self._block(part, width)
            return [wrap(f"{self.inline.line(part[0])}: {part[0].get('href', '')}", width)]

        return self.flow(card, width, write)

    def _link(self, link: Element, width: int) -> list[Block]:
        """A link around blocks: its mark goes behind the last line."""
        blocks = self.flow(link, width)
        href = link.get("href", "#")
        if blocks and not href.startswith("#"):
            blocks[-1][-1:] = wrap(self.inline.reference(href, blocks[-1][-1]), width)
        return blocks


def _within(width: int, taken: int) -> int:
    return max(_NARROWEST, width - taken)


def _is_link(element: Element) -> bool:
    alone = len(element) == 1 and element[0].tag == "a"
    return alone and blank(element.text) and blank(element[0].tail)


def _continues(part: Element) -> bool:
    """Whether a term or a description belongs to the group of the one before."""
    before = part.getprevious()
    return before is not None and (str(before.tag), str(part.tag)) in {
        ("dt", "dt"),
        ("dt", "dd"),
        ("dd", "dd"),
    }


def _group(part: Element) -> Iterator[Element]:
    """A term, or several, with all its descriptions."""
    yield part
    following = part.getnext()
    while following is not None and _continues(following):
        yield following
        following = following.getnext()


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and re.fullmatch("-?[0-9]{1,9}", text.strip()) else otherwise
