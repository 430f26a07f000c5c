"""Build the email's headers: List-Id, Feedback-ID, List-Unsubscribe."""

import re
from email.header import Header

from newsletter.config.models import Config
from newsletter.config.urls import build_unsubscribe_url
from newsletter.posts.issue import Issue
from newsletter.posts.slug import slugify
from newsletter.render.article.links import get_host

_PLAIN_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_SENDER_ID_LENGTHS = (5, 15)


def build_common_headers(issue: Issue, config: Config) -> tuple[tuple[str, str], ...]:
    """Return List-Id (RFC 2919) and Feedback-ID (for Gmail's spam reports)."""
    label = slugify(config.name) or "newsletter"
    return (
        ("List-Id", f"{_encode_phrase(config.name)} <{label}.{get_host(config.site_url)}>"),
        ("Feedback-ID", f"{issue.slug}:{label}:newsletter:{_make_sender_id(label)}"),
    )


def build_unsubscribe_headers(config: Config, token: str) -> tuple[tuple[str, str], ...]:
    """Return a recipient's headers for one-click unsubscribe (RFC 2369, RFC 8058).

    Empty without a ``public_url``: there SendGrid's own unsubscribe group is used, or nothing is
    sent to the list.
    """
    if not config.public_url:
        return ()
    return (
        ("List-Unsubscribe", f"<{build_unsubscribe_url(config, token)}>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )


def _make_sender_id(label: str) -> str:
    """Return the last field of Feedback-ID: a permanent sender id of 5 to 15 characters."""
    minimum, maximum = _SENDER_ID_LENGTHS
    return label.replace("-", "")[:maximum].ljust(minimum, "0")


def _encode_phrase(name: str) -> str:
    """Return a display name as an RFC 5322 phrase, encoded as in RFC 2047 if not ASCII."""
    if not name.isascii():
        return Header(name, "utf-8").encode().replace("\n", "")
    if _PLAIN_PHRASE.fullmatch(name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
