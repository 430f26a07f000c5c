"""Find an issue's images for the web, in its folder only."""

import os
from functools import lru_cache
from pathlib import Path

from newsletter.posts.images import IMAGE_TYPES
from newsletter.posts.stills import draw_still, find_still_name
from newsletter.posts.svg import find_svg_problem

# An SVG opened on its own is a document: forbid its scripts, requests and forms.
SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"

MAX_REMEMBERED_DRAWINGS = 1_000


def find_issue_image(folder: Path, name: str) -> Path | None:
    """Return the image called ``name`` in an issue's folder.

    Args:
        folder: the issue's folder.
        name: the path inside it with ``/``, from a URL, decoded once.

    Returns:
        The file; ``None`` if it is not an image, hidden, missing, a link out of the folder, or an
        SVG that is more than a drawing.
    """
    parts = name.split("/")
    invalid = any(not part or part.startswith(".") or "\\" in part for part in parts)
    if invalid or not name.isprintable() or Path(name).suffix.lower() not in IMAGE_TYPES:
        return None
    try:
        # Path.resolve raises RuntimeError for a link that leads to itself.
        file = Path(os.path.realpath(folder / name, strict=True))
    except (OSError, ValueError):
        return None
    inside = file.is_file() and file.is_relative_to(folder.resolve())
    # The target of a link inside the folder must be an image as well.
    is_image = inside and file.suffix.lower() in IMAGE_TYPES
    # By either name: a static host goes by the name in the URL.
    is_svg = ".svg" in {Path(name).suffix.lower(), file.suffix.lower()}
    if not is_image or not is_svg:
        return file if is_image else None
    status = file.stat()
    return file if _is_drawing(file, status.st_mtime_ns, status.st_size) else None


def read_issue_image(folder: Path, name: str) -> bytes | None:
    """Return the image called ``name``, also one that is drawn on a video's still.

    Args:
        folder: the issue's folder.
        name: as for ``find_issue_image``.

    Returns:
        Its bytes; ``None`` if there is no such image, or it can't be drawn.
    """
    still_name = find_still_name(folder, name)
    file = find_issue_image(folder, still_name or name)
    if file is None or not still_name:
        return file.read_bytes() if file else None
    try:
        return draw_still(file)
    except ValueError:
        return None


@lru_cache(MAX_REMEMBERED_DRAWINGS)
def _is_drawing(file: Path, _modified_at: int, _size: int) -> bool:
    """Return whether an SVG is harmless; to look through one of some MB takes a second."""
    return not find_svg_problem(file.read_bytes())


def list_issue_images(folder: Path) -> list[str]:
    """Return the names of all images in an issue's folder that are served, sorted."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return sorted(name for name in names if find_issue_image(folder, name))
