"""What the vendor's side has taken, on disk: the evidence of a rehearsal, in flat memory."""

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
from newsletter.sending.rehearsal.fake_sendgrid.schema import MailSend

CREATE_TABLE = (
    "CREATE TABLE taken (reader INTEGER, address TEXT, send INTEGER, batch INTEGER, n INTEGER)"
)


class DeliveryLog:
    """Every reader of every request that was taken; use it as a context manager.

    Threads may share it.

    Args:
        file: that does not exist yet.
    """

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        # What a crash would lose dies with the rehearsal anyway.
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
        """Remember a request's readers."""
        rows = [
            (args["nl_subscriber"], person.email, args["nl_send"], args["nl_batch"],
             args["nl_attempt"])
            for one in mail_send.personalizations
            for args in ({**mail_send.custom_args, **one.custom_args},)
            for person in one.all_recipients
        ]  # fmt: skip
        with self._lock:
            self._connection.execute("BEGIN")
            self._connection.executemany("INSERT INTO taken VALUES (?, ?, ?, ?, ?)", rows)
            self._connection.execute("COMMIT")
            self.recipient_count += len(rows)

    def iter_events(self, timestamp: datetime.datetime) -> Iterator[Event]:
        """What SendGrid would report of it: one event a request, which proves it all."""
        query = "SELECT min(address), send, batch, n FROM taken GROUP BY send, batch, n"
        with self._lock:
            rows = self._connection.execute(query).fetchall()
        for address, send, batch, n in rows:
            yield parse_event(
                {
                    "sg_event_id": f"rehearsal-{batch}-{n}",
                    "event": "processed",
                    "timestamp": int(timestamp.timestamp()),
                    "email": address,
                    "nl_send": send,
                    "nl_batch": batch,
                    "nl_attempt": n,
                }
            )

    def compare_with_ledger(
        self, ledger_file: Path, send_id: int
    ) -> tuple[Counter[tuple[str, int]], int]:
        """Lay it beside the ledger.

        Args:
            ledger_file: its SQLite file.
            send_id: the send's id.

        Returns:
            (State in the ledger, times taken) -> readers; and how many copies went to others
            than the send's readers.
        """
        with self._lock:
            self._connection.execute("CREATE INDEX IF NOT EXISTS taken_reader ON taken (reader)")
            self._connection.execute("ATTACH ? AS ledger", (str(ledger_file),))
            try:
                with closing(self._connection.cursor()) as cursor:
                    counted = cursor.execute(COMPARE_QUERY, (send_id,)).fetchall()
                    (strangers,) = cursor.execute(
                        UNEXPECTED_RECIPIENTS_QUERY, (send_id,)
                    ).fetchone()
            finally:
                self._connection.execute("DETACH ledger")
        return Counter({(state, times): count for state, times, count in counted}), strangers


COMPARE_QUERY = """
SELECT state, times, count(*) FROM (
    SELECT state, (SELECT count(*) FROM taken WHERE reader = subscriber_id) AS times
    FROM ledger.send_recipient WHERE send_id = ?
) GROUP BY state, times
"""
UNEXPECTED_RECIPIENTS_QUERY = """
SELECT count(*) FROM taken WHERE NOT EXISTS (
    SELECT 1 FROM ledger.send_recipient
    WHERE send_id = ? AND subscriber_id = reader
)
"""
