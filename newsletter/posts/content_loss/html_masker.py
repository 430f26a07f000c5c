"""Mask the markup of HTML, by patterns and string searches only.

This is a second reading that shares no parser with the rendering, so that it can't swallow the
same words. What is never closed (a comment, a script, a tag) is not masked: the words that a
parser would swallow there are counted.
"""

import html
import re

from newsletter.posts.content_loss.masked_text import (
    BlockKind,
    ContentReference,
)
from newsletter.posts.content_loss.text_masker import BARE_URL, TextMasker, strip_punctuation
from newsletter.posts.html.normalize.tags import unescape_attribute

_INLINE_TAGS = frozenset(
    """
    abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark q rp rt ruby s
    samp small span strike strong sub sup time tt u var wbr
    """.split()
)
_BLOCK_KINDS: dict[str, BlockKind] = {
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), "heading"),
    **dict.fromkeys(("li", "dt", "dd"), "list item"),
    **dict.fromkeys(("td", "th"), "table cell"),
}
# Code, and what becomes a label or a formula in a line of text.
_WORDLESS_TAGS = frozenset({"script", "style", "head", "svg", "math"})
_LINK_TAGS = frozenset({"a", "area"})
_IMAGE_TAGS = frozenset({"img", "amp-img"})
# They end a word, not a block; where a link ends, the text part has its number.
_SEPARATING_TAGS = _IMAGE_TAGS | {"a", "br"}
_FALLBACK_TAGS = frozenset({"iframe", "video", "audio"})  # browsers never show their content
_EMPTY_FRAME_SCHEMES = ("javascript:", "data:", "about:")  # filled by scripts, if at all
_EMBED_TAGS = frozenset({"embed", "amp-video", "amp-iframe", "amp-audio"})
_URL_ATTRIBUTES = (
    "src", "data-src", "data-lazy-src", "data-original", "srcset", "data-srcset",
    "data-lazy-srcset", "data-url", "data-href", "poster",
)  # fmt: skip

_TAG = re.compile(
    r"""<(?P<end>/?)(?P<name>[a-z][\w.-]*+(?>(?:(?<!<tel):[\w-]++)?))(?=[\s/>])"""
    r"""(?>(?:[^<>"'=]++|=(?>(?:[^\s<>"'{][^\s<>]*+)?)|"[^"]*+"(?>(?:"(?=[\s/>]))?)|'[^']*+')*)>""",
    re.IGNORECASE | re.ASCII,
)
# With a quotation mark too many: it ends at the first bracket, what a parser swallows after that
# is counted.
_BROKEN_TAG = re.compile(
    r"<(?P<end>/?)(?P<name>[a-z][\w.-]*+(?::[a-z][\w.-]*+)?)(?=[\s/])[^<>]*+>",
    re.IGNORECASE | re.ASCII,
)
_ATTRIBUTE = re.compile(
    r"""(?<=[\s"'/])(?P<name>[^\s"'<>/=]++)\s*+=\s*+"""
    r"""(?:"(?P<double>[^"]*+)"|'(?P<single>[^']*+)'|(?P<bare>[^\s"'<>`]++))"""
)
_AUTOLINK = re.compile(r"<(?P<url>[a-z][a-z0-9+.-]{1,31}:[^\s<>]*+)>", re.IGNORECASE)
_DECLARATION = re.compile(r"<(?:!doctype|\?xml|!\[(?:if|endif))\b[^<>]*+>", re.IGNORECASE)
# The content between the two is for all browsers but old ones of Microsoft.
_CONDITION = re.compile(r"<!--\[if\b[^\]<>]*+\]>\s*+(?:<!--+>|--+>)|<!--<!\[endif\]--+>")
_SPECIAL = re.compile(r"[<\n]|https?://|\bwww\.", re.IGNORECASE)
TEMPLATE_TAG_START = re.compile(r"\{[{%]")
# What a head can hold: parsers begin the body at anything else (html.spec.whatwg.org, 13.2.6.4.4).
_HEAD_CONTENT = re.compile(
    r"(?:\s++|<!--(?>(?:(?!-->).)*)-->|</?(?:meta|link|base|basefont|bgsound)\b[^<>]*+>"
    r"|<(?P<name>title|style|script)\b[^<>]*+>(?>(?:(?!</(?P=name)).)*)"
    r"</(?P=name)[^<>]*+>)*(?:</head[^<>]*+>)?",
    re.IGNORECASE | re.DOTALL,
)
_ANY_TAG = re.compile(r"<[^<>]*+>")


