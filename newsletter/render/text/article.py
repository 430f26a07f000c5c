"""Convert the article to plain text for the text part.

It is the other alternative of RFC 2046's ``multipart/alternative``. It is made from the email's
HTML (``Article.html``), not from the post, so that both have the same content: final URLs, cards
for media, ``details`` opened.

The format: ``*strong*``, ``_emphasis_``, ``~~struck~~``, code in backticks; headings underlined;
``> `` before quotes, ``| `` before callouts and sponsors; links ``[1]`` with their URLs at the end,
buttons ``text: URL``; footnotes ``[a]`` with their text where the article has them; images as
``[alt]``, decorative ones left out; code indented by four, never wrapped.
"""

import re
from collections.abc import Callable, Iterator

from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN
from newsletter.render.article.callouts import GLYPH_CLASS
from newsletter.render.article.dom import (
    BLOCKS,
    Element,
    drop_element,
    find_containers,
    get_classes,
    get_visible_text,
    is_blank,
    parse_fragment,
)
from newsletter.render.article.embeds import KIND_CLASS
from newsletter.render.text.inline import InlineWriter, LinkStyle
from newsletter.render.text.table import render_table
from newsletter.render.text.wrap import get_display_width, wrap_text

TextBlock = list[str]
_BlockWriter = Callable[[Element, int], list[TextBlock]]

_MIN_WIDTH = 20
_UNDERLINES = {"h1": "=", "h2": "-", "h3": "~"}
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")
_TASK_MARKS = {"\u2610": "[\u00a0]", "\u2611": "[x]", "\u2612": "[x]"}
_SPACED_TAGS = ("pre", "blockquote", "p", "th")  # need blank lines around them in a figure


def render_article_text(html: str, *, width: int = 72, links: LinkStyle = "numbered") -> str:
    """Return the text of an article's HTML, with text tokens; it ends with a line break.

    Args:
        html: ``Article.html``, or any other fragment.
        width: columns per line; only unbreakable text and code may be longer.
        links: ``numbered`` or ``inline``.
    """
    root = parse_fragment(html)
    _replace_task_marks(root)
    writer = _ArticleWriter(root, links)
    blocks = writer.write_content(root, max(width, _MIN_WIDTH))
    if writer.inline.urls:
        blocks.append([f"[{number}] {url}" for url, number in writer.inline.urls.items()])
    # Not str.translate(), which takes twenty times as long for text that isn't all ASCII.
    text = _INVISIBLE.sub("", "\n".join(_join_blocks(blocks)).replace("\u00a0", " "))
    lines = (line.rstrip() for line in text.split("\n"))
    return MERGE_TOKEN_PATTERN.sub(_to_text_token, "\n".join(lines)) + "\n"


def _to_text_token(found: re.Match[str]) -> str:
    return found[0] if found["target"] == "u" else f"-nl{found['key']}t-"


def _replace_task_marks(root: Element) -> None:
    for item in root.iter("li"):
        if "task-list-item" in get_classes(item):
            first = next((e for e in item.iter() if not is_blank(e.text)), item)
            text = (first.text or "").lstrip()
            if text[:1] in _TASK_MARKS:
                first.text = _TASK_MARKS[text[0]] + text[1:]


def _join_blocks(blocks: list[TextBlock], *, tight: bool = False) -> TextBlock:
    lines: TextBlock = []
    for block in blocks:
        lines += [] if tight or not lines else [""]
        lines += block
    return lines


def _indent_lines(lines: TextBlock, first: str, rest: str) -> TextBlock:
    return [(first if index == 0 else rest) + line for index, line in enumerate(lines or [""])]


