"""Find the real source of lazily loaded media."""

import re
from collections.abc import Iterable, Mapping

LAZY_ATTRIBUTES = (
    "data-src",
    "data-lazy-src",
    "data-original",
    "data-lazy",
    "data-echo",
    "data-litespeed-src",
    "data-src-cmplz",
    "data-cmp-src",
    "data-cookieblock-src",
)
SOURCE_SET_ATTRIBUTES = ("data-srcset", "data-lazy-srcset", "data-original-set", "srcset")
_PLACEHOLDER_NAME = re.compile(
    r"(?:^|[-_.])(?:blank|placeholder|spacer|transparent|pixel|lazy(?:load)?|loading|loader|empty"
    r"|dummy|1x1|gr[ae]y|blur(?:red)?|lqip|tiny)(?:[-_.\d]|$)",
    re.IGNORECASE,
)
_EMPTY_PICTURE_NAME = re.compile(
    r"(?:blank|spacer|transparent|pixel|1x1|(?:ajax-)?(?:loading|loader))\.(?:gif|png|svg)",
    re.IGNORECASE,
)
_EMPTY_PICTURE_LENGTH = 200  # characters of a data URL: hardly more than a header
_SMALL_PREVIEW = re.compile(r"[?&;](?:w|width|h|height|q|quality)=\d{1,2}(?!\d)", re.IGNORECASE)
_LAZY_CLASS = re.compile("lazy|blur|progressive", re.IGNORECASE)
_CANDIDATE = re.compile(r"\s*,*\s*([^\s,]\S*[^\s,]|[^\s,])(?:\s+(\d+(?:\.\d+)?)([wx]))?[^,]*,?")
_MIN_WIDTH = 1200  # pixels: an article's width on a screen with two pixels per CSS pixel


def is_placeholder(src: str) -> bool:
    """Return whether a picture's source is only what is shown until the real one is loaded."""
    src = src.strip()
    if not src or src.lower().startswith(("data:", "about:", "javascript:", "#")):
        return True
    if _SMALL_PREVIEW.search(src):
        return True
    name = re.split(r"[?#]", src, maxsplit=1)[0].rstrip("/").rpartition("/")[2]
    return bool(_PLACEHOLDER_NAME.search(name.rpartition(".")[0] or name))


def is_empty_picture(src: str) -> bool:
    """Return whether a picture shows nothing, or only that it is being loaded."""
    if src.startswith("data:image/"):
        return len(src) < _EMPTY_PICTURE_LENGTH
    name = re.split(r"[?#]", src, maxsplit=1)[0].rpartition("/")[2]
    return bool(_EMPTY_PICTURE_NAME.fullmatch(name))


def find_media_source(attributes: Mapping[str, str], picture_sources: Iterable[str] = ()) -> str:
    """Return the real source of an ``img``, ``iframe``, ``video``, ``audio`` or ``source``.

    The attributes of lazy loading and source sets count where ``src`` is a placeholder, or where
    a class says that it is one.

    Args:
        attributes: the element's attributes.
        picture_sources: source sets of the ``picture`` around an image.
    """
    src = attributes.get("src", "").strip()
    has_own_source = not is_placeholder(src)
    if has_own_source and not _LAZY_CLASS.search(attributes.get("class", "")):
        return src
    for name in LAZY_ATTRIBUTES:
        value = attributes.get(name, "").strip()
        if value and value[0] not in "{[" and not value.lower().startswith(("data:", "about:")):
            return value
    if has_own_source:
        return src
    source_sets = [attributes.get(name, "") for name in SOURCE_SET_ATTRIBUTES]
    for source_set in (*source_sets, *picture_sources):
        if best := choose_from_source_set(source_set):
            return best
    return src


def choose_from_source_set(source_set: str) -> str:
    """Return the smallest picture that is wide enough for an email, else the largest."""
    return next(iter(rank_source_set(source_set)), "")


def rank_source_set(source_set: str) -> list[str]:
    """Return the URLs of a source set, the best for an email first.

    Those that are wide enough come first, the smallest of them first; then the others, the largest
    first.
    """
    candidates: list[tuple[float, str]] = []
    position = 0
    while found := _CANDIDATE.match(source_set, position):
        position = found.end()
        number = float(found[2] or 1)
        if not found[1].lower().startswith(("data:", "about:")):
            width = number if found[3] == "w" else number * _MIN_WIDTH / 2
            candidates.append((width, found[1]))
    candidates.sort(
        key=lambda candidate: (
            candidate[0] < _MIN_WIDTH,
            candidate[0] if candidate[0] >= _MIN_WIDTH else -candidate[0],
        )
    )
    return [url for _, url in candidates]
