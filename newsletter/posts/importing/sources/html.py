"""Parse a web page, or a fragment of one, as a post."""

import re
from bisect import bisect_left
from collections.abc import Collection, Sequence
from itertools import zip_longest

from newsletter.posts.front_matter.field_types import LANGUAGE_TAG_PATTERN
from newsletter.posts.front_matter.parse import FrontMatter
from newsletter.posts.html.extract_article import extract_article
from newsletter.posts.html.normalize.marked_elements import list_urls
from newsletter.posts.html.normalize.unseen_text import TITLE_LINK
from newsletter.posts.html.page.article_place import find_article_range
from newsletter.posts.html.sanitize import sanitize_article
from newsletter.posts.importing.blocks import HtmlTextBlock, outline_html
from newsletter.posts.importing.cleanup.byline import parse_byline
from newsletter.posts.importing.cleanup.classify import classify_passages
from newsletter.posts.importing.cleanup.paragraph import Passage
from newsletter.posts.importing.sources.draft import (
    ExtractedByline,
    ParsedSource,
    find_byline,
    find_opening,
    sort_removed_lines,
)
from newsletter.posts.removed_line import RemovedLine

_HEADING_TAGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_STANDALONE_TAGS = _HEADING_TAGS | {"p", "li", "div", "section", "article", ""}
_MAX_DISTANCE = 20  # blocks of an article between two occurrences of a label
_MAX_CANDIDATES = 50  # occurrences compared for a text that a page repeats
_EMPTY_ELEMENT = re.compile(r"<(ul|ol|li|div|section|article|p|figure)(?: [^<>]*)?>\s*</\1>\n?")


def parse_html_source(
    front_matter: FrontMatter,
    path: str,
    keep: Collection[int],
    *,
    is_scraped: bool = True,
    selector: str = "",
) -> ParsedSource:
    """Parse a web page or a fragment; line numbers refer to the source, not to its article.

    Unless it is scraped, all of a fragment is the author's own: only what looks like spam is set
    aside.
    """
    article = extract_article(
        front_matter.body,
        path,
        front_matter.body_line,
        keep=keep,
        selector=selector,
        search=is_scraped,
    )
    html, left_out = sanitize_article(article.html, path, front_matter.body_line, keep=keep)
    blocks = outline_html(html).blocks
    place = article.place and find_article_range(front_matter.body, article.place)
    lines = _find_source_lines(blocks, front_matter, place.offsets if place else None)
    passages = [
        Passage(line, block.text, block.tag in _STANDALONE_TAGS, block.group, block.links)
        for block, line in zip(blocks, lines, strict=True)
    ]
    classification = classify_passages(passages, keep, is_scraped=is_scraped)
    heading = next(
        (index for index in classification.kept if blocks[index].tag in _HEADING_TAGS), None
    )
    stated_title = str(front_matter.data.get("title") or "") or article.title
    before_heading = [index for index in classification.kept if heading is None or index < heading]
    opens_article = all(parse_byline(passages[index].text) for index in before_heading)
    title = stated_title or (blocks[heading].text if heading is not None and opens_article else "")
    title_index = (
        heading
        if heading is not None
        and blocks[heading].text == title
        and (opens_article or blocks[heading].tag == "h1")
        and not any(passages[index].is_prose for index in before_heading)
        else None
    )
    title_passage = None if title_index is None else passages[title_index]
    byline = (
        find_byline(passages, classification, keep, title_passage)
        if is_scraped
        else ExtractedByline()
    )
    bylines = {(entry.line, entry.text) for entry in byline.removed}
    removed_indices = set(range(len(blocks))) - set(classification.kept)
    removed_indices |= {
        index
        for index in classification.kept
        if (passages[index].line, passages[index].text) in bylines
    }
    removed_indices |= set() if title_index is None else {title_index}
    urls = {
        (passages[index].line, passages[index].text): [
            *list_urls(html[blocks[index].start : blocks[index].end]),
            *filter(None, [blocks[index].outer_link]),
        ]
        for index in removed_indices
    }
    with_urls = {key: " ".join((key[1], *links)) for key, links in urls.items()}
    title_links = (
        RemovedLine(passages[index].line, " ".join(links), TITLE_LINK)
        for index in removed_indices & {title_index}
        if (links := urls[passages[index].line, passages[index].text])
    )
    return ParsedSource(
        body=_remove_blocks(html, [blocks[index] for index in sorted(removed_indices)]),
        opening=find_opening(
            [passage for index, passage in enumerate(passages) if index not in removed_indices]
        ),
        title=title,
        description=article.description,
        author=article.author or byline.author,
        date=article.date or byline.date,
        canonical_url=article.canonical_url,
        language=article.language if re.fullmatch(LANGUAGE_TAG_PATTERN, article.language) else "",
        tags=article.tags,
        removed=tuple(
            sorted(
                (
                    *(
                        entry._replace(text=with_urls.get(entry[:2], entry.text))
                        for entry in sort_removed_lines(classification, byline)
                    ),
                    *title_links,
                    *article.removed,
                    *left_out,
                ),
                key=lambda entry: entry.line,
            )
        ),
        set_aside=tuple(
            entry._replace(text=with_urls.get(entry[:2], entry.text))
            for entry in classification.set_aside
        ),
        prose_outside=article.prose_outside,
        place=article.place,
    )


def _find_source_lines(
    blocks: Sequence[HtmlTextBlock], front_matter: FrontMatter, place: range | None
) -> list[int]:
    """Return the source line of each block of the extracted article; ``place`` is its own."""
    source = [
        block
        for block in outline_html(front_matter.body).blocks
        if place is None or (block.start < place.stop and block.end > place.start)
    ]
    indices_by_text: dict[str, list[int]] = {}
    for index, block in enumerate(source):
        indices_by_text.setdefault(block.text, []).append(index)
    lines: list[int] = []
    next_index, line = 0, 1
    for block, next_block in zip_longest(blocks, blocks[1:]):
        candidates = indices_by_text.get(block.text, [])
        candidates = candidates[bisect_left(candidates, next_index) :][:_MAX_CANDIDATES]
        # A label may be in the page's menu too: prefer the one before the same next block. In the
        # article that is near, unless it was removed.
        if place and candidates:
            candidates = [index for index in candidates if index < candidates[0] + _MAX_DISTANCE]
        next_text = [next_block.text] if next_block else []
        matching = (
            candidate
            for candidate in candidates
            if [source_block.text for source_block in source[candidate + 1 : candidate + 2]]
            == next_text
        )
        if candidates:
            index = next(matching, candidates[0])
            next_index, line = index + 1, source[index].line
        lines.append(front_matter.body_line - 1 + line)
    return lines


def _remove_blocks(html: str, blocks: Sequence[HtmlTextBlock]) -> str:
    for block in reversed(blocks):
        html = html[: block.start] + html[block.end :]
    while (emptied := _EMPTY_ELEMENT.sub("", html)) != html:
        html = emptied
    return html.strip() + "\n" if html.strip() else ""
