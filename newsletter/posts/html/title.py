"""The title that a post's body carries as its first heading."""

import html
import re

from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN

# In sanitised HTML every ``>`` inside an attribute's value is escaped.
_HEADING = re.compile(r"<h(?P<level>[1-6])\b[^>]*>(?P<inside>.*?)</h(?P=level)>\s*", re.DOTALL)
_TAG_PATTERN = re.compile(r"<[^>]*>")
_TEXT_RUN = re.compile(r"(?:^|(?<=>))[^<]+")
_VISIBLE_MEDIA = re.compile(r"<(?:img|iframe|video|audio)\b")


def extract_title(body: str) -> tuple[str, str]:
    """Return the title that a body begins with, and the body without it.

    The title is the first ``h1``, or the heading that the body begins with. Both come back as
    they are, the title empty, where there is none.

    Args:
        body: sanitised HTML; merge tokens in a title become those for text.
    """
    found = next((h for h in _HEADING.finditer(body) if h["level"] == "1"), None)
    found = found or _HEADING.match(body.lstrip())
    if found is None or not (title := get_plain_text(found["inside"])):
        return "", body
    body = found.string
    return _use_text_tokens(title), body[: found.start()] + body[found.end() :]


def remove_repeated_title(body: str, title: str) -> str:
    """Drop the first heading where it only repeats the title, which the template prints."""
    found = _HEADING.search(body)
    if (
        found is None
        or _use_text_tokens(get_plain_text(found["inside"])).casefold() != title.casefold()
    ):
        return body
    return body[: found.start()] + body[found.end() :]


def is_empty_body(body: str) -> bool:
    """Whether there is neither text nor a picture to see."""
    texts = (html.unescape(text[0]) for text in _TEXT_RUN.finditer(body))
    return all(map(str.isspace, texts)) and not _VISIBLE_MEDIA.search(body)


def get_plain_text(fragment: str) -> str:
    """The text of sanitised HTML, on one line."""
    text = _TAG_PATTERN.sub(lambda tag: " " if tag[0].startswith("<br") else "", fragment)
    return " ".join(html.unescape(text).split())


def _use_text_tokens(title: str) -> str:
    return MERGE_TOKEN_PATTERN.sub(lambda found: f"-nl{found['key']}t-", title)
