"""Describe why an email bounced or was dropped, in plain words. Pure."""

from collections.abc import Mapping

from newsletter.subscribers.consent.status_codes import find_status_code

OTHER_REASONS = "other reasons"

# RFC 3463: the detail of a status code is more precise than SendGrid's classification.
_REASON_BY_STATUS: Mapping[str, str] = {
    "1.1": "invalid address",
    "1.2": "invalid domain",
    "1.10": "invalid domain",
    "2.1": "mailbox disabled",
    "2.2": "mailbox full",
    "2.3": "mail too large",
    "3.4": "mail too large",
    "7.1": "refused by policy",
    "7.26": "failed authentication",
}
# The ``bounce_classification`` of SendGrid's events.
_REASON_BY_CLASSIFICATION: Mapping[str, str] = {
    "invalid address": "invalid address",
    "mailbox unavailable": "mailbox unavailable",
    "technical": "technical failure",
    "technical failure": "technical failure",
    "content": "refused for its content",
    "reputation": "refused for our reputation",
    "frequency/volume": "refused as too much mail",
    "frequency or volume too high": "refused as too much mail",
}

# The ``reason`` of SendGrid's dropped events, by its beginning.
_REASON_BY_DROP: Mapping[str, str] = {
    "bounced address": "had bounced before",
    "unsubscribed address": "had unsubscribed at SendGrid",
    "spam reporting address": "had complained before",
    "invalid smtpapi header": "invalid request",
    "invalid": "invalid address",
    "spam content": "taken for spam by SendGrid",
    "recipient list over package quota": "over SendGrid's quota",
}


def describe_bounce(bounce_type: str, classification: str, status: str) -> str:
    """Return the reason of a bounce event.

    Args:
        bounce_type: its ``type``: ``bounce`` or ``blocked``.
        classification: its ``bounce_classification``, or ``""``.
        status: its ``status`` (RFC 3463, ``5.1.1``), or ``""`` or any other text.
    """
    by_status = _REASON_BY_STATUS.get(find_status_code([status])[2:])
    reason = by_status or _REASON_BY_CLASSIFICATION.get(classification.strip().casefold())
    return reason or ("blocked" if bounce_type == "blocked" else OTHER_REASONS)


def describe_drop(reason: str) -> str:
    """Return the reason of a dropped event, given its ``reason``."""
    normalized = reason.strip().casefold()
    return next(
        (text for prefix, text in _REASON_BY_DROP.items() if normalized.startswith(prefix)),
        OTHER_REASONS,
    )
