"""What each kind of source tells of a post, before its settings are completed."""

import datetime
import re
from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from markdown_it import MarkdownIt
from markdown_it.token import Token

from newsletter.posts.front_matter.parse import FrontMatter
from newsletter.posts.html.extract_article import read_page
from newsletter.posts.html.sanitize import sanitise
from newsletter.posts.importing import plain_text
from newsletter.posts.importing.blocks import Block, outline
from newsletter.posts.importing.cleanup.boilerplate import regions
from newsletter.posts.importing.cleanup.byline import parse_byline
from newsletter.posts.importing.cleanup.classify import Clearing, clear
from newsletter.posts.importing.cleanup.paragraph import Passage, Removed, SetAside

_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_JUDGED = _HEADINGS | {"p", "li", "div", "section", "article", ""}
_CANDIDATES = 50  # of a text that a page repeats
_EMPTY = re.compile(r"<(ul|ol|li|div|section|article|p|figure)(?: [^<>]*)?>\s*</\1>\n?")


@dataclass(frozen=True, slots=True)
class Draft:
    """A source read and cleared; empty where it is silent.

    Attributes:
        body: Markdown or HTML.
        opening: the first running text, for a preheader.
        title: the first heading, or what the page says.
        description: what the page says of itself.
        author: plain text.
        date: when it was published.
        canonical_url: where it lives on the web.
        language: BCP 47 tag.
        tags: plain text.
        removed: furniture, in the order of the source.
        set_aside: what the editor must look at.
    """

    body: str
    opening: str = ""
    title: str = ""
    description: str = ""
    author: str = ""
    date: datetime.date | None = None
    canonical_url: str = ""
    language: str = ""
    tags: tuple[str, ...] = ()
    removed: tuple[Removed, ...] = ()
    set_aside: tuple[SetAside, ...] = ()


def from_text(front: FrontMatter, path: str, keep: Collection[int]) -> Draft:  # noqa: ARG001
    """Read plain text as scraped from a page; ``keep`` are lines that stay whatever they are."""
    passages = plain_text.passages_of(front.body)
    clearing = clear(passages, keep)
    kept = [passages[at] for at in clearing.kept]
    title = plain_text.title_of(kept)
    byline = _byline(passages, clearing, keep, title)
    body = [p for p in plain_text.without_title(kept, title) if p.line not in byline.lines]
    return Draft(
        body=plain_text.to_markdown(body),
        opening=_opening(body).replace("{{", "{ {"),  # a page's own words are no merge tag
        title=title.text.replace("{{", "{ {") if title else "",
        author=byline.author,
        date=byline.date,
        removed=_in_order(clearing, byline),
        set_aside=clearing.set_aside,
    )


def from_html(front: FrontMatter, path: str, keep: Collection[int]) -> Draft:
    """Read a web page or a fragment; lines are those of the source, not of its article."""
    page = read_page(front.body, path)
    html = sanitise(page.html, path)
    blocks = outline(html).blocks
    lines = _lines_in_source(blocks, front)
    passages = [
        Passage(line, block.text, alone=block.tag in _JUDGED)
        for block, line in zip(blocks, lines, strict=True)
    ]
    clearing = clear(passages, keep)
    heading = next((at for at in clearing.kept if blocks[at].tag in _HEADINGS), None)
    told = str(front.data.get("title") or "") or page.title
    title = told or ("" if heading is None else blocks[heading].text)
    repeated = heading is not None and blocks[heading].text == title
    above = [at for at in clearing.kept if heading is None or at < heading]
    title_at = heading if repeated and not any(passages[at].prose for at in above) else None
    byline = _byline(passages, clearing, keep, None if title_at is None else passages[title_at])
    gone = set(range(len(blocks))) - set(clearing.kept)
    gone |= {at for at in clearing.kept if passages[at].line in byline.lines}
    gone |= set() if title_at is None else {title_at}
    return Draft(
        body=_without(html, [blocks[at] for at in sorted(gone)]),
        opening=_opening([p for at, p in enumerate(passages) if at not in gone]),
        title=title,
        description=page.description,
        author=page.author or byline.author,
        date=page.date or byline.date,
        canonical_url=page.canonical_url,
        language=page.language,
        tags=page.tags,
        removed=_in_order(clearing, byline),
        set_aside=clearing.set_aside,
    )


