"""Copy the images on the web of an imported post into its issue."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from newsletter.errors import Problem
from newsletter.posts.importing.images.body_references import (
    is_remote,
    list_body_images,
    list_links,
    replace_body_images,
    replace_definitions,
)
from newsletter.posts.importing.images.fetch_images import FetchedImages
from newsletter.posts.importing.images.setting_references import (
    iter_setting_references,
    replace_setting_references,
)
from newsletter.posts.importing.imported_post import ImportedPost
from newsletter.posts.importing.parse_body import render_body
from newsletter.posts.importing.settings.notes import SettingNote

IMAGE_NOTE: Final = "image"
"""Key of the notes about what was done to an image."""

# Of services that count openings; those of one pixel, with their size, are left out anyway.
_TRACKER = re.compile(
    r"(?:https?:)?//(?:pixel\.wp\.com/|stats\.wordpress\.com/|feeds\.wordpress\.com/1\.0/"
    r"|feeds\.feedburner\.com/~|(?:www\.)?google-analytics\.com/|(?:www\.)?facebook\.com/tr\b"
    r"|medium\.com/_/stat\b|eotrx\.substackcdn\.com/|(?:\w+\.)?scorecardresearch\.com/"
    r"|(?:[\w-]+\.)*quantserve\.com/)",
    re.IGNORECASE,
)

# To render the bodies of 500 posts takes seconds; most of those of some blogs have no image.
_IMAGE_START = re.compile(r"!\[|<(?:img|amp-img|amp-anim|video|iframe)\b", re.IGNORECASE)
_REMEDY = "Save it beside the post and refer to it by its name."

FetchPostImages = Callable[[Mapping[str, Sequence[str]]], FetchedImages]
"""``fetch_images`` with its other arguments set."""


@dataclass(frozen=True, slots=True)
class CopiedImages:
    """A post with its images on the web copied.

    Attributes:
        imported_post: the post, with references to the copies.
        files: path inside the issue's folder -> the image's bytes.
        not_copied: the images that stay on the web, each with the reason.
    """

    imported_post: ImportedPost
    files: Mapping[str, bytes] = field(default_factory=dict)
    not_copied: tuple[Problem, ...] = ()


def copy_remote_images(
    imported_post: ImportedPost, fetch: FetchPostImages, *, source_html: str = ""
) -> CopiedImages:
    """Fetch the images on the web of a post, and refer to the copies.

    The reference to an image that can't be fetched stays as it is. Links to images stay as well.

    Args:
        imported_post: the post, with its images on disk already collected.
        fetch: fetches images by their URLs.
        source_html: the post before its import: it names other sizes of its images.
    """
    in_settings = [*filter(is_remote, iter_setting_references(imported_post.front_matter))]
    other_urls = _collect_other_urls(imported_post, in_settings)
    trackers = [url for url in other_urls if _TRACKER.match(url)]
    source_urls = dict(list_body_images(source_html)) if other_urls else {}
    candidates = {
        _make_absolute(url): [*map(_make_absolute, (*urls, *source_urls.get(url, ())))]
        for url, urls in other_urls.items()
        if url not in trackers
    }
    fetched = fetch(candidates) if candidates else FetchedImages({}, {})
    images = {
        url: image for url in other_urls if (image := fetched.images.get(_make_absolute(url)))
    }
    names = {url: image.name for url, image in images.items()}
    copied = _replace_references(imported_post, names)
    remaining = _list_remaining(copied, names)
    used = {
        image.name: image
        for url, image in images.items()
        if url not in remaining or url in in_settings
    }
    notes = (
        SettingNote(IMAGE_NOTE, f"{name}: {note}")
        for name, image in used.items()
        for note in image.notes
    )
    copied_urls = {
        used_name: [url for url, name in names.items() if name == used_name] for used_name in used
    }
    return CopiedImages(
        replace(copied, setting_notes=(*copied.setting_notes, *notes), copied_urls=copied_urls),
        {name: image.data for name, image in used.items()},
        (
            *fetched.problems.values(),
            *(Problem(f"the image {url} counts openings, and was not copied") for url in trackers),
            *(Problem(f"the image {url} was not copied", remedy=_REMEDY) for url in remaining),
        ),
    )


def list_remote_images(imported_post: ImportedPost) -> list[str]:
    """Return the URLs of a post's images on the web, each once, without those that only count."""
    in_settings = filter(is_remote, iter_setting_references(imported_post.front_matter))
    urls = _collect_other_urls(imported_post, in_settings)
    return [url for url in urls if not _TRACKER.match(url)]


def _collect_other_urls(
    imported_post: ImportedPost, in_settings: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """Return the URL of each image on the web -> those of its other sizes."""
    other_urls: dict[str, tuple[str, ...]] = dict.fromkeys(in_settings, ())
    has_images = _IMAGE_START.search(imported_post.body)
    for reference, urls in list_body_images(_render(imported_post)) if has_images else ():
        other_urls[reference] = (*other_urls.get(reference, ()), *urls)
    return other_urls


def _make_absolute(url: str) -> str:
    return f"https:{url}" if url.startswith("//") else url


def _render(imported_post: ImportedPost) -> str:
    return render_body(imported_post.body, imported_post.body_format)


def _replace_references(imported_post: ImportedPost, names: Mapping[str, str]) -> ImportedPost:
    """Return a post with other references to its images, as far as that changes no link."""
    if not names:
        return imported_post
    copied = replace(
        imported_post.with_body(
            replace_body_images(imported_post.body, imported_post.body_format, names)
        ),
        front_matter=replace_setting_references(imported_post.front_matter, names),
    )
    if copied.body_format == "html":
        return copied
    links = list_links(_render(copied))
    for url in _list_remaining(copied, names):
        changed = copied.with_body(replace_definitions(copied.body, {url: names[url]}))
        if list_links(_render(changed)) == links:
            copied = changed
    return copied


def _list_remaining(imported_post: ImportedPost, names: Mapping[str, str]) -> list[str]:
    """Return the URLs of images that the body still refers to, in syntax that isn't understood."""
    urls = (image.reference for image in list_body_images(_render(imported_post)))
    return [url for url in dict.fromkeys(urls) if url in names]
