"""Make HTML of the content of a post in a WordPress export."""

from typing import NamedTuple

from newsletter.posts.importing.sources.wordpress.block_comments import (
    BLOCK_START,
    expand_blocks,
    remove_block_comments,
    remove_markers,
)
from newsletter.posts.importing.sources.wordpress.export_index import ExportIndex
from newsletter.posts.importing.sources.wordpress.export_xml import ExportItem
from newsletter.posts.importing.sources.wordpress.images import complete_urls, enlarge_images
from newsletter.posts.importing.sources.wordpress.paragraphs import add_paragraphs
from newsletter.posts.importing.sources.wordpress.shortcodes import (
    quote_code_elements,
    translate_shortcodes,
)
from newsletter.posts.removed_line import RemovedLine


class RenderedContent(NamedTuple):
    """The content of a post.

    Attributes:
        html: its HTML.
        original: as it was, with its reusable blocks, and images in full size.
        removed: what was left out, and what markup became; line 0 if the lines are unknown.
    """

    html: str
    original: str
    removed: tuple[RemovedLine, ...]


def render_content(
    item: ExportItem, index: ExportIndex, base_url: str, max_characters: int
) -> RenderedContent:
    """Return the content of a post as HTML.

    Args:
        item: the post.
        index: what the export has.
        base_url: the blog's address without a slash at its end, or empty.
        max_characters: how long it may become with reusable blocks.
    """
    source = item.fields.get("content:encoded", "")
    expanded, removed = expand_blocks(
        source, index.blocks, item.meta.get("footnotes", ""), max_characters
    )
    original = complete_urls(enlarge_images(quote_code_elements(expanded), index), base_url)
    line = item.content_line
    # In HTML, CDATA is a comment, and its text is lost.
    text, markers = remove_markers(original.replace("<![CDATA[", "&lt;![CDATA["), line)
    text, shortcodes = translate_shortcodes(
        text, line, item.get("wp:post_id"), index, max_characters
    )
    blocks: list[RemovedLine] = []
    if BLOCK_START in text:
        text, blocks = remove_block_comments(text, line)
    else:
        text = add_paragraphs(text)
    listed = (*removed, *markers, *shortcodes, *blocks)
    if expanded != source:  # their lines come between
        listed = tuple(entry._replace(line=0) for entry in listed)
    return RenderedContent(
        text.strip(), original, tuple(sorted(listed, key=lambda entry: entry.line))
    )
