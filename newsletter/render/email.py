"""What a reader gets."""

import hashlib
from dataclasses import dataclass

from newsletter.posts.merge_tags.tags import MergeTag


@dataclass(frozen=True, slots=True)
class NamedAddress:
    """A display name and an address (RFC 5322 mailbox)."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Email:
    """One issue as mail, merge tokens still in it.

    Attributes:
        issue: the issue's name.
        subject: plain text with text tokens.
        preheader: plain text with text tokens, may be empty.
        html: the whole document, HTML tokens in it.
        text: the text part, text tokens in it.
        sender: RFC 5322 From.
        reply_to: RFC 5322 Reply-To, or ``None``.
        headers: what is the same for every reader (List-Id, Feedback-ID, …), in order.
        merge_tags: every tag whose tokens may occur in subject, html or text, in order.
        language: BCP 47 tag.
        view_online_url: the issue on the web, or empty.
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
    def content_sha(self) -> str:
        """SHA-256 over everything that a reader would see, as 64 hex digits."""
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
