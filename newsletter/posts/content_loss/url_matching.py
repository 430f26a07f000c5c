"""Match the URLs of a source with the resolved ones of its email."""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from newsletter.posts.content_loss.masked_text import ContentReference

_SCHEME = re.compile(r"^(?:(?:https?:)?//(?:www\.)?|www\.)", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"(?!mailto:|tel:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_TRACKING_PARAMETER = re.compile(r"(?<=[?&])utm_\w+=[^&#]*&?", re.IGNORECASE)
_RELATIVE_START = re.compile(r"^(?:\.{0,2}/)+")
_EXTENSION = re.compile(r"\.\w{1,5}$")
_COPY_NUMBER = re.compile(r"-\d+$")  # of two images with one name
_MIN_EMBED_ID_LENGTH = 4  # characters: a shorter last part of a path identifies nothing


class UrlIndex:
    """The URLs of an email, for lookups by the URLs of its source.

    Args:
        references: the links, images and embeds of the email.
        text: the email without markup.
    """

    def __init__(self, references: Iterable[ContentReference], text: str) -> None:
        references = tuple(references)
        self._text = text
        self._alts = {" ".join(entry.alt.split()) for entry in references if entry.alt.strip()}
        keys = [_normalize(url) for entry in references for url in entry.urls]
        self._all_urls = "\n".join(keys)
        self._suffixes = {suffix for key in keys for suffix in _iter_suffixes(key)}
        self._image_names = {
            name
            for entry in references
            if entry.kind == "image"
            for url in entry.urls
            for name in (_get_file_name(url), _COPY_NUMBER.sub("", _get_file_name(url)))
        }

    def has(self, reference: ContentReference) -> bool:
        """Return whether the email has a reference of the source, whatever its form there."""
        has = {"link": self._has_link, "image": self._has_image, "embed": self._has_embed}
        return has[reference.kind](reference)

    def _has_link(self, link: ContentReference) -> bool:
        key = _normalize(link.urls[0])
        is_no_link = not key or key.startswith(("#", "?")) or _OTHER_SCHEME.match(key)
        return bool(is_no_link) or key in self._suffixes

    def _has_image(self, image: ContentReference) -> bool:
        alt = " ".join(image.alt.split())
        # An image of a character (an emoji) becomes this character.
        if alt and (alt in self._alts or (not re.search(r"\w", alt) and alt in self._text)):
            return True
        return any(
            _normalize(url) in self._suffixes or _get_file_name(url) in self._image_names
            for url in image.urls
        )

    def _has_embed(self, embed: ContentReference) -> bool:
        return any(self._has_embed_url(url) for url in embed.urls)

    def _has_embed_url(self, url: str) -> bool:
        key = _normalize(url)
        if key in self._suffixes or unquote(key) in self._all_urls:
            return True
        parts = [part for part in re.split(r"[/?&=#]", key) if len(part) >= _MIN_EMBED_ID_LENGTH]
        return any(part in self._all_urls for part in parts[1:])


def _normalize(url: str) -> str:
    """Return a URL without what an email may change: scheme, encoding, tracking parameters."""
    url = _SCHEME.sub("", "".join(unquote(url).split()))
    address, hash_, fragment = url.partition("#")
    address = _RELATIVE_START.sub("", _TRACKING_PARAMETER.sub("", address).rstrip("?&"))
    return f"{_encode_host(address).rstrip('/')}{hash_}{fragment}".casefold()


def _encode_host(address: str) -> str:
    """Encode an international host name as IDNA does; what isn't one stays as it is."""
    host, slash, path = address.partition("/")
    if host.isascii():
        return address
    try:
        return f"{host.encode('idna').decode()}{slash}{path}"
    except UnicodeError:
        return address


def _iter_suffixes(key: str) -> Iterator[str]:
    """Yield a URL and all its relative forms; of a long one only the last parts."""
    yield key
    address = re.split(r"[?#]", key, maxsplit=1)[0]
    for found in list(re.finditer("/", address))[-30:]:
        yield key[found.end() :]


def _get_file_name(url: str) -> str:
    path = re.split(r"[?#]", unquote(url), maxsplit=1)[0].rstrip("/")
    return _EXTENSION.sub("", path.rpartition("/")[2]).casefold()
