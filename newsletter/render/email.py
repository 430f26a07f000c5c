"""The Email type: a rendered email with its merge tokens."""

import hashlib
import re
from dataclasses import dataclass

from newsletter.posts.merge_tags.tags import MergeTag

_LINK = re.compile(r'<a\b[^>]*\shref="(?!#)')
_IMAGE = re.compile(r"<img\b")


@dataclass(frozen=True, slots=True)
class NamedAddress:
    """A display name and an email address (RFC 5322 mailbox)."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Email:
    """A rendered email, with its merge tokens.

    Attributes:
        issue: the issue's name; the kind of a transactional email.
        subject: plain text with text tokens.
        preheader: plain text with text tokens; may be empty.
        html: the complete document, with HTML tokens.
        text: the text part, with text tokens.
        sender: RFC 5322 From.
        reply_to: RFC 5322 Reply-To, or ``None``.
        headers: the headers common to all recipients (List-Id, Feedback-ID, …), in order.
        merge_tags: every tag whose tokens may occur in subject, html or text, in order.
        language: BCP 47 tag.
        view_online_url: the URL of the issue on the web, or empty.
    """

    issue: str
    subject: str
    preheader: str
    html: str
    text: str
    sender: NamedAddress
    reply_to: NamedAddress | None
    headers: tuple[tuple[str, str], ...]
    merge_tags: tuple[MergeTag, ...]
    language: str
    view_online_url: str

    @property
    def link_count(self) -> int:
        """How many links the HTML has, without those that stay in the email."""
        return len(_LINK.findall(self.html))

    @property
    def image_count(self) -> int:
        """How many images the HTML shows."""
        return len(_IMAGE.findall(self.html))

    @property
    def content_sha(self) -> str:
        """The SHA-256 of everything that a recipient sees, as 64 hex digits."""
        digest = hashlib.sha256()
        mailboxes = (self.sender, self.reply_to or NamedAddress("", ""))
        for part in (
            self.subject,
            self.preheader,
            self.html,
            self.text,
            *(text for box in mailboxes for text in (box.name, box.address)),
            *(text for header in self.headers for text in header),
            *(t for tag in self.merge_tags for t in (tag.key, tag.attribute, tag.default)),
        ):
            data = part.encode()
            digest.update(len(data).to_bytes(8, "big"))
            digest.update(data)
        return digest.hexdigest()
