"""Log what the fake SendGrid accepted; compare it with the ledger.

On disk, so that memory use doesn't grow with the number of recipients.
"""

import datetime
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from newsletter.events.parse import Event, parse_event
from newsletter.private_files import create_private_file
from newsletter.sending.rehearsal.fake_sendgrid.schema import MailSend

CREATE_TABLE = (
    "CREATE TABLE delivery"
    " (recipient INTEGER, address TEXT, send INTEGER, batch INTEGER, attempt INTEGER)"
)
COMPARE_QUERY = """
SELECT state, times, count(*) FROM (
    SELECT state, (SELECT count(*) FROM delivery WHERE recipient = subscriber_id) AS times
    FROM ledger.send_recipient WHERE send_id = ?
) GROUP BY state, times
"""
UNEXPECTED_RECIPIENTS_QUERY = """
SELECT count(*) FROM delivery WHERE NOT EXISTS (
    SELECT 1 FROM ledger.send_recipient
    WHERE send_id = ? AND subscriber_id = recipient
)
"""


class DeliveryLog:
    """Every recipient of every request that was accepted; a context manager.

    Threads may share it.

    Args:
        file: a path that does not exist yet.
    """

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        create_private_file(file).close()
        self._connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        # Durability is not needed: a crash ends the rehearsal anyway.
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute(CREATE_TABLE)
        self.recipient_count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def add_request(self, mail_send: MailSend) -> None:
        """Insert the recipients of a request."""
        rows = [
            (args["nl_subscriber"], mailbox.email, args["nl_send"], args["nl_batch"],
             args["nl_attempt"])
            for personalization in mail_send.personalizations
            for args in ({**mail_send.custom_args, **personalization.custom_args},)
            for mailbox in personalization.all_recipients
        ]  # fmt: skip
        with self._lock:
            self._connection.execute("BEGIN")
            self._connection.executemany("INSERT INTO delivery VALUES (?, ?, ?, ?, ?)", rows)
            self._connection.execute("COMMIT")
            self.recipient_count += len(rows)

    def iter_events(self, timestamp: datetime.datetime) -> Iterator[Event]:
        """Yield the events that SendGrid would report: one per request proves all of it."""
        query = (
            "SELECT min(address), send, batch, attempt FROM delivery GROUP BY send, batch, attempt"
        )
        with self._lock:
            rows = self._connection.execute(query).fetchall()
        for address, send, batch, attempt in rows:
            yield parse_event(
                {
                    "sg_event_id": f"rehearsal-{batch}-{attempt}",
                    "event": "processed",
                    "timestamp": int(timestamp.timestamp()),
                    "email": address,
                    "nl_send": send,
                    "nl_batch": batch,
                    "nl_attempt": attempt,
                }
            )

    def compare_with_ledger(
        self, ledger_file: Path, send_id: int
    ) -> tuple[Counter[tuple[str, int]], int]:
        """Compare the accepted requests with the ledger.

        Args:
            ledger_file: the ledger's SQLite file.
            send_id: the send's id.

        Returns:
            (State in the ledger, times accepted) -> recipients; and how many copies were accepted
            for anybody else.
        """
        with self._lock:
            self._connection.execute(
                "CREATE INDEX IF NOT EXISTS delivery_recipient ON delivery (recipient)"
            )
            self._connection.execute("ATTACH ? AS ledger", (str(ledger_file),))
            try:
                with closing(self._connection.cursor()) as cursor:
                    rows = cursor.execute(COMPARE_QUERY, (send_id,)).fetchall()
                    (unexpected_copies,) = cursor.execute(
                        UNEXPECTED_RECIPIENTS_QUERY, (send_id,)
                    ).fetchone()
            finally:
                self._connection.execute("DETACH ledger")
        return Counter({(state, times): count for state, times, count in rows}), unexpected_copies
