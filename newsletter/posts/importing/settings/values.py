"""Read the values of other tools' settings: authors, images, tags, text."""

import html
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

import pydantic

from newsletter.posts.front_matter.field_types import LANGUAGE_TAG_PATTERN
from newsletter.posts.importing.plain_settings import make_plain_text
from newsletter.posts.importing.settings.dates import parse_foreign_date

# With its semicolon only: "?a=1&copy=2" and "R&D" are no entities.
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_HTML_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_DATED_PATH = re.compile(r"(?:^|/)(\d{4}/\d{2}/\d{2})/\S+$")
_MAILBOX = re.compile(r"(?P<name>[^<>@]*[^<>@\s])\s*<[^<>\s]+@[^<>\s]+>")
_LINKED_NAME = re.compile(r"\[(?P<name>[^\[\]]+)\]\((?P<url>[^()\s]+)(?:\s+\"[^\"()]*\")?\)")
_LINK = re.compile(r"\]\(|<a\b", re.IGNORECASE)
_CONJUNCTIONS = {
    word_language: word
    for languages, word in (
        ("en", "and"),
        ("de", "und"),
        ("fr", "et"),
        ("es", "y"),
        ("it pt", "e"),
        ("nl", "en"),
        ("nb nn no da", "og"),
        ("sv", "och"),
    )
    for word_language in languages.split()
}
_NAME_KEYS = ("name", "displayname", "fullname", "title", "label")
_URL_KEYS = ("url", "website", "link", "homepage", "web", "uri")
_BIO_KEYS = ("bio", "description", "about")
_PICTURE_KEYS = ("picture", "avatar", "profileimage", "photo", "image")
_SOURCE_KEYS = ("src", "url", "image", "path", "file", "filename", "href", "teaser", "overlayimage")
_ALT_KEYS = ("alt", "alttext", "imagealt", "alternativetext", "imagedescription")
_CAPTION_KEYS = ("caption", "imagecaption", "legend")
_DRAFT_STATES = frozenset({"draft", "pending", "unpublished", "private", "hidden", "future"})


class Reading(NamedTuple):
    """A value as a setting of ours, and whether that is all that the value says."""

    value: Any
    is_complete: bool = True


ValueReader = Callable[[Any], Reading | None]


def squash_key(key: object) -> str:
    """Return a key without case, hyphens and underscores: ``pub_date`` is ``pubDate``."""
    return re.sub(r"[-_\s]", "", str(key)).casefold()


def decode_entities(value: Any) -> Any:
    """Return a value with the character references of its texts decoded, once."""
    if isinstance(value, str):
        return _ENTITY.sub(lambda found: html.unescape(found[0]), value)
    if isinstance(value, Mapping):
        return {key: decode_entities(inner) for key, inner in value.items()}
    return [decode_entities(inner) for inner in value] if isinstance(value, list) else value


