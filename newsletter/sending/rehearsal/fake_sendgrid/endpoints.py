"""The fake's other endpoints: account, scheduled sends, suppressions.

After Twilio SendGrid's documentation of v3 "API Key Permissions", "Domain Authentication", "Sender
Verification", "Mail Batch", "Cancel Scheduled Sends" and "Suppressions".
"""

import json
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from newsletter.sending.rehearsal.fake_sendgrid.validation import ApiErrorEntry

_PATHS = {
    "/v3/scopes": "scopes",
    "/v3/whitelabel/domains": "domains",
    "/v3/verified_senders": "senders",
}
_SCOPES = {"domains": "whitelabel.read"}
_QUERIES = {
    "scopes": frozenset[str](),
    "domains": frozenset({"limit", "offset", "exclude_subusers", "username", "domain"}),
    "senders": frozenset({"limit", "lastSeenID", "id"}),
}

BATCH_PATH = "/v3/mail/batch"
SCHEDULED_SENDS_PATH = "/v3/user/scheduled_sends"
# Newer documentation says 10, older 100.
MAX_CANCELLED = 10
MAX_LIMIT = 500
LIST_NAMES = ("bounces", "blocks", "invalid_emails", "spam_reports", "unsubscribes")
QUERY_PARAMETERS = frozenset({"limit", "offset", "start_time", "end_time"})
LIST_PATH = re.compile(rf"/v3/suppression/({'|'.join(LIST_NAMES)})")
GROUP_PATH = re.compile(r"/v3/asm/groups/(\d+)/suppressions")

StatusAndJson = tuple[int, object]


@dataclass
class FakeAccount:
    """The account's permissions and senders; tests set them.

    Attributes:
        scopes: the key's permissions.
        domains: the authenticated domains, which a key with ``whitelabel.read`` may read.
        senders: the verified senders; ``None`` if the key may not read them.
    """

    scopes: list[str] = field(
        default_factory=lambda: [
            "mail.send",
            "mail.batch.create",
            "suppression.read",
            "user.scheduled_sends.create",
            "user.scheduled_sends.read",
        ]
    )
    domains: list[dict[str, Any]] = field(default_factory=list)
    senders: list[dict[str, Any]] | None = None

    def handles(self, path: str) -> bool:
        """Return whether ``path`` is one of these endpoints."""
        return urlsplit(path).path in _PATHS

    def respond(self, path: str) -> StatusAndJson:
        """Return status and JSON for one GET."""
        parts = urlsplit(path)
        name = _PATHS[parts.path]
        value = getattr(self, name)
        scope = _SCOPES.get(name)
        if value is None or (scope and scope not in self.scopes):
            return _error_response(HTTPStatus.FORBIDDEN, "access forbidden", None)
        for parameter in parse_qs(parts.query, keep_blank_values=True).keys() - _QUERIES[name]:
            message = f"invalid parameter {parameter}"
            return _error_response(HTTPStatus.BAD_REQUEST, message, parameter)
        return HTTPStatus.OK, {
            "scopes": {"scopes": value},
            "domains": value,
            "senders": {"results": value},
        }[name]


