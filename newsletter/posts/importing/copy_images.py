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
from newsletter.posts.images import is_local
from newsletter.posts.importing.imported_post import Manuscript
from newsletter.posts.importing.read_file import Source

_ENDINGS = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".svg", ".bmp", ".tif", ".tiff"}
_MACHINE = re.compile(r"file:|[a-z]:", re.IGNORECASE)
_REFUSED = re.compile(r"!\[[^\]]*\]\((file:[^)\s]+)\)")
_UNREADABLE = (-1, -1)


@dataclass(frozen=True, slots=True)
class Pictures:
    """The local pictures of a post.

    Attributes:
        manuscript: the post, with the references that had to change rewritten.
        files: path inside the issue's folder (with ``/``) -> file to copy there.
    """

    manuscript: Manuscript
    files: Mapping[str, Path]


def gather(manuscript: Manuscript, source: Source, limit: int) -> Pictures:
    """Find every local picture that a post names.

    Nothing outside the post's folder is read, unless the post says ``../`` and a picture is there.

    Args:
        manuscript: the post.
        source: what it was read from.
        limit: bytes that a picture may have.

    Raises:
        PostError: pictures that are missing, too big, no pictures, or outside; all at once.
    """
    references = _references(manuscript)
    taken = {name for reference in references if (name := _inside(_path(reference)))}
    files: dict[str, Path] = {}
    renamed: dict[str, str] = {}
    problems: list[Problem] = []
    for reference in references:
        try:
            file = _found(reference, source, limit)
        except PostError as error:
            problems += error.problems
            continue
        path = _path(reference)
        name = _inside(path) or _free_name(file, files, taken)
        files[name] = file
        if name != path:
            renamed[reference] = quote(name)
    if problems:
        raise PostError.from_problems(problems)
    return Pictures(_renamed(manuscript, renamed, source), files)


def _references(manuscript: Manuscript) -> list[str]:
    """Every picture that is not on the web, as written or percent-encoded, each once."""
    article = manuscript.outline
    # A path that Markdown refuses to take for a picture stays in the text.
    refused = (found for block in article.blocks for found in _REFUSED.findall(block.text))
    told = (*article.images, *refused, *_in_settings(manuscript.front))
    return [reference for reference in dict.fromkeys(told) if _on_disk(reference)]


def _on_disk(reference: str) -> bool:
    """Local, or an absolute path on this machine that a post has no business with."""
    if "{{" in reference:
        return False
    path = PurePosixPath(_path(reference))
    rooted = reference[0] == "/" != reference[1:2] and path.suffix.lower() not in _ENDINGS
    return is_local(reference) or rooted or bool(_MACHINE.match(reference))


def _in_settings(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in {"src", "hero", "picture"} and isinstance(inner, str) and inner.strip():
                yield inner.strip()
            else:
                yield from _in_settings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _in_settings(inner)


def _path(reference: str) -> str:
    return unquote(re.split(r"[?#]", reference, maxsplit=1)[0])


def _inside(path: str) -> str:
    """The path below the post's folder, tidied; empty where it leads out."""
    tidy = posixpath.normpath(path)
    return "" if ":" in tidy or tidy.startswith(("/", "..")) else tidy


def _found(reference: str, source: Source, limit: int) -> Path:
    where = Location(source.name, source.line_of(reference))
    path = _path(reference)
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
    if size > limit:
        raise PostError(
            f"the picture '{reference}' has {size:,} bytes, more than the {limit:,} allowed",
            where=where,
            remedy="Make it smaller, or raise limits.image_bytes in newsletter.yml.",
        )
    if file.suffix.lower() not in _ENDINGS or imagesize.get(file) == _UNREADABLE:
        raise PostError(
            f"'{reference}' is no picture that a mail can show",
            where=where,
            remedy="Pictures are PNG, JPEG, GIF, WebP or SVG.",
        )
    return file


def _free_name(file: Path, files: Mapping[str, Path], taken: Collection[str]) -> str:
    names = chain([file.name], (f"{file.stem}-{n}{file.suffix}" for n in count(2)))
    return next(name for name in names if name not in taken and files.get(name, file) == file)


def _renamed(manuscript: Manuscript, renamed: Mapping[str, str], source: Source) -> Manuscript:
    body, front_source, front = manuscript.body, manuscript.front_source, manuscript.front
    for old, new in renamed.items():
        body, front_source = _reworded(body, old, new), _reworded(front_source, old, new)
        front = _replaced(front, old, new)
    changed = replace(manuscript, body=body, front_source=front_source, front=front)
    left = sorted(set(renamed) & set(_references(changed)))
    if left:
        raise PostError.from_problems(
            [
                Problem(
                    f"cannot rewrite the picture's path '{reference}'",
                    Location(source.name, source.line_of(reference)),
                    "Put it beside the post and name it from there.",
                )
                for reference in left
            ]
        )
    return changed


def _reworded(text: str, old: str, new: str) -> str:
    for written in dict.fromkeys((old, unquote(old), html.escape(old))):
        parts = re.split(rf"(?<![\w./%-]){re.escape(written)}(?![\w/%-])", text)
        text = new.join(parts)
    return text


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _replaced(inner, old, new) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, old, new) for inner in value]
    return new if value == old else value
