"""How the double keeps scheduled mail: names for batches, and taking them back.

After Twilio SendGrid's documentation of v3 "Mail Batch" and "Cancel Scheduled Sends".
"""

import json
from http import HTTPStatus

from newsletter.sending.rehearsal.fake_sendgrid.validation import Complaint

BATCH = "/v3/mail/batch"
SENDS = "/v3/user/scheduled_sends"
# Newer documentation says 10, older 100.
MOST_CANCELLED = 10

Answer = tuple[int, object]


class ScheduledSends:
    """The account's batch ids and what was said of them.

    Attributes:
        made: every batch id that was handed out.
        statuses: batch id -> ``cancel`` or ``pause``.
    """

    def __init__(self) -> None:
        self.made: list[str] = []
        self.statuses: dict[str, str] = {}

    def knows(self, path: str) -> bool:
        """Whether ``path`` is one of these endpoints."""
        return path in {BATCH, SENDS} or path.startswith(f"{SENDS}/")

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Status and JSON for one request."""
        if (method, path) == ("POST", BATCH):
            self.made.append(f"double-batch-{len(self.made) + 1:04d}")
            return HTTPStatus.CREATED, {"batch_id": self.made[-1]}
        if (method, path) == ("POST", SENDS):
            return self._mark(body)
        batch_id = path.removeprefix(SENDS).strip("/")
        if method == "GET":
            return HTTPStatus.OK, [
                {"batch_id": name, "status": status}
                for name, status in self.statuses.items()
                if batch_id in {"", name}
            ]
        return _refused(HTTPStatus.METHOD_NOT_ALLOWED, "method not allowed", None)

    def _mark(self, body: bytes) -> Answer:
        try:
            asked = json.loads(body)
            batch_id, status = asked["batch_id"], asked["status"]
        except (ValueError, KeyError, TypeError):
            return _refused(HTTPStatus.BAD_REQUEST, "batch_id and status are required", None)
        if batch_id not in self.made:
            return _refused(HTTPStatus.BAD_REQUEST, "invalid batch id", "batch_id")
        if status not in {"cancel", "pause"}:
            return _refused(HTTPStatus.BAD_REQUEST, "status must be pause or cancel", "status")
        if batch_id in self.statuses:
            return _refused(HTTPStatus.BAD_REQUEST, "a status for this batch id exists", "batch_id")
        if len(self.statuses) >= MOST_CANCELLED:
            words = f"at most {MOST_CANCELLED} batches may be cancelled or paused at once"
            return _refused(HTTPStatus.BAD_REQUEST, words, None)
        self.statuses[batch_id] = status
        return HTTPStatus.CREATED, {"batch_id": batch_id, "status": status}


def _refused(status: int, message: str, where: str | None) -> Answer:
    return status, {"errors": [Complaint(message, where).as_json()]}
