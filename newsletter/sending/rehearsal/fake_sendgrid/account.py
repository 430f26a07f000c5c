"""What the double says of its account: the key's permissions, and who may be a sender.

After Twilio SendGrid's documentation of v3 "API Key Permissions", "Domain Authentication" and
"Sender Verification".
"""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from newsletter.sending.rehearsal.fake_sendgrid.validation import Complaint

_PATHS = {
    "/v3/scopes": "scopes",
    "/v3/whitelabel/domains": "domains",
    "/v3/verified_senders": "senders",
}  # fmt: skip
_FORBIDDEN = Complaint("access forbidden", None)


@dataclass
class Account:
    """Fill it at will.

    Attributes:
        scopes: the key's permissions.
        domains: the authenticated domains; ``None`` if the key may not ask.
        senders: the verified senders; ``None`` if the key may not ask.
    """

    scopes: list[str] = field(
        default_factory=lambda: [
            "mail.send", "mail.batch.create", "suppression.read", "user.scheduled_sends.create",
            "user.scheduled_sends.read",
        ]
    )  # fmt: skip
    domains: list[dict[str, Any]] | None = None
    senders: list[dict[str, Any]] | None = None

    def knows(self, path: str) -> bool:
        """Whether ``path`` is one of these endpoints."""
        return urlsplit(path).path in _PATHS

    def answer(self, path: str) -> tuple[int, object]:
        """Status and JSON for one GET."""
        name = _PATHS[urlsplit(path).path]
        found = getattr(self, name)
        if found is None:
            return HTTPStatus.FORBIDDEN, {"errors": [_FORBIDDEN.as_json()]}
        return HTTPStatus.OK, {
            "scopes": {"scopes": found}, "domains": found, "senders": {"results": found},
        }[name]  # fmt: skip
