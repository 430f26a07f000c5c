"""Match the URLs of a source with the resolved ones of its email."""

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from newsletter.posts.content_loss.masked_text import GLUE, ContentReference

_SCHEME = re.compile(r"^(?:(?:https?:)?//(?:www\.)?|www\.)", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"(?!mailto:|tel:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_TRACKING_PARAMETER = re.compile(r"(?<=[?&])utm_\w+=[^&#]*&?", re.IGNORECASE)
_RELATIVE_START = re.compile(r"^(?:\.{0,2}/)+")
_EXTENSION = re.compile(r"\.\w{1,5}$")
_EMPTY_SEGMENTS = re.compile(r"/{2,}")  # of a path that is resolved, urljoin drops them
_COPY_NUMBER = re.compile(r"-\d+$")  # of two images with one name
_URL_SEPARATOR = re.compile(r"[/?&=#]")
_MIN_EMBED_ID_LENGTH = 4  # characters: a shorter part of a path identifies nothing
_EMBED_WORDS = frozenset(
    """
    album allow autoplay channel embed embeds episode episodes false feature feed frame html https
    iframe index list live loop mute player playlist post posts show slide slides start status
    story theme title track tracks true video videos watch widget widgets width height dark light
    """.split()
)
_ENOUGH = sys.maxsize  # it may be there as often as it wants


class UrlIndex:
    """The URLs of an email, for lookups by the URLs of its source.

    Args:
        references: the links, images and embeds of the email.
        text: the email without markup.
    """

    def __init__(self, references: Iterable[ContentReference], text: str) -> None:
        self._text = text.replace(GLUE, "")
        self._links: dict[str, int] = Counter()
        self._images: dict[str, set[int]] = defaultdict(set)
        self._alts: dict[str, set[int]] = defaultdict(set)
        self._parts: set[str] = set()
        for number, entry in enumerate(references):
            keys = {normalize_url(url) for url in entry.urls}
            suffixes = {suffix for key in keys for suffix in _iter_suffixes(key)}
            self._parts.update(part for key in keys for part in _split_url(unquote(key)))
            if entry.kind != "image":
                for suffix in suffixes:
                    self._links[suffix] += 1
                continue
            names = {_get_file_name(url) for url in entry.urls}
            for key in suffixes | names | {_COPY_NUMBER.sub("", name) for name in names}:
                self._images[key].add(number)
            if entry.alt.strip():
                self._alts[" ".join(entry.alt.split())].add(number)

    def count(self, reference: ContentReference) -> int:
        """Return how often the email has a reference of the source, whatever its form there."""
        if reference.kind == "link":
            key = normalize_url(reference.urls[0])
            leads_nowhere = not key or key.startswith(("#", "?")) or _OTHER_SCHEME.match(key)
            as_text = self._text.count(f'href="{reference.urls[0]}"')  # code that shows the tag
            return _ENOUGH if leads_nowhere else self._links.get(key, 0) + as_text
        if reference.kind == "image":
            return self._count_images(reference)
        for key in map(normalize_url, reference.urls):
            ids = {part for part in _split_url(key)[1:] if len(part) >= _MIN_EMBED_ID_LENGTH}
            is_known = key in self._links or key in self._images
            if is_known or not self._parts.isdisjoint(ids - _EMBED_WORDS):
                return _ENOUGH
        return 0

    def _count_images(self, image: ContentReference) -> int:
        alt = " ".join(image.alt.split())
        # An image of a character (an emoji) becomes this character.
        if alt and not re.search(r"\w", alt) and alt in self._text:
            return _ENOUGH
        found: set[int] = set()
        for url in image.urls:
            found |= self._images.get(normalize_url(url), set())
            found |= self._images.get(_get_file_name(url), set())
        return len(found or self._alts.get(alt, ()))


def _split_url(key: str) -> list[str]:
    return _URL_SEPARATOR.split(key)


def normalize_url(url: str) -> str:
    """Return a URL without what an email may change: scheme, encoding, tracking parameters."""
    # An encoded blank before the scheme makes a path of it: resolved, it keeps its scheme.
    url = "".join(unquote(_SCHEME.sub("", url.strip())).split()).rstrip("\"'")
    address, hash_, fragment = url.partition("#")
    address = _RELATIVE_START.sub("", _TRACKING_PARAMETER.sub("", address).rstrip("?&"))
    address = _EMPTY_SEGMENTS.sub("/", address)
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
        yield (suffix := key[found.end() :])
        if suffix.startswith("www."):  # a source without a scheme, taken for a path
            yield suffix.removeprefix("www.")


def _get_file_name(url: str) -> str:
    path = re.split(r"[?#]", unquote(url), maxsplit=1)[0].rstrip("/")
    return _EXTENSION.sub("", path.rpartition("/")[2]).casefold()
