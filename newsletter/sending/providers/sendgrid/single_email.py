"""Encode requests for one recipient: transactional, notification. Pure."""

from collections.abc import Mapping
from typing import Any

import orjson

from newsletter.config.models import Config
from newsletter.config.tracking import TrackingOptions
from newsletter.render.email import Email
from newsletter.sending.providers.sendgrid.message_body import encode_request_head, tracking_json


def encode_transactional(  # noqa: PLR0913 - all that the request consists of
    email: Email,
    config: Config,
    address: str,
    *,
    queue_id: int,
    headers: Mapping[str, str],
    bypass_suppressions: bool,
) -> bytes:
    """Return the request's JSON, without tracking and unsubscribe group.

    Args:
        email: as rendered.
        config: the newsletter's settings.
        address: the recipient's address.
        queue_id: its number in the queue.
        headers: headers for this recipient.
        bypass_suppressions: whether the recipient gets it even if they have unsubscribed.
    """
    options = config.sendgrid.model_copy(update={"asm_group": None})
    untracked = config.model_copy(update={"tracking": TrackingOptions(), "sendgrid": options})
    personalization: dict[str, Any] = {
        "to": [{"email": address}],
        "custom_args": {"nl_notice": str(queue_id)},
    }
    if headers:
        personalization["headers"] = dict(headers)
    head = encode_request_head(email, untracked, bypass_suppressions=bypass_suppressions)
    return head + orjson.dumps([personalization]) + b"}"


def encode_notification(config: Config, subject: str, text: str, address: str) -> bytes:
    """Return the JSON of a request that mails a notification to one address."""
    body: dict[str, Any] = {
        "from": {"email": config.sender.address, "name": config.sender.name},
        "personalizations": [{"to": [{"email": address}]}],
        "subject": subject,
        "content": [{"type": "text/plain", "value": text}],
        # RFC 3834: no vacation message answers it.
        "headers": {"Auto-Submitted": "auto-generated"},
        "tracking_settings": tracking_json(()),
    }
    if config.sendgrid.sandbox:
        body["mail_settings"] = {"sandbox_mode": {"enable": True}}
    return orjson.dumps(body)
