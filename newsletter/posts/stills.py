"""Name and read the stills of videos that get a play sign.

The picture with the sign is in no file: its name tells which picture it is drawn on, when a page,
an export or a test email needs it.
"""

import io
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

from newsletter.posts.post import LocalImage

MAX_REMEMBERED_STILLS = 32

# A WebP still becomes a JPEG: see newsletter.posts.play_sign.
_DRAWN_SUFFIXES = {".jpeg": ".jpg", ".jpg": ".jpg", ".png": ".png", ".webp": ".jpg"}
_DRAWN_NAME = re.compile(r"(?P<source>.+)\.play(?P<suffix>\.jpg|\.png)", re.DOTALL)


def make_drawn_name(name: str) -> str:
    """Return the name of a still with its sign; empty if no sign is drawn on such a file."""
    suffix = _DRAWN_SUFFIXES.get(PurePosixPath(name).suffix.lower())
    return f"{name}.play{suffix}" if suffix else ""


def get_file_name(name: str) -> str:
    """Return the name, or the URL, of an image without what tells that a sign is drawn on it."""
    found = _DRAWN_NAME.fullmatch(name)
    return found["source"] if found and make_drawn_name(found["source"]) == name else name


def find_still_name(folder: Path, name: str) -> str:
    """Return the name of the still that an image of an issue is drawn on; empty if it is a file."""
    source = get_file_name(name)
    # Path.exists raises for names that are too long.
    is_drawn = source != name and not os.path.exists(folder / name)  # noqa: PTH110
    return source if is_drawn else ""


def add_drawn_stills(
    images: Mapping[str, LocalImage], posters: Iterable[str], folder: Path
) -> dict[str, LocalImage]:
    """Return an issue's images with those that are drawn on the stills of its videos.

    Args:
        images: the images by path as written.
        posters: the paths of the stills, as written.
        folder: the issue's folder.
    """
    result = dict(images)
    for poster in dict.fromkeys(posters):
        still = images.get(poster)
        if still is None:
            continue
        if not (name := make_drawn_name(still.name)):
            result[poster] = replace(still, still_problem="it is not a JPEG, PNG or WebP image")
            continue
        if os.path.lexists(folder / name):
            result[poster] = replace(still, still_problem=f"there is a file called {name}, too")
            continue
        try:
            data = draw_still(folder / still.name)
        except (OSError, ValueError) as error:
            result[poster] = replace(still, still_problem=str(error))
        else:
            import imagesize  # late: it imports Python's HTTP client, which takes 10 ms

            # Not the still's own size: in a PNG or WebP image its EXIF data isn't looked at.
            width, height = imagesize.get(io.BytesIO(data))
            result[name] = LocalImage(name, width, height, len(data))
    return result


def list_drawn_stills(images: Mapping[str, LocalImage]) -> tuple[str, ...]:
    """Return the names of the images that are drawn on a still, and in no file."""
    names = {image.name for image in images.values()}
    return tuple(sorted(drawn for name in names if (drawn := make_drawn_name(name)) in names))


def draw_still(file: Path) -> bytes:
    """Return a still with its play sign.

    Raises:
        UndrawableStillError: why there is no sign.
        OSError: the file can't be read.
    """
    status = file.stat()
    return _draw(file, status.st_mtime_ns, status.st_size)


@lru_cache(MAX_REMEMBERED_STILLS)
def _draw(file: Path, _modified_at: int, _size: int) -> bytes:
    # Late: no other issue needs Pillow, which takes 50 ms to import.
    from newsletter.posts.play_sign import draw_play_sign

    return draw_play_sign(file.read_bytes())