class ScheduledSends:
    """The account's batch ids and their statuses.

    Attributes:
        batch_ids: every batch id that was created.
        statuses: batch id -> ``cancel`` or ``pause``.
    """

    def __init__(self) -> None:
        self.batch_ids: list[str] = []
        self.statuses: dict[str, str] = {}

    def handles(self, path: str) -> bool:
        """Return whether ``path`` is one of these endpoints."""
        return path in {BATCH_PATH, SCHEDULED_SENDS_PATH} or path.startswith(
            f"{SCHEDULED_SENDS_PATH}/"
        )

    def respond(self, method: str, path: str, body: bytes) -> StatusAndJson:
        """Return status and JSON for one request."""
        if (method, path) == ("POST", BATCH_PATH):
            self.batch_ids.append(f"double-batch-{len(self.batch_ids) + 1:04d}")
            return HTTPStatus.CREATED, {"batch_id": self.batch_ids[-1]}
        if (method, path) == ("POST", SCHEDULED_SENDS_PATH):
            return self._set_status(body)
        batch_id = path.removeprefix(SCHEDULED_SENDS_PATH).strip("/")
        if method == "GET":
            return HTTPStatus.OK, [
                {"batch_id": name, "status": status}
                for name, status in self.statuses.items()
                if batch_id in {"", name}
            ]
        return _error_response(HTTPStatus.METHOD_NOT_ALLOWED, "method not allowed", None)

    def _set_status(self, body: bytes) -> StatusAndJson:
        try:
            data = json.loads(body)
            batch_id, status = data["batch_id"], data["status"]
        except (ValueError, KeyError, TypeError):
            return _error_response(HTTPStatus.BAD_REQUEST, "batch_id and status are required", None)
        if batch_id not in self.batch_ids:
            return _error_response(HTTPStatus.BAD_REQUEST, "invalid batch id", "batch_id")
        if status not in {"cancel", "pause"}:
            return _error_response(
                HTTPStatus.BAD_REQUEST, "status must be pause or cancel", "status"
            )
        if batch_id in self.statuses:
            return _error_response(
                HTTPStatus.BAD_REQUEST, "a status for this batch id exists", "batch_id"
            )
        if len(self.statuses) >= MAX_CANCELLED:
            message = f"at most {MAX_CANCELLED} batches may be cancelled or paused at once"
            return _error_response(HTTPStatus.BAD_REQUEST, message, None)
        self.statuses[batch_id] = status
        return HTTPStatus.CREATED, {"batch_id": batch_id, "status": status}


@dataclass
class SuppressionLists:
    """The account's suppression lists; tests fill them.

    Attributes:
        entries: kind -> entries in SendGrid's format, the newest first.
        groups: unsubscribe group -> addresses.
        requested_paths: the path and query of every request.
    """

    entries: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {kind: [] for kind in LIST_NAMES}
    )
    groups: dict[int, list[str]] = field(default_factory=dict)
    requested_paths: list[str] = field(default_factory=list)

    def add(self, kind: str, email: str, created: float, **more: str) -> None:
        """Add one address to a list."""
        self.entries[kind].insert(0, {"created": int(created), "email": email, **more})

    def handles(self, path: str) -> bool:
        """Return whether ``path`` is that of a list."""
        bare_path = urlsplit(path).path
        return bool(LIST_PATH.fullmatch(bare_path) or GROUP_PATH.fullmatch(bare_path))

    def respond(self, path: str) -> StatusAndJson:
        """Return status and JSON for one GET.

        Args:
            path: the path of a list, with its query.
        """
        self.requested_paths.append(path)
        parts = urlsplit(path)
        if match := GROUP_PATH.fullmatch(parts.path):
            addresses = self.groups.get(int(match[1]))
            if addresses is None:
                return _error_response(HTTPStatus.NOT_FOUND, "group not found", None)
            return HTTPStatus.OK, addresses
        kind = parts.path.rpartition("/")[2]
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        for name, value in query.items():
            if name not in QUERY_PARAMETERS or not value.isdecimal():
                return _error_response(HTTPStatus.BAD_REQUEST, f"invalid {name}", name)
        numbers = {name: int(value) for name, value in query.items()}
        if not 1 <= numbers.get("limit", MAX_LIMIT) <= MAX_LIMIT:
            return _error_response(
                HTTPStatus.BAD_REQUEST, f"limit must be at most {MAX_LIMIT}", "limit"
            )
        return HTTPStatus.OK, self._page(kind, numbers)

    def _page(self, kind: str, query: dict[str, int]) -> list[dict[str, Any]]:
        since, until = query.get("start_time", 0), query.get("end_time", 1 << 62)
        entries = [entry for entry in self.entries[kind] if since <= entry["created"] <= until]
        start = query.get("offset", 0)
        return entries[start : start + query.get("limit", MAX_LIMIT)]


def _error_response(status: int, message: str, field_path: str | None) -> StatusAndJson:
    return status, {"errors": [ApiErrorEntry(message, field_path).as_json()]}
