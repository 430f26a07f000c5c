"""What posts of an export refer to: images, reusable blocks, authors."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from newsletter.posts.importing.sources.wordpress.export_text import (
    ExportFile,
    iter_export_parts,
)
from newsletter.posts.importing.sources.wordpress.export_xml import (
    ExportHeader,
    ExportItem,
    parse_export_header,
    parse_export_item,
)

_REFERRED_TYPE = re.compile(r"post_type>\s*(?:<!\[CDATA\[)?\s*(?:attachment|wp_block)\b")
_SCHEME = re.compile(r"(?:https?:)?//(?:www\.)?", re.IGNORECASE)
# WordPress scales large images down, and keeps several sizes of each, named by width and height.
_SIZE = re.compile(r"-\d{1,5}x\d{1,5}(?=\.\w{1,5}$)")
_SUFFIX = re.compile(r"\.\w{1,5}$")
_MAX_URL_LENGTH = 2_000  # characters
_MAX_BLOCK_CHARACTERS = 20_000_000  # of all reusable blocks


class UploadedFile(NamedTuple):
    """An image or another uploaded file.

    Attributes:
        number: its id.
        url: its URL in full size.
        title: plain text.
        alt: its alternative text.
        caption: HTML.
        parent: id of the post that it was uploaded to; ``"0"`` for none.
        order: its place among the files of that post.
    """

    number: str
    url: str
    title: str
    alt: str
    caption: str
    parent: str
    order: int


@dataclass(slots=True)
class ExportIndex:
    """What posts refer to.

    Attributes:
        attachments: by id.
        attachments_by_parent: by the id of their post.
        blocks: the contents of reusable blocks, by id.
        author_names: display names by login.
    """

    attachments: dict[str, UploadedFile] = field(default_factory=dict)
    attachments_by_parent: dict[str, list[UploadedFile]] = field(default_factory=dict)
    blocks: dict[str, str] = field(default_factory=dict)
    author_names: dict[str, str] = field(default_factory=dict)
    _full_urls: dict[str, str] = field(default_factory=dict)  # by the URL without its scheme

    def find_full_url(self, url: str, number: str = "") -> str:
        """Return the URL of an image in full size; empty if the export doesn't have it.

        Args:
            url: of any of its sizes.
            number: its id, if that is known.
        """
        known = self.attachments.get(number)
        base = url.partition("?")[0].partition("#")[0]
        original = _SIZE.sub("", base)
        if known and original != base and _strip_names(known.url) == _strip_names(original):
            return known.url
        suffix = _SUFFIX.search(original)
        stem = original[: suffix.start()] if suffix else original
        ending = suffix[0] if suffix else ""
        candidates = (original, f"{stem}-scaled{ending}", f"{stem}-rotated{ending}")
        return next(
            (found for name in candidates if (found := self._full_urls.get(_fold(name)))), ""
        )

    def list_attachments(self, post_id: str) -> Sequence[UploadedFile]:
        """Return the files that were uploaded to a post, in their order."""
        found = self.attachments_by_parent.get(post_id, ())
        return sorted(found, key=lambda attachment: attachment.order)

    def add_attachment(self, item: ExportItem) -> None:
        """Add an uploaded file."""
        order = item.get("wp:menu_order")
        attachment = UploadedFile(
            item.get("wp:post_id"),
            item.get("wp:attachment_url") or item.get("guid"),
            item.get("title"),
            item.meta.get("_wp_attachment_image_alt", "").strip(),
            item.get("excerpt:encoded"),
            item.get("wp:post_parent"),
            int(order) if order.isdecimal() else 0,
        )
        is_known = not attachment.number or attachment.number in self.attachments
        if is_known or not 0 < len(attachment.url) <= _MAX_URL_LENGTH:
            return
        self.attachments[attachment.number] = attachment
        self._full_urls.setdefault(_fold(attachment.url), attachment.url)
        if attachment.parent not in {"", "0"}:
            self.attachments_by_parent.setdefault(attachment.parent, []).append(attachment)


def build_index(files: Sequence[ExportFile], max_item_characters: int) -> ExportIndex:
    """Return what the posts of all files refer to; only that is parsed.

    Args:
        files: the files of an export.
        max_item_characters: the size from which an item is too large.

    Raises:
        PostError: a file is no export.
        OSError: it can't be read.
    """
    index = ExportIndex()
    block_characters = 0
    for file in files:
        header = ExportHeader("<rss>", {}, {})
        for part in iter_export_parts(file, max_item_characters):
            if part.kind == "header":
                header = parse_export_header(part)
                index.author_names |= {
                    login: name for login, name in header.author_names.items() if name
                }
            if part.kind != "item" or not _REFERRED_TYPE.search(part.text):
                continue
            item = parse_export_item(part, header)
            if item and item.get("wp:post_type") == "attachment":
                index.add_attachment(item)
            elif item and item.get("wp:post_type") == "wp_block":
                content = item.fields.get("content:encoded", "")
                block_characters += len(content)
                if block_characters <= _MAX_BLOCK_CHARACTERS:
                    index.blocks.setdefault(item.get("wp:post_id"), content)
    return index


def _fold(url: str) -> str:
    return _SCHEME.sub("", url, count=1).casefold()


def _strip_names(url: str) -> str:
    """Return an image's file name without what its sizes add to it."""
    name = url.partition("?")[0].rpartition("/")[2]
    return re.sub(r"(?:-scaled|-rotated)?(\.\w{1,5})$", r"\1", name).casefold()
