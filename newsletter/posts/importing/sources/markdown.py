"""Parse Markdown as a post."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from newsletter.posts.front_matter.parse import FrontMatter
from newsletter.posts.html.cjk import collapse_spaces
from newsletter.posts.html.emphasis import emphasis_plugin
from newsletter.posts.html.linear_inline import limit_inline_rules
from newsletter.posts.importing.cleanup.classify import classify_passages
from newsletter.posts.importing.cleanup.paragraph import Passage, mask_words
from newsletter.posts.importing.plain_settings import FOOTNOTE_REFERENCE
from newsletter.posts.importing.sources.draft import (
    ParsedSource,
    find_opening,
)

_TAG_OR_COMMENT = re.compile(r"<!--.*?-->|<[^>]*>", re.DOTALL)


def parse_markdown_source(front_matter: FrontMatter, keep: Collection[int]) -> ParsedSource:
    """Parse Markdown; the body stays as written, without its title and what is set aside."""
    lines = front_matter.body.split("\n")
    blocks = _parse_blocks(front_matter)
    classification = classify_passages([block.passage for block in blocks], keep, is_scraped=False)
    kept = [blocks[index] for index in classification.kept]
    heading = _find_opening_heading(kept)
    stated_title = str(front_matter.data.get("title") or "")
    title = stated_title or (heading.passage.text if heading else "")
    if heading and heading.passage.text == title:
        kept.remove(heading)
    kept_starts = {block.start for block in kept}
    for block in reversed(blocks):
        if block.start in kept_starts:
            continue
        end = block.end
        while end < len(lines) and not lines[end].strip():
            end += 1
        del lines[block.start : end]
    paragraphs = [block.passage for block in kept if block.kind == "paragraph_open"]
    return ParsedSource(
        body="\n".join(lines),
        opening=find_opening(paragraphs),
        title=title,
        set_aside=classification.set_aside,
    )


def _find_opening_heading(blocks: "list[_MarkdownBlock]") -> "_MarkdownBlock | None":
    """Return the first heading if no text is above it; images and comments may be."""
    for block in blocks:
        if block.kind == "heading_open":
            return block
        has_no_text = block.kind in {"paragraph_open", "html_block"} and not any(
            map(str.isalnum, _TAG_OR_COMMENT.sub("", block.passage.text))
        )
        if not has_no_text:
            return None
    return None


@dataclass(frozen=True, slots=True)
class _MarkdownBlock:
    """A top-level block of Markdown; ``start`` and ``end`` are 0-based lines of the body."""

    passage: Passage
    start: int
    end: int
    kind: str


@lru_cache(maxsize=1)
def _build_parser() -> MarkdownIt:
    md = MarkdownIt("commonmark").use(emphasis_plugin)
    limit_inline_rules(md)
    return md


def _parse_blocks(front_matter: FrontMatter) -> list[_MarkdownBlock]:
    lines = front_matter.body.split("\n")
    tokens = _build_parser().parse(front_matter.body)
    blocks: list[_MarkdownBlock] = []
    for index, token in enumerate(tokens):
        if token.level or token.nesting < 0 or token.map is None:
            continue
        start, end = token.map
        is_text = token.type in {"heading_open", "paragraph_open"}
        text = _get_inline_text(tokens[index + 1]) if is_text else " ".join(lines[start:end])
        passage = Passage(
            front_matter.body_line + start,
            text,
            is_text,
            links=_get_links(tokens[index + 1]) if is_text else (),
            masked_text=_get_inline_text(tokens[index + 1], mask_code=True) if is_text else "",
        )
        blocks.append(_MarkdownBlock(passage, start, end, token.type))
    return blocks


def _get_inline_text(inline: Token, *, mask_code: bool = False) -> str:
    parts: list[str] = []
    before = ""
    for child in inline.children or ():
        # Without the footnotes plugin, a reference is text, or a link if its note is there.
        is_footnote = before == "link_open" and child.content.startswith("^")
        if child.type == "text" and not is_footnote:
            parts.append(FOOTNOTE_REFERENCE.sub("", child.content))
        elif child.type == "code_inline":
            parts.append(mask_words(child.content) if mask_code else child.content)
        elif child.type in {"softbreak", "hardbreak", "image"}:
            parts.append("\n")
        before = child.type
    return collapse_spaces("".join(parts))


def _get_links(inline: Token) -> tuple[str, ...]:
    return tuple(
        str(child.attrs.get("href") or "")
        for child in inline.children or ()
        if child.type == "link_open"
    )
