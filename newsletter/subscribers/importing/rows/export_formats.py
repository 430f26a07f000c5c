"""Export formats of newsletter services: their columns and status words.

All names are normalized by ``normalize_name``: lower case, one space between words.
tests/fixtures/exports/README.md states the source of each format.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

# Role -> names of columns. "suppressed:STATUS" is filled if the subscriber has that status;
# "opt_out" is yes if they must not be mailed; "json" is an object of attributes.
COLUMN_NAMES: Mapping[str, Collection[str]] = {
    "email": {
        "email", "email address", "e mail", "e mail address", "mail", "subscriber email",
        "e mail adresse", "emailadresse", "mailadresse", "adresse e mail", "adresse email",
        "adresse mail", "courriel", "correo electr\xf3nico", "correo electronico",
        "indirizzo e mail", "indirizzo email", "e post", "epost", "e postadresse", "epostadresse",
        "e mailadres", "emailadres",
    },
    "subscriber": {"subscriber"},  # the addresses, if no other column has them
    "name": {"name", "full name", "subscriber name"},
    "first_name": {"first name", "firstname", "fname", "given name"},
    "last_name": {"last name", "lastname", "lname", "surname", "family name"},
    "status": {"status", "subscriber status", "subscription status", "email status"},
    "consent": {"subscribed", "is subscribed", "subscribed to emails", "opted in", "opt in"},
    "suppressed:unsubscribed": {
        "unsubscribed at", "unsubscribed on", "unsubscribe date", "unsub time",
        "unsubscription date",
    },
    "suppressed:bounced": {
        "bounced", "bounced at", "cleaned", "clean time", "undeliverability date",
    },
    "suppressed:complained": {"complained", "complained at"},
    "tags": {"tags", "labels"},
    "joined_at": {
        "joined at", "joined", "created at", "creation date", "subscribed at", "subscribed on",
        "subscription date", "signup date", "sign up date", "date subscribed", "date added",
        "optin time",
    },
    "confirmed_at": {"confirmed at", "confirmed on", "confirmation date", "confirm time"},
    "source": {"source", "signup source"},
    # Whether opens, or clicks, may be recorded: nothing about whether they may be mailed.
    "opens_consent": {"opens consent"},
    "clicks_consent": {"clicks consent"},
    "rejection_note": {"refused row", "refused because"},  # added by rejected_rows.py
    # Of Mailchimp: where a consent came from, not whether it was given.
    "": {"optin ip", "confirm ip", "unsub campaign title", "unsub campaign id"},
}  # fmt: skip
ROLE_BY_COLUMN_NAME = {name: role for role, names in COLUMN_NAMES.items() for name in names}

# A service's word for a status -> our status; for an ambiguous word the most cautious one.
STATUS_WORDS: Mapping[str, str] = {
    "active": "active", "subscribed": "active", "confirmed": "active", "enabled": "active",
    "opted in": "active", "regular": "active", "premium": "active", "gifted": "active",
    "pending": "pending", "unconfirmed": "pending", "unactivated": "pending",
    "not confirmed": "pending",
    "unsubscribed": "unsubscribed", "inactive": "unsubscribed", "removed": "unsubscribed",
    "disabled": "unsubscribed", "blocklisted": "unsubscribed", "blocked": "unsubscribed",
    "opted out": "unsubscribed", "cancelled": "unsubscribed", "canceled": "unsubscribed",
    "non subscribed": "unsubscribed", "nonsubscribed": "unsubscribed",
    "not subscribed": "unsubscribed", "never subscribed": "unsubscribed",
    "opt in": "active", "opt out": "unsubscribed", "optout": "unsubscribed",
    "bounced": "bounced", "cleaned": "bounced", "undeliverable": "bounced", "invalid": "bounced",
    "complained": "complained", "complaint": "complained", "spam": "complained",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """The format of a service's export.

    Attributes:
        name: the name of the service.
        signatures: sets of column names; a header that contains one of the sets is this service's.
        columns: column name -> role, where it differs from ``ROLE_BY_COLUMN_NAME``.
        statuses: word -> status, where it differs from ``STATUS_WORDS``.
    """

    name: str
    signatures: tuple[frozenset[str], ...]
    columns: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[str, str] = field(default_factory=dict)


def _signatures(*sets: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(names.split(", ")) for names in sets)


UNKNOWN_FORMAT = ExportFormat("", ())
# Columns of attributes are named NAME:TYPE.
NEWSLETTER_FORMAT = ExportFormat(
    "newsletter",
    _signatures("email, name, status, tags, joined at, confirmed at, source, soft bounces, token"),
    columns={
        "soft bounces": "soft_bounces",
        "token": "token",
        "paused until": "paused_until",
        "opted out": "opted_out",
    },
)
FORMATS = (
    NEWSLETTER_FORMAT,
    ExportFormat(
        "Mailchimp",
        _signatures("email address, optin time, confirm time, leid, euid"),
        columns=dict.fromkeys(
            (
                "leid",
                "euid",
                "latitude",
                "longitude",
                "gmtoff",
                "dstoff",
                "last changed",
                "unsub campaign title",
                "unsub campaign id",
                "clean campaign title",
                "clean campaign id",
            ),
            "ignored",
        ),
    ),
    ExportFormat(
        "Substack",
        _signatures("email, active subscription, expiry, created at"),
        columns={"email disabled": "opt_out"},
    ),
    ExportFormat(
        "Ghost",
        _signatures("email, subscribed to emails, complimentary plan, created at, deleted at"),
        columns={"id": "ignored", "deleted at": "suppressed:unsubscribed"},
    ),
    ExportFormat(
        "Buttondown",
        _signatures("email, creation date, metadata", "email address, creation date, metadata"),
        columns={
            "id": "ignored",
            "secondary id": "ignored",
            "subscriber type": "status",
            "type": "status",
            "metadata": "json",
            "churn date": "",
        },
        statuses={
            "trialed": "active",
            "churning": "active",
            "paused": "active",
            "past due": "active",
            # In a paid newsletter: they get it only once they have paid.
            "unpaid": "pending",
            "spammy": "unsubscribed",
        },
    ),
    ExportFormat(
        "Kit",
        _signatures(
            "email address, first name, state, created at",
            "email address, first name, status, created at",
            "email, first name, state, created at",
        ),
        columns={"id": "ignored", "subscriber id": "ignored", "state": "status"},
        statuses={"inactive": "pending", "cold": "active"},  # inactive: never confirmed
    ),
    ExportFormat(
        "beehiiv",
        _signatures(
            "email, status, created at, tier", "email, status, created at, subscription tier"
        ),
        columns={"id": "ignored", "subscriber id": "ignored"},
        statuses={"validating": "pending", "needs attention": "pending"},
    ),
    ExportFormat(
        "listmonk",
        _signatures("uuid, email, name, attributes, status, created at"),
        columns={"uuid": "ignored", "updated at": "ignored", "attributes": "json"},
    ),
)


def detect_format(header: Collection[str]) -> ExportFormat:
    """Return the format of a file by its column names; ``UNKNOWN_FORMAT`` if none matches.

    Args:
        header: the normalized names.
    """
    names = set(header)
    return next(
        (
            candidate
            for candidate in FORMATS
            if any(signature <= names for signature in candidate.signatures)
        ),
        UNKNOWN_FORMAT,
    )


def normalize_name(name: str) -> str:
    """Return a name for comparison: ``E-Mail_Address`` becomes ``e mail address``."""
    return re.sub(r"[\W_]+", " ", name.casefold()).strip()
