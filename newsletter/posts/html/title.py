"""Extract the title from a post's first heading; detect empty bodies."""

import html
import re

from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN

# In sanitised HTML every ``>`` inside an attribute's value is escaped.
_HEADING = re.compile(r"<h(?P<level>[1-6])\b[^>]*>(?P<inside>.*?)</h(?P=level)>\s*", re.DOTALL)
_TAG_PATTERN = re.compile(r"<[^>]*>")
_TEXT_RUN = re.compile(r"(?:^|(?<=>))[^<]+")
_MAX_LINE_ABOVE_TITLE = 80  # characters
_VISIBLE_MEDIA = re.compile(r"<(?:img|iframe|video|audio)\b")


def extract_title(body: str) -> tuple[str, str]:
    """Return the title of a body, and the body without that heading.

    The title is the heading at the start of the body; an image may be above it, a text may not. If
    there is none, the title is empty and the body unchanged.

    Args:
        body: sanitised HTML; HTML tokens in the title become text tokens.
    """
    found = _find_opening_heading(body)
    if found is None or not (title := get_plain_text(found["inside"])):
        return "", body
    return _use_text_tokens(title), body[: found.start()] + body[found.end() :]


def remove_repeated_title(body: str, title: str) -> str:
    """Remove the heading at the start if it only repeats the title, which the template shows.

    An ``h1`` may have a short line above it: a date, a category.
    """
    found = _find_opening_heading(body, max_length=_MAX_LINE_ABOVE_TITLE)
    if (
        found is None
        or _use_text_tokens(get_plain_text(found["inside"])).casefold() != title.casefold()
    ):
        return body
    return body[: found.start()] + body[found.end() :]


def _find_opening_heading(body: str, *, max_length: int = 0) -> re.Match[str] | None:
    """Return the first heading if nothing is above it, or an h1 below a text of ``max_length``."""
    found = _HEADING.search(body)
    if found is None:
        return None
    text_above = get_plain_text(body[: found.start()])
    is_close = found["level"] == "1" and len(text_above) <= max_length
    return found if is_close or not text_above else None


def is_empty_body(body: str) -> bool:
    """Return whether the body has neither visible text nor images or other media."""
    texts = (html.unescape(text[0]) for text in _TEXT_RUN.finditer(body))
    return all(map(str.isspace, texts)) and not _VISIBLE_MEDIA.search(body)


def get_plain_text(fragment: str) -> str:
    """Return the text of sanitised HTML on one line."""
    text = _TAG_PATTERN.sub(lambda tag: " " if tag[0].startswith("<br") else "", fragment)
    return " ".join(html.unescape(text).split())


def _use_text_tokens(title: str) -> str:
    return MERGE_TOKEN_PATTERN.sub(lambda found: f"-nl{found['key']}t-", title)
