"""Translate shortcodes and bare URLs of a WordPress export."""

import html
import re
from collections.abc import Iterable, Iterator

from newsletter.posts.importing.markup.code_ranges import find_code_ranges
from newsletter.posts.importing.markup.dialects.code_tags import translate_code_tags
from newsletter.posts.importing.markup.dialects.wordpress import (
    RenderedGallery,
    translate_wordpress,
)
from newsletter.posts.importing.markup.edits import Edit, Ranges, apply_edits
from newsletter.posts.importing.markup.media import format_video_frame
from newsletter.posts.importing.markup.page import MarkupPage
from newsletter.posts.importing.markup.tags import MarkupTag
from newsletter.posts.importing.sources.wordpress.export_index import ExportIndex, UploadedFile
from newsletter.posts.removed_line import RemovedLine
from newsletter.wording import format_count

_NUMBER = re.compile(r"\d{1,12}")
# WordPress embeds the page of a URL that is alone on its line or in its paragraph.
_URL_AT_END = re.compile(
    r"https?://[^\s<>\"]{1,2000}(?=[ \t]{0,9}(?:$|</p>))", re.IGNORECASE | re.MULTILINE
)
_LINE_START = re.compile(r"(?:\n|<p>)[ \t]*\Z")
_MAX_INDENT = 12  # characters

_CODE_START = re.compile(
    r"<(?P<name>pre|code)\b(?=[^<>]{0,300}\slang=[\"'](?P<language>[\w+#-]{1,20}))[^<>]{0,300}>",
    re.IGNORECASE,
)
_TOO_LARGE = RenderedGallery("", "with which the post would be too large")
_MEDIA_TAGS = {
    ".mp3": "audio", ".m4a": "audio", ".ogg": "audio", ".wav": "audio", ".flac": "audio",
    ".mp4": "video", ".m4v": "video", ".webm": "video", ".ogv": "video", ".mov": "video",
}  # fmt: skip


def translate_shortcodes(
    text: str, first_line: int, post_id: str, index: ExportIndex, max_characters: int
) -> tuple[str, list[RemovedLine]]:
    """Return HTML without shortcodes, on the same lines; what became of them is listed.

    Args:
        text: a post's content, before paragraphs are made.
        first_line: 1-based line of its file on which it begins.
        post_id: the post's id, to find the files that were uploaded to it.
        index: what the export has.
        max_characters: how long the text may become with the pictures of galleries.
    """
    removed: list[RemovedLine] = []
    room = max_characters - len(text)

    def render_gallery(tag: MarkupTag) -> RenderedGallery:
        nonlocal room
        gallery = _render_gallery(tag, post_id, index) if room > 0 else _TOO_LARGE
        room -= len(gallery.html)
        return gallery if room >= 0 else _TOO_LARGE

    if "[" in text:
        edits: Iterable[Edit] = translate_code_tags(_make_page(text, Ranges(())))
        text, listed = apply_edits(text, edits, first_line)
        removed += listed
        edits = translate_wordpress(_make_page(text), render_gallery)
        text, listed = apply_edits(text, edits, first_line)
        removed += listed
    if "://" in text:
        text, listed = apply_edits(text, _embed_bare_urls(_make_page(text)), first_line)
        removed += listed
    return text, removed


def quote_code_elements(text: str) -> str:
    """Return HTML in which ``<pre lang="php">`` and ``<code lang="php">`` hold text.

    Plugins show it so (WP-Syntax, CodeColorer): what looks like a tag in there is code.

    Args:
        text: a post's content.
    """
    parts: list[str] = []
    never_found: set[str] = set()  # so that each end tag is looked for in vain only once
    position = 0
    for start_tag in _CODE_START.finditer(text):
        end_tag = f"</{start_tag['name']}>"
        if end_tag in never_found or start_tag.start() < position:
            continue
        end = text.find(end_tag, start_tag.end())
        if end < 0:
            never_found.add(end_tag)
            continue
        code = text[start_tag.end() : end]
        if "<" in code and "escaped=" not in start_tag[0]:
            code = html.escape(code, quote=False)
        language = start_tag["language"].lower()
        lines = code.lstrip("\n")
        block = f'<code class="language-{language}">{lines}</code>'
        if start_tag["name"].lower() == "pre" or "\n" in code:
            block = f"<pre>{block}</pre>"
        line_ends = "\n" * (len(code) - len(lines))
        parts += (text[position : start_tag.start()], line_ends, block)
        position = end + len(end_tag)
    return "".join((*parts, text[position:]))