def from_markdown(front: FrontMatter, path: str, keep: Collection[int]) -> Draft:  # noqa: ARG001
    """Read Markdown; its body stays as written, less its title and what is put aside."""
    lines = front.body.split("\n")
    blocks = _blocks(front)
    clearing = clear([block.passage for block in blocks], keep, scraped=False)
    kept = [blocks[at] for at in clearing.kept]
    heading = next((block for block in kept if block.kind == "heading_open"), None)
    told = str(front.data.get("title") or "")
    title = told or (heading.passage.text if heading else "")
    if heading and heading is kept[0] and heading.passage.text == title:
        kept.remove(heading)
    staying = {block.start for block in kept}
    for block in reversed(blocks):
        if block.start in staying:
            continue
        end = block.end
        while end < len(lines) and not lines[end].strip():
            end += 1
        del lines[block.start : end]
    paragraphs = [block.passage for block in kept if block.kind == "paragraph_open"]
    return Draft(
        body="\n".join(lines),
        opening=_opening(paragraphs),
        title=title,
        set_aside=clearing.set_aside,
    )


@dataclass(frozen=True, slots=True)
class _Byline:
    author: str = ""
    date: datetime.date | None = None
    removed: tuple[Removed, ...] = ()

    @property
    def lines(self) -> set[int]:
        return {removed.line for removed in self.removed}


def _byline(
    passages: Sequence[Passage], clearing: Clearing, keep: Collection[int], title: Passage | None
) -> _Byline:
    """Author and date, from the lines between the title and the running text."""
    head = passages[: regions(passages).head]
    found = [
        (passage, byline)
        for passage in head
        if passage != title and passage.line not in keep and (byline := parse_byline(passage.text))
    ]
    furniture = {removed.line for removed in clearing.removed}
    return _Byline(
        author=next((byline.author for _, byline in found if byline.author), ""),
        date=next((byline.date for _, byline in found if byline.date), None),
        removed=tuple(
            Removed(passage.line, passage.text, "byline, now in the front matter")
            for passage, _ in found
            if passage.line not in furniture
        ),
    )


def _in_order(clearing: Clearing, byline: _Byline) -> tuple[Removed, ...]:
    return tuple(sorted((*clearing.removed, *byline.removed), key=lambda entry: entry.line))


def _lines_in_source(blocks: Sequence[Block], front: FrontMatter) -> list[int]:
    """The line of each of an article's blocks in the page that the article was taken from."""
    source = outline(front.body).blocks
    places: dict[str, list[int]] = {}
    for place, block in enumerate(source):
        places.setdefault(block.text, []).append(place)
    lines: list[int] = []
    at, line = 0, 1
    for block, after in zip_longest(blocks, blocks[1:]):
        same = places.get(block.text, [])
        same = same[bisect_left(same, at) :][:_CANDIDATES]
        # A label may stand in the page's menu too: where the next block follows, it is the one.
        next_text = [after.text] if after else []
        follows = (n for n in same if [b.text for b in source[n + 1 : n + 2]] == next_text)
        if same:
            place = next(follows, same[0])
            at, line = place + 1, source[place].line
        lines.append(front.body_line - 1 + line)
    return lines


def _without(html: str, blocks: Sequence[Block]) -> str:
    for block in reversed(blocks):
        html = html[: block.start] + html[block.end :]
    while (emptied := _EMPTY.sub("", html)) != html:
        html = emptied
    return html.strip() + "\n" if html.strip() else ""


@dataclass(frozen=True, slots=True)
class _Block:
    """A top-level block of Markdown; ``start`` and ``end`` are 0-based lines of the body."""

    passage: Passage
    start: int
    end: int
    kind: str


def _blocks(front: FrontMatter) -> list[_Block]:
    lines = front.body.split("\n")
    tokens = MarkdownIt("commonmark").parse(front.body)
    blocks: list[_Block] = []
    for at, token in enumerate(tokens):
        if token.level or token.nesting < 0 or token.map is None:
            continue
        start, end = token.map
        plain = token.type in {"heading_open", "paragraph_open"}
        text = _words(tokens[at + 1]) if plain else " ".join(lines[start:end])
        passage = Passage(front.body_line + start, text, alone=plain)
        blocks.append(_Block(passage, start, end, token.type))
    return blocks


def _words(inline: Token) -> str:
    parts = (
        child.content if child.type in {"text", "code_inline"} else " "
        for child in inline.children or ()
        if child.type in {"text", "code_inline", "softbreak", "hardbreak", "image"}
    )
    return " ".join("".join(parts).split())


def _opening(passages: Sequence[Passage]) -> str:
    """The first running text that is the same for every reader, else the first words at all."""
    same = [p for p in passages if "{{" not in p.text]
    return next((p.text for p in same if p.prose), same[0].text if same else "")