class HtmlMasker(TextMasker):
    """Masker of one text in HTML.

    Args:
        text: HTML, however malformed.
    """

    special = _SPECIAL

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._missing_ends: set[str] = set()  # searched for once: the rest of the text has none
        self.pre_end = 0

    def add_text(self, text: str) -> None:
        """Add text with character references."""
        self.out.encoded_text(text)

    def consume(self, start: int) -> int:
        """Add the construct that begins at a special character; return where it ends."""
        character = self.source[start]
        if character == "<":
            return self._consume_angle_bracket(start)
        if character != "\n":
            return super().consume(start)
        self.out.blank("\n")
        if start < self.pre_end:
            self.out.block(start + 1, "code line")
        return start + 1

    def decode_url(self, url: str) -> str:
        """Return a URL without character references."""
        return html.unescape(url)

    def _consume_angle_bracket(self, start: int) -> int:
        if condition := _CONDITION.match(self.source, start):
            end = condition.end()
        elif self.source.startswith("<!--", start):
            end = self.find_end("-->", start)
            if self.source.find("<!--", start + 1, end) > 0:
                end = 0  # never closed: the next comment's end is not its own
        elif tag := _TAG.match(self.source, start) or _BROKEN_TAG.match(self.source, start):
            return self._consume_tag(tag)
        elif link := _AUTOLINK.match(self.source, start):
            self.out.references.append(ContentReference("link", (link["url"],), start))
            end = link.end()
        else:
            found = _DECLARATION.match(self.source, start)
            end = found.end() if found else 0
        markup = self.source[start : end or start + 1]
        self.out.blank(markup)
        return start + len(markup)

    def find_end(self, closing: str, start: int) -> int:
        """Return the offset after the next ``closing``; 0 if there is none."""
        if closing in self._missing_ends:
            return 0
        found = self.source.find(closing, start)
        if found < 0:
            self._missing_ends.add(closing)
            return 0
        return found + len(closing)

    def _consume_tag(self, tag: re.Match[str]) -> int:
        name = tag["name"].lower()
        if not tag["end"] and not tag[0].endswith("/>"):
            is_wordless = name in _WORDLESS_TAGS or name in _FALLBACK_TAGS
            if is_wordless and (end := self._find_wordless_end(name, tag.end())):
                markup = self.source[tag.start() : end]
                if name in _FALLBACK_TAGS:
                    self._note_embed(markup, tag.start())
                self.out.blank(markup)
                return end
            if name == "pre":
                self._note_code(tag.end())
        if not tag["end"] and self._note_values(tag, name):
            return tag.end()
        if name in _INLINE_TAGS:
            self.out.glue(tag[0])
            return tag.end()
        self.out.blank(tag[0])
        if name not in _SEPARATING_TAGS:
            kind = "paragraph" if tag["end"] else _BLOCK_KINDS.get(name, "paragraph")
            self.out.block(tag.end(), kind)
        return tag.end()

    def _note_values(self, tag: re.Match[str], name: str) -> bool:
        """Note the URLs of a start tag; add it if it has an alternative text, and say so."""
        values = _find_attributes(tag[0])
        get = {key: _get_value(found).strip() for key, found in values.items()}.get
        urls = _get_urls(tag[0])
        href = get("href", "")
        if name in _LINK_TAGS and self.is_link(href, tag.end()):
            self.out.references.append(ContentReference("link", (href,), tag.start()))
        elif name in _IMAGE_TAGS and urls and self.is_image(get("width"), get("height")):
            self.out.references.append(ContentReference("image", urls, tag.start(), get("alt", "")))
            if "alt" in values:
                self._mask_around(tag[0], values["alt"], tag.start())
                return True
        elif name in _FALLBACK_TAGS or name in _EMBED_TAGS:
            self._note_embed(tag[0], tag.start())
        return False

    def is_image(self, width: str | None, height: str | None) -> bool:  # noqa: ARG002
        """Return whether an image of this size is content; in an email all are."""
        return True

    def is_link(self, href: str, start: int) -> bool:  # noqa: ARG002
        """Return whether a link with content from ``start`` on leads somewhere."""
        return bool(href)

    def _mask_around(self, markup: str, value: re.Match[str], start: int) -> None:
        group = next(key for key in ("double", "single", "bare") if value[key] is not None)
        self.out.blank(markup[: value.start(group)])
        position = 0
        for url in BARE_URL.finditer(value[group]):
            self.out.encoded_text(value[group][position : url.start()])
            # A bare URL in an alternative text of Markdown counts as a link there too.
            address = unescape_attribute(strip_punctuation(url[0]))
            self.out.references.append(
                ContentReference("link", (address,), start + value.start(group) + url.start())
            )
            self.out.blank(url[0])
            position = url.end()
        self.out.encoded_text(value[group][position:])
        self.out.blank(markup[value.end(group) :])

    def _note_embed(self, markup: str, start: int) -> None:
        """Note an embed with the URLs of its tag and of the sources in it."""
        urls = tuple(url for tag in _TAG.finditer(markup) for url in _get_urls(tag[0]))
        if not all(url.lower().startswith(_EMPTY_FRAME_SCHEMES) for url in urls):
            self.out.references.append(ContentReference("embed", urls, start))

    def _find_wordless_end(self, name: str, start: int) -> int:
        """Return where an element ends; 0 if the next one of its kind begins before that."""
        if name == "head":
            found = _HEAD_CONTENT.match(self.source, start)
            return found.end() if found else start
        end = self._find_end_tag(name, start)
        # One in quotation marks is text that a script writes.
        inner = rf"(?<!['\"])<{name}\b"
        return 0 if re.search(inner, self.source[start:end], re.IGNORECASE) else end

    def _find_end_tag(self, name: str, start: int) -> int:
        key = f"</{name}"
        if key in self._missing_ends:
            return 0
        found = re.compile(rf"</{name}(?=[\s/>])[^>]*+>", re.IGNORECASE).search(self.source, start)
        if found is None:
            self._missing_ends.add(key)
            return 0
        return found.end()

    def _note_code(self, start: int) -> None:
        """Note the lines of a ``pre``; its content is masked as all else."""
        end = self.find_code_end(start)
        if not end:
            return
        self.pre_end = end
        self.out.block(start, "code line")
        for line in self.source[start:end].split("\n"):
            self.out.code(start, html.unescape(_ANY_TAG.sub("", line)))
            start += len(line) + 1

    def find_code_end(self, start: int) -> int:
        """Return where the content of a ``pre`` ends; 0 if it is never closed."""
        return self._find_end_tag("pre", start)


def _find_attributes(tag: str) -> dict[str, re.Match[str]]:
    """Return the attributes of a start tag by name; of two with one name, the first counts."""
    return {found["name"].lower(): found for found in reversed(list(_ATTRIBUTE.finditer(tag)))}


def _get_urls(tag: str) -> tuple[str, ...]:
    """Return every URL that a start tag loads something from."""
    values = _find_attributes(tag)
    urls: list[str] = []
    for key in _URL_ATTRIBUTES:
        value = _get_value(values[key]).strip() if key in values else ""
        if key.endswith("srcset"):
            candidates = (part.split() for part in re.split(r",\s+|,(?=https?:)", value))
            urls += (words[0].rstrip(",") for words in candidates if words)
        elif value:
            urls.append(value)
    return tuple(
        url for url in urls if any(map(str.isalnum, url)) and not TEMPLATE_TAG_START.search(url)
    )


def _get_value(found: re.Match[str]) -> str:
    return unescape_attribute(found["double"] or found["single"] or found["bare"] or "")
