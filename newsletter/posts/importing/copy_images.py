"""Collect the local images of an imported post and rename them."""

import html
import posixpath
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from newsletter.errors import Location, PostError, Problem
from newsletter.posts.images import make_dark_name
from newsletter.posts.importing.find_image import (
    ImageFinder,
    ImageNotCopiedError,
    MissingImageError,
    decode_path,
    find_suffix,
)
from newsletter.posts.importing.images.setting_references import iter_setting_references
from newsletter.posts.importing.imported_post import ImportedPost
from newsletter.posts.importing.markup.code_ranges import find_code_blocks
from newsletter.posts.importing.markup.edits import Ranges

_NO_CODE = Ranges(())
_MAX_LINK_LENGTH = 2_000  # characters of a link's text
_UNPARSED_IMAGE = re.compile(r"!\[[^\[\]]{0,500}\]\((file:[^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class CollectedImages:
    """The local images of a post.

    Attributes:
        imported_post: the post with its image references rewritten where necessary.
        files: path inside the issue's folder (with ``/``) -> file to copy there.
        not_copied: the images that are there and were not copied, each with its line and remedy.
    """

    imported_post: ImportedPost
    files: Mapping[str, Path]
    not_copied: tuple[Problem, ...] = ()


def collect_images(
    imported_post: ImportedPost, finder: ImageFinder, *, is_one_of_many: bool = False
) -> CollectedImages:
    """Find all local images of a post; the reference to one that is not copied stays as it is.

    Args:
        imported_post: the post.
        finder: finds its images.
        is_one_of_many: whether an image that can't be used doesn't stop the import of the post.

    Raises:
        PostError: all images that are too large, or not images.
    """
    references = _list_references(imported_post, finder)
    used_names = {
        name for reference in references if (name := _normalize_inner_path(decode_path(reference)))
    }
    files: dict[str, Path] = {}
    renamed: dict[str, str] = {}
    not_copied: list[Problem] = []
    problems: list[Problem] = []
    for reference in references:
        try:
            file = finder.find(reference)
        except MissingImageError:
            continue  # the issue says where to put it
        except ImageNotCopiedError as error:
            not_copied += error.problems
            continue
        except PostError as error:
            problems += error.problems
            continue
        path = decode_path(reference)
        name = _normalize_inner_path(path) or _choose_unused_name(file, files, used_names)
        if not file.suffix:
            name += find_suffix(file)
        files[name] = file
        dark_file = file.with_name(make_dark_name(file.name))
        if dark_file.is_file() and not dark_file.is_symlink():
            files[make_dark_name(name)] = dark_file
        if name != path:
            renamed[reference] = quote(name)
    if is_one_of_many:
        not_copied += problems
    elif problems:
        raise PostError.from_problems(problems)
    return CollectedImages(
        _rewrite_references(imported_post, renamed, finder), files, tuple(not_copied)
    )


def _list_references(imported_post: ImportedPost, finder: ImageFinder) -> list[str]:
    """Return all image references to local files, as written or percent-encoded, each once."""
    outline = imported_post.outline
    # A path that Markdown doesn't accept as an image stays in the text.
    unparsed = (found for block in outline.blocks for found in _UNPARSED_IMAGE.findall(block.text))
    references = (
        *outline.image_urls,
        *unparsed,
        *iter_setting_references(imported_post.front_matter),
    )
    return [reference for reference in dict.fromkeys(references) if finder.is_on_disk(reference)]


def _normalize_inner_path(path: str) -> str:
    """Return the normalised path inside the post's folder; empty if it is outside."""
    normalized = posixpath.normpath(path)
    return "" if ":" in normalized or normalized.startswith(("/", "..")) else normalized


def _choose_unused_name(file: Path, files: Mapping[str, Path], used_names: Collection[str]) -> str:
    """Return a name that no other image has, also where case doesn't count."""
    taken = {name.casefold() for name in used_names}
    taken |= {name.casefold() for name, other in files.items() if other != file}
    names = chain([file.name], (f"{file.stem}-{n}{file.suffix}" for n in count(2)))
    return next(name for name in names if name.casefold() not in taken)


def _rewrite_references(
    imported_post: ImportedPost, new_references: Mapping[str, str], finder: ImageFinder
) -> ImportedPost:
    if not new_references:
        return imported_post
    body, front_matter_source, front_matter = (
        imported_post.body,
        imported_post.front_matter_source,
        imported_post.front_matter,
    )
    is_markdown = imported_post.body_format == "md"
    for old, new in new_references.items():
        # A path that stands only once is that of the image itself.
        code = find_code_blocks(body) if is_markdown and body.count(old) > 1 else _NO_CODE
        body, front_matter_source = (
            _replace_in_text(body, old, new, code),
            _replace_in_text(front_matter_source, old, new),
        )
        front_matter = _replace_in_settings(front_matter, old, new)
    changed = replace(
        imported_post.with_body(body),
        front_matter_source=front_matter_source,
        front_matter=front_matter,
    )
    unchanged = sorted(set(new_references) & set(_list_references(changed, finder)))
    if unchanged:
        raise PostError.from_problems(
            [
                Problem(
                    f"could not rewrite the image path '{reference}'",
                    Location(finder.source.name, finder.source.find_line(reference)),
                    "Put the image beside the post and use a relative path.",
                )
                for reference in unchanged
            ]
        )
    return changed


def _replace_in_text(text: str, old: str, new: str, code: Ranges = _NO_CODE) -> str:
    """Replace a path, but for links to it and for code that shows it."""
    forms = "|".join(re.escape(form) for form in (old, unquote(old), html.escape(old)))
    return re.sub(
        rf"(?<![\w./%-])(?:{forms})(?![\w/%-])",
        lambda found: (
            found[0]
            if found.start() in code or _is_link_target(found.string, found.start())
            else new
        ),
        text,
    )


def _is_link_target(text: str, start: int) -> bool:
    """Return whether an address is that of a link, such as one around an image to a larger one."""
    before = text[max(0, start - _MAX_LINK_LENGTH) : start].rstrip("<")
    if before.lower().endswith(("href=", 'href="', "href='")):
        return True
    if not before.endswith("]("):
        return False
    depth = 0
    for index in range(len(before) - 2, -1, -1):
        depth += (before[index] == "]") - (before[index] == "[")
        if not depth:
            return not before[:index].endswith("!")
    return False


def _replace_in_settings(value: Any, old: str, new: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _replace_in_settings(inner, old, new) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replace_in_settings(inner, old, new) for inner in value]
    return new if value == old else value
