"""Recognize a post that was imported before: by its id, URL or text.

Ids of feeds change with a site's protocol, its paths or its software, and some are used twice. So
an id alone does not make two posts the same one, and another id does not make them two.
"""

import hashlib
import html
import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from newsletter.posts.importing.source_post import SourcePost

_TAG_OR_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)|<[^<>]*>", re.DOTALL)
_IMAGE_URL = re.compile(r"<img\b[^>]*?\bsrc\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)
_TRACKING_PARAMETER = re.compile(r"(?:utm_\w+|fbclid|gclid|mc_[ce]id|ref)\Z", re.IGNORECASE)
_MIN_TEXT_LENGTH = 20  # letters and digits: a shorter text is compared with its images


@dataclass(frozen=True, slots=True)
class PostIdentity:
    """By what a post is recognized; a field that is unknown is empty.

    Attributes:
        post_id: how its source identifies it.
        url: its URL, normalized.
        text_hash: hash of its title and text, without markup, case and punctuation.
        title_hash: hash of its title alone.
        is_draft: whether it is not published.
    """

    post_id: str = ""
    url: str = ""
    text_hash: str = ""
    title_hash: str = ""
    is_draft: bool = False

    def is_same_post(self, other: "PostIdentity") -> bool:
        """Return whether two identities are of one post.

        The same text is the same post. So is the same URL. The same id is, unless both the URL
        and the text are others: then the id was used again.
        """
        if self.text_hash and self.text_hash == other.text_hash:
            return True
        if self.url and self.url == other.url:
            return True
        if not self.post_id or self.post_id != other.post_id:
            return False
        return not (self.url and other.url and self.text_hash and other.text_hash)

    def is_draft_beside(self, other: "PostIdentity") -> bool:
        """Return whether this is a draft with an id of its own, and the other one is published.

        It may be a copy of that one, so that the two have one text or one URL.
        """
        is_only_draft = self.is_draft and not other.is_draft
        return is_only_draft and self.has_other_id_than(other)

    def has_other_id_than(self, other: "PostIdentity") -> bool:
        """Return whether the ids of both are known, and not the same."""
        return bool(self.post_id and other.post_id) and self.post_id != other.post_id

    def has_title_of(self, other: "PostIdentity") -> bool:
        """Return whether two posts have the same title; a post without one has that of no other."""
        return bool(self.title_hash) and self.title_hash == other.title_hash

    def is_another_post(self, other: "PostIdentity") -> bool:
        """Return whether two identities, met in one reading of one source, are of two posts.

        A source has each post once. So two items with other texts are two posts if they have other
        titles or other ids, though their URL or their id is the same: notes of several weeks on
        one page, a feed that gives each post the same id. A draft is another one than a published
        post with another id, even if their texts are the same.
        """
        if self.is_draft_beside(other) or other.is_draft_beside(self):
            return True
        if not self.text_hash or not other.text_hash or self.text_hash == other.text_hash:
            return False
        return self.has_other_id_than(other) or not self.has_title_of(other)


def identify_post(post: SourcePost) -> PostIdentity:
    """Return the identity of a post of a feed, an export or a folder."""
    return PostIdentity(
        post.post_id,
        normalize_post_url(post.url),
        hash_post_text(post.title, post.original or post.content),
        hash_title(post.title),
        is_draft=post.status != "published",
    )


def normalize_post_url(url: str) -> str:
    """Return a URL in the form in which two spellings of one post's URL are equal.

    Scheme, ``www.``, port 80 or 443, a slash or ``index.html`` at the end, parameters of tracking
    and the fragment make no difference. Empty for a site's first page, which some sources give as
    the URL of each post.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").removeprefix("www."), parts.port
    except ValueError:  # brackets that don't contain an IPv6 address, a port that is no number
        return url.strip()
    if parts.scheme.lower() not in {"http", "https"} or not host:
        return url.strip()
    path = re.sub(r"/(?:index\.(?:html?|php))?\Z", "", parts.path)
    query = urlencode(
        [
            (name, value)
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
            if not _TRACKING_PARAMETER.match(name)
        ]
    )
    shown_port = f":{port}" if port not in {None, 80, 443} else ""
    if not path and not query:
        return ""
    return f"{host}{shown_port}{path}" + (f"?{query}" if query else "")


def hash_post_text(title: str, content: str) -> str:
    """Return a hash of a title and a text in HTML or Markdown; empty if there is no text.

    Of a post that is little more than images, their URLs count, too.
    """
    text = _fold(html.unescape(_TAG_OR_COMMENT.sub(" ", content)))
    if len(text) < _MIN_TEXT_LENGTH:
        text += " ".join(_IMAGE_URL.findall(content))
    if not text:
        return ""
    return hashlib.sha256(f"{_fold(title)}\n{text}".encode()).hexdigest()[:24]


def hash_title(title: str) -> str:
    """Return a hash of a title, without case and punctuation; empty if nothing is left."""
    folded = _fold(title)
    return hashlib.sha256(folded.encode()).hexdigest()[:24] if folded else ""


def _fold(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in folded if char.isalnum())
