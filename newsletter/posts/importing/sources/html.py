"""A web page, or a fragment of one, as a draft."""

import re
from bisect import bisect_left
from collections.abc import Collection, Sequence
from itertools import zip_longest

from newsletter.posts.front_matter.parse import FrontMatter
from newsletter.posts.html.extract_article import extract_article
from newsletter.posts.html.sanitize import sanitize_html
from newsletter.posts.importing.blocks import HtmlTextBlock, outline_html
from newsletter.posts.importing.cleanup.classify import classify_passages
from newsletter.posts.importing.cleanup.paragraph import Passage
from newsletter.posts.importing.sources.draft import (
    ParsedSource,
    find_byline,
    find_opening,
    sort_removed_lines,
)

_HEADING_TAGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})


_STANDALONE_TAGS = _HEADING_TAGS | {"p", "li", "div", "section", "article", ""}


_MAX_CANDIDATES = 50  # of a text that a page repeats


_EMPTY_ELEMENT = re.compile(r"<(ul|ol|li|div|section|article|p|figure)(?: [^<>]*)?>\s*</\1>\n?")


def parse_html_source(front_matter: FrontMatter, path: str, keep: Collection[int]) -> ParsedSource:
    """Read a web page or a fragment; lines are those of the source, not of its article."""
    page = extract_article(front_matter.body, path)
    html = sanitize_html(page.html, path)
    blocks = outline_html(html).blocks
    lines = _find_source_lines(blocks, front_matter)
    passages = [
        Passage(line, block.text, is_standalone=block.tag in _STANDALONE_TAGS)
        for block, line in zip(blocks, lines, strict=True)
    ]
    clearing = classify_passages(passages, keep)
    heading = next((at for at in clearing.kept if blocks[at].tag in _HEADING_TAGS), None)
    told = str(front_matter.data.get("title") or "") or page.title
    title = told or ("" if heading is None else blocks[heading].text)
    repeated = heading is not None and blocks[heading].text == title
    above = [at for at in clearing.kept if heading is None or at < heading]
    title_at = heading if repeated and not any(passages[at].is_prose for at in above) else None
    byline = find_byline(passages, clearing, keep, None if title_at is None else passages[title_at])
    gone = set(range(len(blocks))) - set(clearing.kept)
    gone |= {at for at in clearing.kept if passages[at].line in byline.line_numbers}
    gone |= set() if title_at is None else {title_at}
    return ParsedSource(
        body=_remove_blocks(html, [blocks[at] for at in sorted(gone)]),
        opening=find_opening([p for at, p in enumerate(passages) if at not in gone]),
        title=title,
        description=page.description,
        author=page.author or byline.author,
        date=page.date or byline.date,
        canonical_url=page.canonical_url,
        language=page.language,
        tags=page.tags,
        removed=sort_removed_lines(clearing, byline),
        set_aside=clearing.set_aside,
    )


def _find_source_lines(blocks: Sequence[HtmlTextBlock], front_matter: FrontMatter) -> list[int]:
    """The line of each of an article's blocks in the page that the article was taken from."""
    source = outline_html(front_matter.body).blocks
    places: dict[str, list[int]] = {}
    for place, block in enumerate(source):
        places.setdefault(block.text, []).append(place)
    lines: list[int] = []
    at, line = 0, 1
    for block, after in zip_longest(blocks, blocks[1:]):
        same = places.get(block.text, [])
        same = same[bisect_left(same, at) :][:_MAX_CANDIDATES]
        # A label may stand in the page's menu too: where the next block follows, it is the one.
        next_text = [after.text] if after else []
        follows = (n for n in same if [b.text for b in source[n + 1 : n + 2]] == next_text)
        if same:
            place = next(follows, same[0])
            at, line = place + 1, source[place].line
        lines.append(front_matter.body_line - 1 + line)
    return lines


def _remove_blocks(html: str, blocks: Sequence[HtmlTextBlock]) -> str:
    for block in reversed(blocks):
        html = html[: block.start] + html[block.end :]
    while (emptied := _EMPTY_ELEMENT.sub("", html)) != html:
        html = emptied
    return html.strip() + "\n" if html.strip() else ""
