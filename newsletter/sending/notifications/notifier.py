"""Notify the editor about a send, once, whatever goes wrong with it."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa

from newsletter.config.notify import NotificationKind
from newsletter.db import read_transaction
from newsletter.errors import NewsletterError
from newsletter.project import Project
from newsletter.render.personalization import get_default_subject
from newsletter.sending.ledger.notification_claims import claim_run_notification
from newsletter.sending.ledger.recipient_status import count_rejection_reasons
from newsletter.sending.ledger.record import Ledger, Send, lock_state
from newsletter.sending.ledger.status import get_send_status
from newsletter.sending.notifications.channels import send_notification
from newsletter.sending.notifications.local_claim import claim_locally
from newsletter.sending.notifications.notification import (
    Notification,
    SendFacts,
    choose_kind,
    clean_line,
    describe_send,
)
from newsletter.sending.planning.frozen_content import load_frozen_email
from newsletter.sending.planning.preflight import FINAL_STATES
from newsletter.sending.providers.provider import Outcome

MAX_REFUSALS_SHOWN = 3
# How long the end of a send waits for the notification of its start.
MAX_WAIT_SECONDS = 60.0
_DATABASE_ERRORS = (NewsletterError, sa.exc.SQLAlchemyError)


@dataclass(frozen=True, slots=True)
class Notifier:
    """Notifies the editor about sends, as newsletter.yml says.

    Nothing that fails here is raised: no send may fail because of its notification.

    Attributes:
        project: the editor's folder.
        ledger: the ledger.
        on_failure: called with a sentence if the editor could not be notified.
        running: the threads that notify while the send goes on, with what has failed in them.
    """

    project: Project
    ledger: Ledger
    on_failure: Callable[[str], None]
    running: list[tuple[threading.Thread, list[str]]] = field(default_factory=list)

    def notify_start(self, send: Send, *, is_notified: bool = True) -> None:
        """Notify that the run of a send starts; without ``is_notified``, only record it.

        The send doesn't wait for it; ``wait`` does.
        """
        with self._report_errors("started"):
            if not self.project.config.notify.is_set:
                return
            facts = self.load_facts(send)
            with self.ledger.engine.begin() as connection:
                # Another process may have sent it meanwhile.
                is_over = lock_state(connection, send.id) in FINAL_STATES
                is_new = not is_over and claim_run_notification(connection, send.id, "started")
            if is_new and is_notified:
                self._send_in_background(describe_send("started", facts))

    def wait(self, timeout: float = MAX_WAIT_SECONDS) -> None:
        """Wait for the notification of the start, but not for ever; report its failures."""
        while self.running:
            thread, failures = self.running.pop()
            thread.join(timeout)
            if thread.is_alive():
                failures = ["The notification that a send has started took too long."]
            for failure in failures:
                self.on_failure(failure)

    def notify_end(
        self,
        send: Send,
        notified_kinds: tuple[NotificationKind, ...],
        *,
        outcome: Outcome | None = None,
        error: str = "",
    ) -> None:
        """Notify how the run of a send has ended.

        Args:
            send: the send.
            notified_kinds: the kinds that are notified; the others are only recorded.
            outcome: the outcome that stopped it, if one did.
            error: the error that ended it, if one did.
        """
        self.wait()
        with self._report_errors("ended"):
            if not self.project.config.notify.is_set:
                return
            facts = self.load_facts(send, remedy=outcome.remedy if outcome else "", error=error)
            kind = choose_kind(facts)
            is_new = self._claim(send, kind or facts.send.state, if_unavailable=bool(error))
            if is_new and kind in notified_kinds:
                self.notify(describe_send(kind, facts))

    def notify(self, notification: Notification) -> None:
        """Send a notification if newsletter.yml wants its kind; report failures."""
        for failure in self._send(notification):
            self.on_failure(failure)

    def _send(self, notification: Notification) -> list[str]:
        """Send a notification if newsletter.yml wants its kind; return what failed."""
        if notification.kind not in self.project.config.notify.on:
            return []
        return [
            f"The editor could not be notified {channel}: {failure}"
            for channel, failure in send_notification(self.project, notification, os.environ)
            if failure
        ]

    def _send_in_background(self, notification: Notification) -> None:
        failures: list[str] = []
        thread = threading.Thread(
            target=lambda: failures.extend(self._send(notification)),
            name="notification",
            daemon=True,
        )
        thread.start()
        self.running.append((thread, failures))

    def load_facts(self, send: Send, *, remedy: str = "", error: str = "") -> SendFacts:
        """Return what is known of a send.

        Raises:
            DatabaseError: the database can't be read.
        """
        name = self.project.config.name
        try:
            status = get_send_status(self.ledger, send)
        except _DATABASE_ERRORS:
            if not error:
                raise
            # The error is that of the database: the editor must know all the same.
            return SendFacts(name, send, "", {}, error=error)
        try:
            email = load_frozen_email(self.ledger, send)
            title = get_default_subject(email, self.project.config)
        except NewsletterError:
            title = ""
        refusals: tuple[str, ...] = ()
        if status.recipients_by_state.get("rejected"):
            with read_transaction(self.ledger.engine) as connection:
                reasons = count_rejection_reasons(connection, send)
            refusals = tuple(reason for reason, _ in reasons[:MAX_REFUSALS_SHOWN])
        by_state = status.recipients_by_state
        return SendFacts(name, status.send, title, by_state, refusals, error, remedy)

    @contextmanager
    def _report_errors(self, event: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a send must not fail because of it
            reason = clean_line(str(error))
            self.on_failure(f"The editor could not be notified that a send has {event}: {reason}")

    def _claim(self, send: Send, kind: str, *, if_unavailable: bool = False) -> bool:
        try:
            with self.ledger.engine.begin() as connection:
                return claim_run_notification(connection, send.id, kind)
        except _DATABASE_ERRORS:
            if not if_unavailable:
                raise
            return claim_locally(f"{self.project.root.resolve()} {send.issue} {kind}")