def _make_page(text: str, protected: Ranges | None = None) -> MarkupPage:
    protected = protected or find_code_ranges(text, is_markdown=False)
    return MarkupPage(text, is_markdown=False, protected=protected, dialect="WordPress shortcode")


def _embed_bare_urls(page: MarkupPage) -> Iterator[Edit]:
    for found in _URL_AT_END.finditer(page.text):
        start = found.start()
        before = page.text[max(start - _MAX_INDENT, 0) : start]
        is_bare = _LINE_START.search(before if start >= _MAX_INDENT else f"\n{before}")
        if is_bare and start not in page.protected:
            url = html.unescape(found[0])
            frame = format_video_frame(url)
            why = "URL alone on its line, now a video" if frame else ""
            yield Edit(*found.span(), frame or page.format_link(url), why)


def _render_gallery(tag: MarkupTag, post_id: str, index: ExportIndex) -> RenderedGallery:
    """Return the pictures of a gallery, or the recordings of a playlist."""
    numbers = _NUMBER.findall(tag.get("ids", "include"))
    found = (
        [index.attachments[number] for number in numbers if number in index.attachments]
        if numbers
        else _list_uploads(tag, post_id, index)
    )
    missing = len(numbers) - len(found)
    noun = "file" if tag.name == "playlist" else "picture"
    if not found:
        return RenderedGallery("", f"whose {noun}s aren't in the export")
    explanation = f"now {format_count(len(found), noun)}"
    if missing > 0:
        verb = "isn't" if missing == 1 else "aren't"
        explanation += f"; {format_count(missing, noun)} of it {verb} in the export"
    if tag.name == "playlist":
        return RenderedGallery("".join(map(_render_recording, found)), explanation)
    pictures = "".join(map(_render_picture, found))
    return RenderedGallery(
        f'<div class="gallery">{pictures}</div>' if len(found) > 1 else pictures, explanation
    )


def _list_uploads(tag: MarkupTag, post_id: str, index: ExportIndex) -> list[UploadedFile]:
    """Return what a gallery without ids shows: the files of its kind that the post has."""
    excluded = set(_NUMBER.findall(tag.get("exclude")))
    parent = _NUMBER.search(tag.get("id"))
    kind = "img" if tag.name == "gallery" else tag.get("type") or "audio"
    return [
        attachment
        for attachment in index.list_attachments(parent[0] if parent else post_id)
        if _get_media_tag(attachment) == kind and attachment.number not in excluded
    ]


def _get_media_tag(attachment: UploadedFile) -> str:
    path = attachment.url.partition("?")[0].lower()
    suffix = path[path.rfind(".") :]
    if suffix in {".pdf", ".doc", ".docx", ".zip", ".txt", ".xls", ".xlsx", ".ppt", ".pptx"}:
        return "a"
    return _MEDIA_TAGS.get(suffix, "img")


def _render_picture(attachment: UploadedFile) -> str:
    """Return an uploaded image with its caption as HTML on one line."""
    image = f'<img src="{html.escape(attachment.url)}" alt="{html.escape(attachment.alt)}">'
    caption = " ".join(attachment.caption.split())
    figcaption = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f"<figure>{image}{figcaption}</figure>"


def _render_recording(attachment: UploadedFile) -> str:
    name = _get_media_tag(attachment)
    name = name if name in {"audio", "video"} else "audio"
    title = html.escape(html.unescape(attachment.title))
    return f'<{name} src="{html.escape(attachment.url)}" title="{title}" controls></{name}>'
