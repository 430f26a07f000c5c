"""Compare a lazily loaded picture with the one in noscript."""

import re
from collections.abc import Iterable
from urllib.parse import unquote

from newsletter.posts.html.normalize.media_sources import find_media_source
from newsletter.posts.html.normalize.tags import iter_html_tags

_IMAGE_TAGS = frozenset({"img", "amp-img"})
_LOOK_AHEAD = 4000  # characters


def list_image_sources(fragment: str) -> list[str]:
    """Return the source of each picture in a fragment."""
    return [
        find_media_source(tag.attributes)
        for tag in iter_html_tags(fragment)
        if not tag.is_end and tag.name in _IMAGE_TAGS
    ]


def find_next_image(text: str, start: int) -> str:
    """Return the source of the picture that is the next element after ``start``, or nothing."""
    following = (tag for tag in iter_html_tags(text[start : start + _LOOK_AHEAD]) if not tag.is_end)
    tag = next(following, None)
    return find_media_source(tag.attributes) if tag and tag.name in _IMAGE_TAGS else ""


def are_same_images(source: str, others: Iterable[str]) -> bool:
    """Return whether all URLs are of one picture, perhaps in several sizes."""
    name = _get_image_name(source)
    return bool(name) and all(_get_image_name(other) == name for other in others)


def _get_image_name(url: str) -> str:
    name = unquote(re.split(r"[?#]", url.strip(), maxsplit=1)[0]).rstrip("/").rpartition("/")[2]
    return re.sub(r"-\d+x\d+(?=\.\w+$)", "", name)
