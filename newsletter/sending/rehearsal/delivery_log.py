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

from newsletter.events.parse import Event, as_event
from newsletter.sending.rehearsal.fake_sendgrid.schema import MailSend

TAKEN = "CREATE TABLE taken (reader INTEGER, address TEXT, send INTEGER, batch INTEGER, n INTEGER)"


class Witness:
    """Every reader of every request that was taken; use it as a context manager.

    Threads may share it.

    Args:
        file: that does not exist yet.
    """

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._known = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        # What a crash would lose dies with the rehearsal anyway.
        self._known.execute("PRAGMA synchronous = OFF")
        self._known.execute(TAKEN)
        self.taken = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._known.close()

    def take(self, mail: MailSend) -> None:
        """Remember a request's readers."""
        rows = [
            (args["nl_subscriber"], person.email, args["nl_send"], args["nl_batch"],
             args["nl_attempt"])
            for one in mail.personalizations
            for args in ({**mail.custom_args, **one.custom_args},)
            for person in one.everyone
        ]  # fmt: skip
        with self._lock:
            self._known.execute("BEGIN")
            self._known.executemany("INSERT INTO taken VALUES (?, ?, ?, ?, ?)", rows)
            self._known.execute("COMMIT")
            self.taken += len(rows)

    def events(self, at: datetime.datetime) -> Iterator[Event]:
        """What SendGrid would report of it: one event a request, which proves it all."""
        query = "SELECT min(address), send, batch, n FROM taken GROUP BY send, batch, n"
        with self._lock:
            rows = self._known.execute(query).fetchall()
        for address, send, batch, n in rows:
            yield as_event(
                {
                    "sg_event_id": f"rehearsal-{batch}-{n}",
                    "event": "processed",
                    "timestamp": int(at.timestamp()),
                    "email": address,
                    "nl_send": send,
                    "nl_batch": batch,
                    "nl_attempt": n,
                }
            )

    def compare(self, ledger: Path, send: int) -> tuple[Counter[tuple[str, int]], int]:
        """Lay it beside the ledger.

        Args:
            ledger: its SQLite file.
            send: the send's id.

        Returns:
            (State in the ledger, times taken) -> readers; and how many copies went to others
            than the send's readers.
        """
        with self._lock:
            self._known.execute("CREATE INDEX IF NOT EXISTS taken_reader ON taken (reader)")
            self._known.execute("ATTACH ? AS ledger", (str(ledger),))
            try:
                with closing(self._known.cursor()) as cursor:
                    counted = cursor.execute(COMPARED, (send,)).fetchall()
                    (strangers,) = cursor.execute(STRANGERS, (send,)).fetchone()
            finally:
                self._known.execute("DETACH ledger")
        return Counter({(state, times): count for state, times, count in counted}), strangers


COMPARED = """
SELECT state, times, count(*) FROM (
    SELECT state, (SELECT count(*) FROM taken WHERE reader = subscriber_id) AS times
    FROM ledger.send_recipient WHERE send_id = ?
) GROUP BY state, times
"""
STRANGERS = """
SELECT count(*) FROM taken WHERE NOT EXISTS (
    SELECT 1 FROM ledger.send_recipient
    WHERE send_id = ? AND subscriber_id = reader
)
"""
