"""Find and measure the local images of an issue, only inside its folder."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

from newsletter.errors import Location, PostError, Problem
from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN
from newsletter.posts.post import LocalImage
from newsletter.posts.svg import find_svg_problem

# File types that are published on the web, with their media types.
IMAGE_TYPES = {
    ".avif": "image/avif",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}


def is_local_image(reference: str) -> bool:
    """Return whether a reference names a file beside the post, not a URL.

    A path from the root (``/img/a.png``) is a URL on the newsletter's own site.
    """
    try:
        parts = urlsplit(reference)
    except ValueError:  # brackets that don't contain an IPv6 address
        return False
    is_elsewhere = parts.scheme or parts.netloc or not parts.path or parts.path[0] == "/"
    return not is_elsewhere and not MERGE_TOKEN_PATTERN.match(reference)


def is_page_path(reference: str, folder: Path | None) -> bool:
    """Return whether a relative path without a file ending is a URL, not a file in a folder.

    Picture services have such URLs (``/media/boats/blurred``).
    """
    name = unquote(urlsplit(reference).path)
    if PurePosixPath(name).suffix or "\0" in name:
        return False
    return folder is None or not os.path.isfile(folder / name)  # noqa: PTH113 - see _read_image


def make_dark_name(name: str) -> str:
    """Return the name of an image's twin for dark mode: ``curve.dark.png`` of ``curve.png``."""
    path = PurePosixPath(name)
    return path.with_name(f"{path.stem}.dark{path.suffix}").as_posix()


def read_images(
    references: Mapping[str, Location], folder: Path, max_bytes: int
) -> tuple[dict[str, LocalImage], list[Problem]]:
    """Read the dimensions of each local image.

    Args:
        references: path as written (percent-encoded as in HTML) -> its location in the source.
        folder: the issue's folder; images are read from nowhere else.
        max_bytes: size limit of an image.

    Returns:
        The images by path as written, their twins for dark mode by name, and the problems with
        the others. A path without a file ending that is not in the folder is neither: it is a URL.
    """
    images: dict[str, LocalImage] = {}
    problems: list[Problem] = []
    resolved_folder = folder.resolve()
    for reference, where in references.items():
        if is_page_path(reference, folder):
            continue
        try:
            image = _read_image(reference, folder, resolved_folder, max_bytes, where)
            dark_name = make_dark_name(image.name)
            if os.path.isfile(folder / dark_name):  # noqa: PTH113 - see _read_image
                image = replace(image, dark_name=dark_name)
                dark = _read_image(quote(dark_name), folder, resolved_folder, max_bytes, where)
                images.setdefault(dark_name, dark)  # it may be shown itself, and have a twin
            images[reference] = image
        except PostError as error:
            problems += error.problems
    return images, problems


def _read_image(
    reference: str, folder: Path, resolved_folder: Path, max_bytes: int, where: Location
) -> LocalImage:
    name = unquote(urlsplit(reference).path)
    path = PurePosixPath(name)
    file = folder / path
    if ".." in path.parts or "\0" in name or not _is_inside(resolved_folder, file):
        raise PostError(
            f"the image '{name}' is outside the issue's folder",
            where=where,
            remedy="Copy it into the issue's folder and use a path without '..'.",
        )
    if not os.path.isfile(file):  # noqa: PTH113 - Path.is_file raises for names that are too long
        raise PostError(
            f"the image '{name}' is missing",
            where=where,
            remedy=f"Save it as {folder.name}/{path}, or correct its name.",
        )
    size = file.stat().st_size
    if size > max_bytes:
        raise PostError(
            f"the image '{name}' has {size:,} bytes; the limit is {max_bytes:,}",
            where=where,
            remedy="Make it smaller, or raise limits.image_bytes in newsletter.yml.",
        )
    import imagesize  # late: it imports Python's HTTP client, which takes 10 ms

    try:
        width, height = imagesize.get(file)  # as displayed, after EXIF rotation; -1 if unknown
        is_svg = path.suffix.lower() == ".svg"
        svg_problem = find_svg_problem(file.read_bytes()) if is_svg else ""
    except OSError as error:
        raise make_unreadable_error(name, error, where) from error
    return LocalImage(path.as_posix(), max(width, 0), max(height, 0), size, svg_problem=svg_problem)


def make_unreadable_error(name: str, error: OSError, where: Location) -> PostError:
    """Return the error of an image file that the system doesn't let us read."""
    return PostError(
        f"the image '{name}' can't be read: {(error.strerror or str(error)).lower()}",
        where=where,
        remedy="Correct the file's permissions, or save it again.",
    )


def _is_inside(resolved_folder: Path, file: Path) -> bool:
    # Path.resolve raises RuntimeError for a link that leads to itself.
    return Path(os.path.realpath(file)).is_relative_to(resolved_folder)
