"""A web page, or a fragment of one, as a draft."""

import re
from bisect import bisect_left
from collections.abc import Collection, Sequence
from itertools import zip_longest

from newsletter.posts.front_matter.parse import FrontMatter
from newsletter.posts.html.extract_article import read_page
from newsletter.posts.html.sanitize import sanitise
from newsletter.posts.importing.blocks import Block, outline
from newsletter.posts.importing.cleanup.classify import clear
from newsletter.posts.importing.cleanup.paragraph import Passage
from newsletter.posts.importing.sources.draft import (
    Draft,
    find_byline,
    find_opening,
    in_source_order,
)

_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})


_JUDGED = _HEADINGS | {"p", "li", "div", "section", "article", ""}


_CANDIDATES = 50  # of a text that a page repeats


_EMPTY = re.compile(r"<(ul|ol|li|div|section|article|p|figure)(?: [^<>]*)?>\s*</\1>\n?")


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
    byline = find_byline(passages, clearing, keep, None if title_at is None else passages[title_at])
    gone = set(range(len(blocks))) - set(clearing.kept)
    gone |= {at for at in clearing.kept if passages[at].line in byline.lines}
    gone |= set() if title_at is None else {title_at}
    return Draft(
        body=_without(html, [blocks[at] for at in sorted(gone)]),
        opening=find_opening([p for at, p in enumerate(passages) if at not in gone]),
        title=title,
        description=page.description,
        author=page.author or byline.author,
        date=page.date or byline.date,
        canonical_url=page.canonical_url,
        language=page.language,
        tags=page.tags,
        removed=in_source_order(clearing, byline),
        set_aside=clearing.set_aside,
    )


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