class _ArticleWriter:
    """Writer of block elements; each method returns a list of blocks, each a list of lines."""

    def __init__(self, root: Element, links: LinkStyle) -> None:
        self.inline = InlineWriter(root, links)
        self._containers = find_containers(root)

    def write_content(
        self, element: Element, width: int, write: _BlockWriter | None = None
    ) -> list[TextBlock]:
        """Return the blocks of an element's content; ``write`` replaces the default writer."""
        write = write or self._write_block
        blocks: list[TextBlock] = []
        run: list[str | Element] = [element.text or ""]
        for child in element:
            if child.tag in BLOCKS or child in self._containers:
                blocks += self._write_paragraph(run, width)
                blocks += write(child, width)
                run = [child.tail or ""]
            else:
                run += [child, child.tail or ""]
        return blocks + self._write_paragraph(run, width)

    def _write_paragraph(self, run: list[str | Element], width: int) -> list[TextBlock]:
        text = self.inline.write_run(run)
        return [wrap_text(text, width)] if not is_blank(text) else []

    def _write_block(self, element: Element, width: int) -> list[TextBlock]:  # noqa: PLR0911 - one return per tag
        match element.tag:
            case "h1" | "h2" | "h3" | "h4" | "h5" | "h6":
                return self._write_heading(element, width)
            case "hr":
                return [["* * *".center(width).rstrip()]]
            case "pre":
                return self._write_code(element)
            case "blockquote":
                return self._prefix_blocks(
                    "> ", self.write_content(element, _get_remaining_width(width, 2))
                )
            case "ul" | "ol":
                return self._write_list(element, width)
            case "dl":
                return self._write_definitions(element, width)
            case "table" if not self._is_layout_table(element):
                lines = render_table(element, self.inline, width)
                return [lines] if lines else []
            case "a":
                return self._write_link(element, width)
        return self._write_division(element, width)

    def _write_division(self, element: Element, width: int) -> list[TextBlock]:
        names = get_classes(element)
        if "callout" in names:
            return self._write_callout(element, width)
        if "sponsor" in names:
            return self._prefix_blocks(
                "| ", self.write_content(element, _get_remaining_width(width, 2))
            )
        if "embed" in names:
            return self._write_embed(element, width)
        blocks = self.write_content(element, width)
        tight = "figure" in names and next(element.iter(*_SPACED_TAGS), None) is None
        return [_join_blocks(blocks, tight=True)] if tight and blocks else blocks

    def _is_layout_table(self, table: Element) -> bool:
        """Return whether a table is only for layout."""
        if table.get("role") == "presentation":
            return True
        cells = list(table.iter("td"))
        return next(table.iter("th"), None) is None and any(c in self._containers for c in cells)

    def _write_heading(self, heading: Element, width: int) -> list[TextBlock]:
        text = self.inline.write_line(heading)
        if is_blank(text):
            return []
        if heading.tag not in _UNDERLINES:
            return [wrap_text(f"*{text}*", width)]
        lines = wrap_text(text, width)
        if mark := _UNDERLINES.get(str(heading.tag)):
            lines.append(mark * min(width, max(map(get_display_width, lines))))
        return [lines]

    def _write_code(self, pre: Element) -> list[TextBlock]:
        for line_break in pre.iter("br"):
            line_break.text = "\n"
        lines = "".join(map(str, pre.itertext())).split("\n")
        while lines and is_blank(lines[-1]):
            lines.pop()
        while lines and is_blank(lines[0]):
            lines.pop(0)
        return [_indent_lines(lines, "    ", "    ")] if lines else []

    def _prefix_blocks(self, prefix: str, blocks: list[TextBlock]) -> list[TextBlock]:
        return [_indent_lines(_join_blocks(blocks), prefix, prefix)] if blocks else []

    def _write_list(self, element: Element, width: int) -> list[TextBlock]:
        items = [child for child in element if child.tag == "li"]
        markers = dict(zip(items, self._make_list_markers(element, items), strict=True))
        has_footnotes = any(self.inline.get_footnote_label(item) for item in items)
        loose = any(child.tag == "p" for item in items for child in item)

        def write(item: Element, width: int) -> list[TextBlock]:
            marker = markers.get(item, "  ")
            write_inner = self.write_content if item in markers else self._write_block
            lines = _join_blocks(
                write_inner(item, _get_remaining_width(width, len(marker))), tight=not loose
            )
            return [_indent_lines(lines, marker, " " * len(marker))]

        blocks = self.write_content(element, width, write)
        return [_join_blocks(blocks, tight=has_footnotes or not loose)] if blocks else []

    def _make_list_markers(self, element: Element, items: list[Element]) -> list[str]:
        """Return the marker of each item of a list, all of the same width."""
        step = -1 if element.get("reversed") is not None else 1
        number = _parse_number(element.get("start"), len(items) if step < 0 else 1)
        markers = []
        for item in items:
            number = _parse_number(item.get("value"), number)
            footnote = self.inline.get_footnote_label(item)
            plain_marker = f"{number}. " if element.tag == "ol" else "- "
            markers.append(f"[{footnote}] " if footnote else plain_marker)
            number += step
        widest = max(map(len, markers), default=0)
        return [marker.rjust(widest) for marker in markers]

    def _write_definitions(self, element: Element, width: int) -> list[TextBlock]:
        def write(part: Element, width: int) -> list[TextBlock]:
            if part.tag == "div":
                return self.write_content(part, width, write)
            if part.tag not in {"dt", "dd"}:
                return self._write_block(part, width)
            if _continues_group(part):
                return []  # written with the first of its group
            lines: TextBlock = []
            for member in _iter_group(part):
                indent = "" if member.tag == "dt" else "    "
                content = _join_blocks(
                    self.write_content(member, _get_remaining_width(width, len(indent)))
                )
                lines += _indent_lines(content, indent, indent)
            return [lines]

        return self.write_content(element, width, write)

    def _write_callout(self, callout: Element, width: int) -> list[TextBlock]:
        """Return ``| NOTE: …``: the callout's text, preceded by its kind."""
        title = next((e for e in callout if "callout-title" in get_classes(e)), None)
        glyph = None if title is None else next(iter(title), None)
        label = ""
        if title is not None and glyph is not None and GLYPH_CLASS in get_classes(glyph):
            own_title = glyph.get("aria-label") is not None
            kind = glyph.get("aria-label") or (glyph.tail or "").strip()
            label = f"{kind.upper()}: "
            glyph.text, glyph.tail = None, (glyph.tail or "").lstrip()
            drop_element(glyph if own_title else title)
        starts_with_paragraph = is_blank(callout.text) and len(callout) and callout[0].tag == "p"
        first = callout[0] if starts_with_paragraph else callout
        first.text = label + (first.text or "").lstrip()
        return self._prefix_blocks(
            "| ", self.write_content(callout, _get_remaining_width(width, 2))
        )

    def _write_embed(self, card: Element, width: int) -> list[TextBlock]:
        """Return ``[Video] Title: URL``; a quoted post keeps its text above its title."""
        label = ""
        for part in list(card):
            is_picture = "embed-picture" in get_classes(part) and is_blank(get_visible_text(part))
            kind = next((e for e in part.iter("span") if KIND_CLASS in get_classes(e)), None)
            if kind is not None:
                label = f"[{get_visible_text(kind)}] "
            if is_picture or kind is not None:
                drop_element(part)

        def write(part: Element, width: int) -> list[TextBlock]:
            if "embed-title" not in get_classes(part) or not _is_lone_link(part):
                return self._write_block(part, width)
            title = self.inline.write_line(part[0])
            return [wrap_text(f"{label}{title}: {part[0].get('href', '')}", width)]

        return self.write_content(card, width, write)

    def _write_link(self, link: Element, width: int) -> list[TextBlock]:
        """Return a link around blocks: its reference goes after the last line."""
        blocks = self.write_content(link, width)
        href = link.get("href", "#")
        if blocks and not href.startswith("#"):
            blocks[-1][-1:] = wrap_text(self.inline.add_reference(href, blocks[-1][-1]), width)
        return blocks


def _get_remaining_width(width: int, used: int) -> int:
    return max(_MIN_WIDTH, width - used)


def _is_lone_link(element: Element) -> bool:
    is_single_link = len(element) == 1 and element[0].tag == "a"
    return is_single_link and is_blank(element.text) and is_blank(element[0].tail)


def _continues_group(part: Element) -> bool:
    """Return whether a term or description belongs to the group of the previous one."""
    previous = part.getprevious()
    return previous is not None and (str(previous.tag), str(part.tag)) in {
        ("dt", "dt"),
        ("dt", "dd"),
        ("dd", "dd"),
    }


def _iter_group(part: Element) -> Iterator[Element]:
    """Yield one or more terms and all their descriptions."""
    yield part
    following = part.getnext()
    while following is not None and _continues_group(following):
        yield following
        following = following.getnext()


def _parse_number(text: str | None, default: int) -> int:
    return int(text) if text and re.fullmatch("-?[0-9]{1,9}", text.strip()) else default
