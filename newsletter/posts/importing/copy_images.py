"""Collect local images of an imported post: find, check and rename them."""

import html
import os
import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import imagesize

from newsletter.errors import Location, PostError, Problem
from newsletter.posts.images import is_local_image, is_page_path
from newsletter.posts.importing.imported_post import ImportedPost
from newsletter.posts.importing.read_file import PostSource

_IMAGE_SUFFIXES = {
    ".png",
    ".jpg",
    ".jpeg",
    ".gif",
    ".webp",
    ".avif",
    ".svg",
    ".bmp",
    ".tif",
    ".tiff",
}
_SIGNATURES = (
    (re.compile(rb"\x89PNG"), ".png"),
    (re.compile(rb"\xff\xd8\xff"), ".jpg"),
    (re.compile(rb"GIF8"), ".gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), ".webp"),
    (re.compile(rb"....ftypavif", re.DOTALL), ".avif"),
)
_ABSOLUTE_PATH = re.compile(r"file:|[a-z]:", re.IGNORECASE)
_UNPARSED_IMAGE = re.compile(r"!\[[^\]]*\]\((file:[^)\s]+)\)")
_UNREADABLE_SIZE = (-1, -1)


@dataclass(frozen=True, slots=True)
class CollectedImages:
    """The local images of a post.

    Attributes:
        imported_post: the post with its image references rewritten where necessary.
        files: path inside the issue's folder (with ``/``) -> file to copy there.
    """

    imported_post: ImportedPost
    files: Mapping[str, Path]


class _MissingImageError(PostError):
    """A post refers to an image that isn't beside it."""


def collect_images(
    imported_post: ImportedPost, source: PostSource, max_bytes: int
) -> CollectedImages:
    """Find all local images of a post; the reference to one that is missing stays as it is.

    Nothing outside the post's folder is read, except images to which the post refers with ``../``.

    Args:
        imported_post: the post.
        source: its source file.
        max_bytes: size limit of an image.

    Raises:
        PostError: all images that are too large, not images, or outside the folder.
    """
    references = [
        reference
        for reference in _list_references(imported_post)
        if _ABSOLUTE_PATH.match(reference) or not is_page_path(reference, source.folder)
    ]
    used_names = {
        name for reference in references if (name := _normalize_inner_path(_decode_path(reference)))
    }
    files: dict[str, Path] = {}
    renamed: dict[str, str] = {}
    problems: list[Problem] = []
    for reference in references:
        try:
            file = _find_image_file(reference, source, max_bytes)
        except _MissingImageError:
            continue  # the issue says where to put it
        except PostError as error:
            problems += error.problems
            continue
        path = _decode_path(reference)
        name = _normalize_inner_path(path) or _choose_unused_name(file, files, used_names)
        if not file.suffix:
            name += _find_suffix(file)
        files[name] = file
        if name != path:
            renamed[reference] = quote(name)
    if problems:
        raise PostError.from_problems(problems)
    return CollectedImages(_rewrite_references(imported_post, renamed, source), files)


def can_copy_image(reference: str, source: PostSource, max_bytes: int) -> bool:
    """Return whether an image is on the web, or a file that can be copied."""
    if not _is_on_disk(reference):
        return True
    try:
        _find_image_file(reference, source, max_bytes)
    except PostError:
        return False
    return True


def _list_references(imported_post: ImportedPost) -> list[str]:
    """Return all image references to local files, as written or percent-encoded, each once."""
    outline = imported_post.outline
    # A path that Markdown doesn't accept as an image stays in the text.
    unparsed = (found for block in outline.blocks for found in _UNPARSED_IMAGE.findall(block.text))
    references = (
        *outline.image_urls,
        *unparsed,
        *_iter_setting_references(
            {key: value for key, value in imported_post.front_matter.items() if key != "extra"}
        ),
    )
    return [reference for reference in dict.fromkeys(references) if _is_on_disk(reference)]


def _is_on_disk(reference: str) -> bool:
    """Return whether a reference is a local file; absolute paths are rejected later."""
    if "{{" in reference:
        return False
    return is_local_image(reference) or bool(_ABSOLUTE_PATH.match(reference))


def _iter_setting_references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in {"src", "hero", "picture"} and isinstance(inner, str) and inner.strip():
                yield inner.strip()
            else:
                yield from _iter_setting_references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _iter_setting_references(inner)


def _decode_path(reference: str) -> str:
    return unquote(re.split(r"[?#]", reference, maxsplit=1)[0])


def _normalize_inner_path(path: str) -> str:
    """Return the normalised path inside the post's folder; empty if it is outside."""
    normalized = posixpath.normpath(path)
    return "" if ":" in normalized or normalized.startswith(("/", "..")) else normalized


def _find_image_file(reference: str, source: PostSource, max_bytes: int) -> Path:
    where = Location(source.name, source.find_line(reference))
    path = _decode_path(reference)
    if path.startswith("/") or ":" in path:
        raise PostError(
            f"the image '{reference}' is outside the post's folder",
            where=where,
            remedy="Put it beside the post and use a relative path, or use its full URL.",
        )
    if source.folder is None:
        raise _MissingImageError("a post on standard input has no folder", where=where)
    unresolved = Path(os.path.normpath(source.folder / path))
    if not os.path.isfile(unresolved):  # noqa: PTH113 - Path.is_file raises for names that are too long
        raise _MissingImageError(f"there is no {unresolved}", where=where)
    file = unresolved.resolve()
    if file != unresolved and not file.is_relative_to(source.folder):
        raise PostError(
            f"the image '{reference}' is a symbolic link to a file outside the post's folder",
            where=where,
            remedy="Replace the link with the image itself.",
        )
    size = file.stat().st_size
    if size > max_bytes:
        raise PostError(
            f"the image '{reference}' has {size:,} bytes; the limit is {max_bytes:,}",
            where=where,
            remedy="Make it smaller, or raise limits.image_bytes in newsletter.yml.",
        )
    suffix = file.suffix.lower() or _find_suffix(file)
    if suffix not in _IMAGE_SUFFIXES or imagesize.get(file) == _UNREADABLE_SIZE:
        raise PostError(
            f"'{reference}' is not an image that an email can show",
            where=where,
            remedy="Use PNG, JPEG, GIF, WebP or SVG.",
        )
    return file


def _find_suffix(file: Path) -> str:
    """Return the usual ending of an image's name, by its first bytes; empty if it is unknown."""
    with file.open("rb") as image:
        start = image.read(16)
    return next((suffix for pattern, suffix in _SIGNATURES if pattern.match(start)), "")


def _choose_unused_name(file: Path, files: Mapping[str, Path], used_names: Collection[str]) -> str:
    names = chain([file.name], (f"{file.stem}-{n}{file.suffix}" for n in count(2)))
    return next(name for name in names if name not in used_names and files.get(name, file) == file)


def _rewrite_references(
    imported_post: ImportedPost, new_references: Mapping[str, str], source: PostSource
) -> ImportedPost:
    if not new_references:
        return imported_post
    body, front_matter_source, front_matter = (
        imported_post.body,
        imported_post.front_matter_source,
        imported_post.front_matter,
    )
    for old, new in new_references.items():
        body, front_matter_source = (
            _replace_in_text(body, old, new),
            _replace_in_text(front_matter_source, old, new),
        )
        front_matter = _replace_in_settings(front_matter, old, new)
    changed = replace(
        imported_post.with_body(body),
        front_matter_source=front_matter_source,
        front_matter=front_matter,
    )
    unchanged = sorted(set(new_references) & set(_list_references(changed)))
    if unchanged:
        raise PostError.from_problems(
            [
                Problem(
                    f"could not rewrite the image path '{reference}'",
                    Location(source.name, source.find_line(reference)),
                    "Put the image beside the post and use a relative path.",
                )
                for reference in unchanged
            ]
        )
    return changed


def _replace_in_text(text: str, old: str, new: str) -> str:
    for form in dict.fromkeys((old, unquote(old), html.escape(old))):
        parts = re.split(rf"(?<![\w./%-]){re.escape(form)}(?![\w/%-])", text)
        text = new.join(parts)
    return text


def _replace_in_settings(value: Any, old: str, new: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _replace_in_settings(inner, old, new) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replace_in_settings(inner, old, new) for inner in value]
    return new if value == old else value
