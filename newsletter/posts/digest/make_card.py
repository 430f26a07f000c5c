"""Make the card of a digest from an issue or from a post of a blog."""

import datetime
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from newsletter.errors import PostError
from newsletter.posts.digest.select_posts import CardPicture, DigestCard
from newsletter.posts.images import is_local_image
from newsletter.posts.importing.blocks import outline_html
from newsletter.posts.importing.images.prepare_image import PreparedImage
from newsletter.posts.importing.imported_post import ImportedPost
from newsletter.posts.importing.opening import clip_to_sentence, find_html_opening
from newsletter.posts.importing.parse_body import render_body
from newsletter.posts.importing.source_post import SourcePost
from newsletter.posts.issue import Issue
from newsletter.posts.merge_tags.compiler import escape_braces, write_literals_as
from newsletter.posts.merge_tags.tags import restore_merge_tags

MAX_EXCERPT_LENGTH = 280  # characters
_MIN_EXCERPT_LENGTH = 90  # characters: after a shorter sentence, the next one follows
# What all mail clients show.
_PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".gif"})
_CUT_SIGN = "\u2026"
_BRACES = "\ue000"  # stands for two braces that are no merge tag, while a text is chosen and cut


def make_issue_card(issue: Issue, url: str, date: datetime.date, post_id: str = "") -> DigestCard:
    """Return the card of an issue.

    Args:
        issue: an issue of one post.
        url: where it is on the web.
        date: when it was published.
        post_id: how the source that it was imported from identifies it.
    """

    def restore(text: str) -> str:
        return restore_merge_tags(escape_braces(text), issue.merge_tags)

    outline = outline_html(issue.post.body)
    summary = issue.preheader
    # A preheader that an import cut is shorter than it could be here.
    if not summary or summary.endswith(_CUT_SIGN):
        opening = _find_opening_text(_hide_braces(issue.post.body), issue.post.title)
        summary = _show_braces(opening) or summary
    folder = issue.source_path.parent
    files = {path: folder / image.name for path, image in issue.post.images.items()}
    hero = [(issue.hero.src, restore(issue.hero.alt))] if issue.hero else []
    return DigestCard(
        title=restore(issue.post.title),
        url=url,
        excerpt=restore(_clip_excerpt(summary)),
        picture=_choose_picture([*hero, *((src, "") for src in outline.image_urls)], files),
        minutes=outline.reading_minutes,
        date=date,
        post_id=post_id,
    )


def make_post_card(
    post: SourcePost,
    parsed: ImportedPost,
    files: Mapping[str, Path | bytes],
    date: datetime.date | None,
    prepare: Callable[[bytes], PreparedImage],
) -> DigestCard:
    """Return the card of a post of a feed, an export or a folder.

    Args:
        post: the post.
        parsed: the same, parsed and cleaned up.
        files: path as the parsed post has it -> an image of it on disk.
        date: when it was published, if known.
        prepare: returns an image as email can show it; its errors leave the image out.
    """
    html = _hide_braces(render_body(parsed.body, parsed.body_format))
    settings = parsed.front_matter
    summary = post.summary or _find_opening_text(html, parsed.title)
    summary = _hide_braces(summary or str(settings.get("preheader") or ""))
    return DigestCard(
        title=str(settings.get("title") or escape_braces(parsed.title)),
        url=post.url or str(settings.get("canonical_url") or ""),
        excerpt=escape_braces(_show_braces(_clip_excerpt(summary))),
        picture=_choose_picture(
            [*_get_hero(settings.get("hero")), *((src, "") for src in parsed.outline.image_urls)],
            files,
            prepare,
        ),
        minutes=parsed.outline.reading_minutes,
        date=date,
        post_id=" ".join(post.post_id.split()),
    )


def _hide_braces(text: str) -> str:
    """Return text or HTML in which ``{{`` is left only where it begins a merge tag."""
    return write_literals_as(escape_braces(text), _BRACES)


def _show_braces(text: str) -> str:
    return text.replace(_BRACES, "{{")


def _find_opening_text(html: str, title: str) -> str:
    """Return the first running text; after a short one ("Hello readers!"), the next paragraphs."""
    text = opening = find_html_opening(html, title)
    paragraphs = [block.text for block in outline_html(html).blocks if block.tag == "p"]
    if opening in paragraphs:
        for paragraph in paragraphs[paragraphs.index(opening) + 1 :]:
            if len(text) >= _MIN_EXCERPT_LENGTH or text.endswith(":") or "{{" in paragraph:
                break
            text = f"{text} {paragraph}"
    return text


def _clip_excerpt(text: str) -> str:
    clipped = clip_to_sentence(text, _MIN_EXCERPT_LENGTH, MAX_EXCERPT_LENGTH)
    # A list follows, which isn't in the card.
    return f"{clipped[:-1]}{_CUT_SIGN}" if clipped.endswith(":") else clipped


def _get_hero(hero: Any) -> list[tuple[str, str]]:
    if isinstance(hero, dict):
        return [(str(hero.get("src", "")), str(hero.get("alt", "")))]
    return [(hero, "")] if isinstance(hero, str) else []


def _choose_picture(
    candidates: list[tuple[str, str]],
    files: Mapping[str, Path | bytes],
    prepare: Callable[[bytes], PreparedImage] | None = None,
) -> CardPicture | None:
    """Return the first image that is on the web or on disk, and that all mail clients show."""
    for src, alt in candidates:
        if not is_local_image(src):
            if src.lower().startswith("https://"):
                return CardPicture(src, alt)
            continue
        if (file := files.get(src)) is None:
            continue
        path = PurePosixPath(src)
        if prepare is not None:
            try:
                prepared = prepare(file if isinstance(file, bytes) else file.read_bytes())
            except (PostError, OSError):
                continue
            path, file = path.with_suffix(prepared.suffix), prepared.data
        if path.suffix.lower() in _PICTURE_SUFFIXES:
            return CardPicture(path.name, alt, file)
    return None