def read_line(value: Any) -> Reading | None:
    """Read a title or another text of one line."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    line = " ".join(str(value).split())
    return Reading(line) if line else None


def read_summary(value: Any) -> Reading | None:
    """Read a summary, which may be HTML."""
    if not isinstance(value, str):
        return None
    without_tags = decode_entities(_HTML_TAG.sub(" ", value))
    line = read_line(re.sub(r"\s+(?=[.,;:!?])", "", without_tags))
    return line._replace(is_complete="<" not in value) if line else None


def read_date(value: Any) -> Reading | None:
    """Read a date in any form, or in a path: ``/2026/10/02/low-tide/``."""
    parsed = parse_foreign_date(value)
    if parsed is None and isinstance(value, str) and (path := _DATED_PATH.search(value)):
        parsed = parse_foreign_date(path[1])
        return Reading(parsed, is_complete=False) if parsed else None
    return Reading(parsed) if parsed else None


def read_language(value: Any) -> Reading | None:
    """Read a language tag: ``de``, ``pt_BR``, ``en_US.UTF-8``."""
    tag = str(value).partition(".")[0].strip().replace("_", "-")
    return Reading(tag) if re.fullmatch(LANGUAGE_TAG_PATTERN, tag) else None


def read_web_url(value: Any) -> Reading | None:
    """Read an absolute URL."""
    url = value.strip() if isinstance(value, str) else ""
    return Reading(url) if url and is_valid_setting("canonical_url", url) else None


def read_draft(value: Any) -> Reading | None:
    """Read ``published: false`` and ``status: draft``; anything else says nothing."""
    name = str(value).strip().casefold()
    return Reading(value=True) if name in {"false", "no", *_DRAFT_STATES} else None


def read_permalink_slug(value: Any) -> Reading | None:
    """Read the last part of a path; none of a pattern like ``/:year/:title/``."""
    if not isinstance(value, str) or re.search(r"[:{}*<>]", re.sub(r"^https?://", "", value)):
        return None
    path = re.sub(r"^https?://[^/]*", "", value.strip()).partition("?")[0].partition("#")[0]
    parts = [part for part in path.split("/") if part and not part.startswith("index.")]
    name = re.sub(r"\.\w{2,5}$", "", unquote(parts[-1])) if parts else ""
    return Reading(name, is_complete=False) if name else None


def read_tags(value: Any) -> Reading | None:
    """Read labels: text with commas, lists, numbers, objects with a name."""
    labels, is_complete = _list_labels(value)
    return Reading(list(dict.fromkeys(labels)), is_complete) if labels else None


def read_spaced_tags(value: Any) -> Reading | None:
    """Read labels as Jekyll does: text without commas is separated by spaces."""
    is_spaced = isinstance(value, str) and "," not in value
    return read_tags(value.split() if is_spaced else value)


def _list_labels(value: Any) -> tuple[list[str], bool]:
    if isinstance(value, str):
        return [" ".join(label.split()) for label in value.split(",") if label.strip()], True
    if isinstance(value, bool):
        return [str(value).lower()], True
    if isinstance(value, int | float):
        return [str(value)], True
    if isinstance(value, Mapping):
        name = find_key(value, (*_NAME_KEYS, "slug", "value"))
        labels, _ = _list_labels(value[name]) if name is not None else ([], True)
        return labels, len(value) == len(labels) == 1
    if isinstance(value, list):
        # Ghost's tags that begin with # are internal.
        inner = [_list_labels(item) for item in value if not str(item).startswith("#")]
        all_complete = len(inner) == len(value) and all(complete for _, complete in inner)
        return [label for labels, _ in inner for label in labels], all_complete
    return [], value is None


def read_image(value: Any) -> Reading | None:
    """Read an image: a path or URL, a mapping with one, or the first of a list."""
    if isinstance(value, list) and value:
        first = read_image(value[0])
        return first and first._replace(is_complete=first.is_complete and len(value) == 1)
    if isinstance(value, str):
        url = value.strip()
        url = f"https:{url}" if url.startswith("//") else url
        is_template = "{{" in url or "{%" in url
        return Reading(url) if not is_template and is_valid_setting("hero", url) else None
    if not isinstance(value, Mapping):
        return None
    for key in _iter_keys(value, _SOURCE_KEYS):
        if isinstance(value[key], str) and (source := read_image(value[key])):
            alt, caption = (find_key(value, names) for names in (_ALT_KEYS, _CAPTION_KEYS))
            texts = {
                name: line.value
                for name, text_key in (("alt", alt), ("caption", caption))
                if text_key is not None and (line := read_line(value[text_key]))
            }
            image = {"src": source.value, **texts} if texts else source.value
            return Reading(image, len(value) == 1 + len(texts))
    return None


def make_author_reader(language: str) -> ValueReader:
    """Return a reader of authors: names and mappings, or lists of them, as one byline.

    Args:
        language: of the "and" between two names.
    """
    conjunction = _CONJUNCTIONS.get(language.partition("-")[0].lower())

    def read_authors(value: Any) -> Reading | None:
        if not isinstance(value, list):
            return _read_author(value)
        if len(value) == 1:
            return _read_author(value[0])
        authors = [author for item in value if (author := _read_author(item))]
        names = [
            author.value["name"] if isinstance(author.value, dict) else author.value
            for author in authors
        ]
        if not names:
            return None
        is_complete = len(names) == len(value) and all(
            author.is_complete and isinstance(author.value, str) for author in authors
        )
        if len(names) > 1 and conjunction:
            names[-2:] = [f"{names[-2]} {conjunction} {names[-1]}"]
        return Reading(", ".join(names), is_complete)

    return read_authors


def _read_author(value: Any) -> Reading | None:
    if isinstance(value, str):
        if linked_name := _LINKED_NAME.fullmatch(value.strip()):
            return _read_author(linked_name.groupdict())
        mailbox = _MAILBOX.fullmatch(value.strip())
        line = _read_name(mailbox["name"].strip("\"' ") if mailbox else value)
        return line._replace(is_complete=not mailbox and not _LINK.search(value)) if line else None
    if not isinstance(value, Mapping):
        return None
    name_key = find_key(value, _NAME_KEYS)
    name = _read_name(value[name_key]) if name_key is not None else None
    if name is None:
        return None
    details: dict[str, Any] = {}
    for target, names, read in (
        ("bio", _BIO_KEYS, read_summary),
        ("url", _URL_KEYS, read_web_url),
        ("picture", _PICTURE_KEYS, read_web_url),
    ):
        key = find_key(value, names)
        if key is not None and key != name_key and (detail := read(value[key])):
            details[target] = detail.value
    is_complete = len(value) == 1 + len(details)
    # A byline is enough for a name; an author box needs something about the author.
    return Reading({"name": name.value, **details} if details else name.value, is_complete)


def _read_name(value: Any) -> Reading | None:
    """Read a name, which may be Markdown."""
    return read_line(make_plain_text(value) if isinstance(value, str) else value)


def find_key(mapping: Mapping[Any, Any], names: tuple[str, ...]) -> Any:
    """Return the mapping's key that comes first in ``names``, in any spelling, or ``None``."""
    return next(_iter_keys(mapping, names), None)


def _iter_keys(mapping: Mapping[Any, Any], names: tuple[str, ...]) -> Iterator[Any]:
    by_name = {squash_key(key): key for key in mapping}
    return (by_name[name] for name in names if name in by_name)


def is_valid_setting(key: str, value: Any) -> bool:
    """Return whether a setting of ours accepts a value."""
    from newsletter.posts.front_matter.schema import FrontMatterFields

    try:
        FrontMatterFields.model_validate({key: value})
    except pydantic.ValidationError:
        return False
    return True
