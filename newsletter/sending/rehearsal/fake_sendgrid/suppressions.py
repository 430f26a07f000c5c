"""What the double knows of suppressed addresses, and how the vendor hands it out, page by page.

After Twilio SendGrid's documentation of v3 "Suppressions" and "Suppressions - Suppressions".
"""

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from newsletter.sending.rehearsal.fake_sendgrid.validation import Complaint

MOST = 500
KINDS = ("bounces", "blocks", "invalid_emails", "spam_reports", "unsubscribes")
QUERY = frozenset({"limit", "offset", "start_time", "end_time"})
LIST = re.compile(rf"/v3/suppression/({'|'.join(KINDS)})")
GROUP = re.compile(r"/v3/asm/groups/(\d+)/suppressions")


@dataclass
class SuppressionLists:
    """The account's lists; fill them at will.

    Attributes:
        entries: kind -> entries as the vendor writes them, the newest first.
        groups: unsubscribe group -> addresses.
        asked: the path and query of every request.
    """

    entries: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {kind: [] for kind in KINDS}
    )
    groups: dict[int, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def add(self, kind: str, email: str, created: float, **more: str) -> None:
        """Put one address into a list."""
        self.entries[kind].insert(0, {"created": int(created), "email": email, **more})

    def knows(self, path: str) -> bool:
        """Whether ``path`` is one of a list."""
        bare = urlsplit(path).path
        return bool(LIST.fullmatch(bare) or GROUP.fullmatch(bare))

    def answer(self, path: str) -> tuple[int, bytes]:
        """The status and body that a request deserves.

        Args:
            path: of a list, with the query.
        """
        self.asked.append(path)
        parts = urlsplit(path)
        if found := GROUP.fullmatch(parts.path):
            addresses = self.groups.get(int(found[1]))
            if addresses is None:
                return _refused(HTTPStatus.NOT_FOUND, "group not found", None)
            return HTTPStatus.OK, orjson.dumps(addresses)
        kind = parts.path.rpartition("/")[2]
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        for name, value in query.items():
            if name not in QUERY or not value.isdecimal():
                return _refused(HTTPStatus.BAD_REQUEST, f"invalid {name}", name)
        numbers = {name: int(value) for name, value in query.items()}
        if not 1 <= numbers.get("limit", MOST) <= MOST:
            return _refused(HTTPStatus.BAD_REQUEST, f"limit must be at most {MOST}", "limit")
        return HTTPStatus.OK, orjson.dumps(self._page(kind, numbers))

    def _page(self, kind: str, query: dict[str, int]) -> list[dict[str, Any]]:
        since, until = query.get("start_time", 0), query.get("end_time", 1 << 62)
        within = [entry for entry in self.entries[kind] if since <= entry["created"] <= until]
        start = query.get("offset", 0)
        return within[start : start + query.get("limit", MOST)]


def _refused(status: int, message: str, where: str | None) -> tuple[int, bytes]:
    return status, orjson.dumps({"errors": [Complaint(message, where).as_json()]})
