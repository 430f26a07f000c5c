"""The pictures that a post brings along: found beside it, checked, and named for its issue."""

import html
import os
import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote

import imagesize

from newsletter.errors import Location, PostError, Problem
from newsletter.posts.images import is_local_image
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
_ABSOLUTE_PATH = re.compile(r"file:|[a-z]:", re.IGNORECASE)
_UNPARSED_IMAGE = re.compile(r"!\[[^\]]*\]\((file:[^)\s]+)\)")
_UNREADABLE_SIZE = (-1, -1)


@dataclass(frozen=True, slots=True)
class CollectedImages:
    """The local pictures of a post.

    Attributes:
        imported_post: the post, with the references that had to change rewritten.
        files: path inside the issue's folder (with ``/``) -> file to copy there.
    """

    imported_post: ImportedPost
    files: Mapping[str, Path]


def collect_images(
    imported_post: ImportedPost, source: PostSource, max_bytes: int
) -> CollectedImages:
    """Find every local picture that a post names.

    Nothing outside the post's folder is read, unless the post says ``../`` and a picture is there.

    Args:
        imported_post: the post.
        source: what it was read from.
        max_bytes: bytes that a picture may have.

    Raises:
        PostError: pictures that are missing, too big, no pictures, or outside; all at once.
    """
    references = _list_references(imported_post)
    taken = {
        name for reference in references if (name := _normalize_inner_path(_decode_path(reference)))
    }
    files: dict[str, Path] = {}
    renamed: dict[str, str] = {}
    problems: list[Problem] = []
    for reference in references:
        try:
            file = _find_image_file(reference, source, max_bytes)
        except PostError as error:
            problems += error.problems
            continue
        path = _decode_path(reference)
        name = _normalize_inner_path(path) or _choose_unused_name(file, files, taken)
        files[name] = file
        if name != path:
            renamed[reference] = quote(name)
    if problems:
        raise PostError.from_problems(problems)
    return CollectedImages(_rewrite_references(imported_post, renamed, source), files)


def _list_references(imported_post: ImportedPost) -> list[str]:
    """Every picture that is not on the web, as written or percent-encoded, each once."""
    article = imported_post.outline
    # A path that Markdown refuses to take for a picture stays in the text.
    refused = (found for block in article.blocks for found in _UNPARSED_IMAGE.findall(block.text))
    told = (*article.image_urls, *refused, *_iter_setting_references(imported_post.front_matter))
    return [reference for reference in dict.fromkeys(told) if _is_on_disk(reference)]


def _is_on_disk(reference: str) -> bool:
    """Local, or an absolute path on this machine that a post has no business with."""
    if "{{" in reference:
        return False
    path = PurePosixPath(_decode_path(reference))
    rooted = reference[0] == "/" != reference[1:2] and path.suffix.lower() not in _IMAGE_SUFFIXES
    return is_local_image(reference) or rooted or bool(_ABSOLUTE_PATH.match(reference))


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
    """The path below the post's folder, tidied; empty where it leads out."""
    tidy = posixpath.normpath(path)
    return "" if ":" in tidy or tidy.startswith(("/", "..")) else tidy


def _find_image_file(reference: str, source: PostSource, max_bytes: int) -> Path:
    where = Location(source.name, source.find_line(reference))
    path = _decode_path(reference)
    if path.startswith("/") or ":" in path:
        raise PostError(
            f"the picture '{reference}' is outside the post's folder",
            where=where,
            remedy="Put it beside the post and name it from there, or write its whole URL.",
        )
    if source.folder is None:
        raise PostError(
            f"the picture '{reference}' is in a folder, and standard input has none",
            where=where,
            remedy="Save the post beside its pictures and import the file.",
        )
    lexical = Path(os.path.normpath(source.folder / path))
    if not os.path.isfile(lexical):  # noqa: PTH113 - Path.is_file raises for names that are too long
        raise PostError(
            f"the picture '{reference}' is missing", where=where, remedy=f"Looked for {lexical}."
        )
    file = lexical.resolve()
    if file != lexical and not file.is_relative_to(source.folder):
        raise PostError(
            f"the picture '{reference}' is a link that leads out of the post's folder",
            where=where,
            remedy="Put the picture itself there.",
        )
    size = file.stat().st_size
    if size > max_bytes:
        raise PostError(
            f"the picture '{reference}' has {size:,} bytes, more than the {max_bytes:,} allowed",
            where=where,
            remedy="Make it smaller, or raise limits.image_bytes in newsletter.yml.",
        )
    if file.suffix.lower() not in _IMAGE_SUFFIXES or imagesize.get(file) == _UNREADABLE_SIZE:
        raise PostError(
            f"'{reference}' is no picture that a mail can show",
            where=where,
            remedy="Pictures are PNG, JPEG, GIF, WebP or SVG.",
        )
    return file


def _choose_unused_name(file: Path, files: Mapping[str, Path], used_names: Collection[str]) -> str:
    names = chain([file.name], (f"{file.stem}-{n}{file.suffix}" for n in count(2)))
    return next(name for name in names if name not in used_names and files.get(name, file) == file)


def _rewrite_references(
    imported_post: ImportedPost, new_references: Mapping[str, str], source: PostSource
) -> ImportedPost:
    body, front_source, front = (
        imported_post.body,
        imported_post.front_matter_source,
        imported_post.front_matter,
    )
    for old, new in new_references.items():
        body, front_source = (
            _replace_in_text(body, old, new),
            _replace_in_text(front_source, old, new),
        )
        front = _replace_in_settings(front, old, new)
    changed = replace(
        imported_post, body=body, front_matter_source=front_source, front_matter=front
    )
    left = sorted(set(new_references) & set(_list_references(changed)))
    if left:
        raise PostError.from_problems(
            [
                Problem(
                    f"cannot rewrite the picture's path '{reference}'",
                    Location(source.name, source.find_line(reference)),
                    "Put it beside the post and name it from there.",
                )
                for reference in left
            ]
        )
    return changed


def _replace_in_text(text: str, old: str, new: str) -> str:
    for written in dict.fromkeys((old, unquote(old), html.escape(old))):
        parts = re.split(rf"(?<![\w./%-]){re.escape(written)}(?![\w/%-])", text)
        text = new.join(parts)
    return text


def _replace_in_settings(value: Any, old: str, new: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _replace_in_settings(inner, old, new) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replace_in_settings(inner, old, new) for inner in value]
    return new if value == old else value
