"""Encode the part of a request that all recipients share. Pure."""

import base64
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import orjson

from newsletter.config.models import Config
from newsletter.config.tracking import TrackedAction
from newsletter.errors import Problem
from newsletter.render.email import Email, NamedAddress
from newsletter.sending.providers.prepared_email import InlineImage, ScheduledDelivery

MAX_CATEGORIES = 10
FORBIDDEN_HEADERS = frozenset(
    {
        "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type",
        "content-transfer-encoding", "to", "from", "subject", "reply-to", "cc", "bcc",
    }
)  # fmt: skip


def encode_request_head(  # noqa: PLR0913 - all that a request consists of
    email: Email,
    config: Config,
    scheduled: ScheduledDelivery | None = None,
    inline_images: Sequence[InlineImage] = (),
    *,
    bypass_suppressions: bool = False,
    tracked: Collection[TrackedAction] | None = None,
) -> bytes:
    """Return the request's JSON up to the value of ``personalizations``, which is its last key.

    Args:
        email: as rendered.
        config: the newsletter's settings.
        scheduled: if SendGrid holds it back.
        inline_images: images inside the email.
        bypass_suppressions: whether recipients who have unsubscribed or complained get it too.
        tracked: what SendGrid is asked to record; without it, what the settings want to be recorded
            of every reader, and nothing that readers are asked for.
    """
    options = config.sendgrid
    root: dict[str, Any] = {"from": _mailbox_json(email.sender)}
    if email.reply_to:
        root["reply_to"] = _mailbox_json(email.reply_to)
    root["subject"] = email.subject
    # Plain text first: the API rejects the other order (RFC 2046 5.1.4: the best version is last).
    root["content"] = [
        {"type": "text/plain", "value": email.text},
        {"type": "text/html", "value": email.html},
    ]
    if inline_images:
        root["attachments"] = [_attachment_json(image) for image in inline_images]
    if email.headers:
        root["headers"] = dict(email.headers)
    if options.categories:
        root["categories"] = list(options.categories)
    if options.asm_group:
        root["asm"] = {"group_id": options.asm_group}
    root["tracking_settings"] = tracking_json(
        config.tracking.unconditional if tracked is None else tracked
    )
    if scheduled:
        root["batch_id"] = scheduled.batch_id
        if scheduled.send_at:
            root["send_at"] = int(scheduled.send_at.timestamp())
    settings = ["sandbox_mode"] if options.sandbox else []
    if bypass_suppressions:
        settings += ["bypass_spam_management", "bypass_unsubscribe_management"]
    if settings:
        root["mail_settings"] = {name: {"enable": True} for name in settings}
    return orjson.dumps(root)[:-1] + b',"personalizations":'


def tracking_json(tracked: Collection[TrackedAction]) -> dict[str, dict[str, bool]]:
    """Return the setting that only these actions are recorded."""
    return {
        "click_tracking": {"enable": "clicks" in tracked, "enable_text": False},
        "open_tracking": {"enable": "opens" in tracked},
        "subscription_tracking": {"enable": False},
        "ganalytics": {"enable": False},
    }


def iter_email_problems(email: Email, config: Config) -> Iterator[Problem]:
    """Yield what SendGrid would reject in the email, whoever the recipient is."""
    if not email.sender.address.isascii():
        yield Problem(
            f"SendGrid doesn't accept non-ASCII sender addresses: {email.sender.address}",
            remedy="Write the domain in its xn-- form under sender: in newsletter.yml.",
        )
    for name, value in email.headers:
        if name.lower() in FORBIDDEN_HEADERS:
            yield Problem(f"SendGrid sets the header {name} itself and rejects a custom one")
        if "\n" in value or "\r" in value:
            yield Problem(f"the header {name} contains a line break")
    categories = config.sendgrid.categories
    if len(categories) > MAX_CATEGORIES or len(set(categories)) < len(categories):
        yield Problem(
            f"SendGrid accepts at most {MAX_CATEGORIES} different categories",
            remedy="Shorten sendgrid.categories in newsletter.yml.",
        )
    if not email.subject.strip():
        yield Problem("the email has no subject", remedy="Give the issue a subject: or a title:.")


def _attachment_json(image: InlineImage) -> dict[str, str]:
    return {
        "content": base64.b64encode(image.data).decode(),
        "type": image.media_type,
        "filename": image.name,
        "disposition": "inline",
        "content_id": image.content_id,
    }


def _mailbox_json(mailbox: NamedAddress) -> dict[str, str]:
    entry = {"email": mailbox.address}
    if mailbox.name:
        entry["name"] = mailbox.name
    return entry
