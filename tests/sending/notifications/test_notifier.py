"""The start and the end of a run are told once, and a database that fails is told, too."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from notify_recorder import NotifyRecorder
from sending_fixtures import configured

from newsletter.config.notify import NOTIFICATION_KINDS
from newsletter.db.schema import send
from newsletter.project import Project
from newsletter.sending.ledger.record import Ledger, Send
from newsletter.sending.notifications.notification import SendFacts
from newsletter.sending.notifications.notifier import Notifier

SetState = Callable[[str], None]


@pytest.fixture
def failures() -> list[str]:
    return []


@pytest.fixture
def notifier(
    ledger: Ledger,
    recorder: NotifyRecorder,
    tmp_path: Path,
    failures: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Notifier:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    config = configured(notify={"command": recorder.command})
    return Notifier(Project(tmp_path, config), ledger, failures.append)


@pytest.fixture
def set_state(ledger: Ledger) -> SetState:
    def update(state: str) -> None:
        with ledger.engine.begin() as connection:
            connection.execute(sa.update(send).values(state=state))

    return update


def test_two_senders_of_one_send_tell_its_start_and_end_once(
    notifier: Notifier, frozen: Send, set_state: SetState, recorder: NotifyRecorder
) -> None:
    notifier.notify_start(frozen)
    notifier.notify_start(frozen)
    notifier.wait()
    assert recorder.kinds == ["started"]
    set_state("done")
    notifier.notify_end(frozen, NOTIFICATION_KINDS)
    notifier.notify_start(frozen)  # of a sender that found it frozen a moment ago
    notifier.notify_end(frozen, NOTIFICATION_KINDS)
    assert recorder.kinds == ["started", "finished"]


def test_start_is_not_told_of_a_send_that_ends_at_the_same_moment(
    notifier: Notifier, frozen: Send, set_state: SetState, recorder: NotifyRecorder
) -> None:
    class OvertakenNotifier(Notifier):
        def load_facts(self, send: Send, *, remedy: str = "", error: str = "") -> SendFacts:
            facts = super().load_facts(send, remedy=remedy, error=error)
            set_state("done")
            notifier.notify_end(frozen, NOTIFICATION_KINDS)
            return facts

    overtaken = OvertakenNotifier(notifier.project, notifier.ledger, notifier.on_failure)
    overtaken.notify_start(frozen)
    overtaken.notify_end(frozen, NOTIFICATION_KINDS)
    assert recorder.kinds == ["finished"]


def test_each_block_of_a_send_is_told(
    notifier: Notifier, frozen: Send, set_state: SetState, recorder: NotifyRecorder
) -> None:
    for _ in range(2):
        set_state("running")
        notifier.notify_start(frozen, is_notified=False)
        set_state("blocked")
        notifier.notify_end(frozen, NOTIFICATION_KINDS)
    assert recorder.kinds == ["blocked", "blocked"]


def test_what_is_not_told_is_recorded(
    notifier: Notifier, frozen: Send, set_state: SetState, recorder: NotifyRecorder
) -> None:
    set_state("blocked")
    notifier.notify_end(frozen, ())
    notifier.notify_end(frozen, NOTIFICATION_KINDS)
    assert recorder.kinds == []


def test_send_that_was_cancelled_and_planned_again_is_told_again(
    notifier: Notifier, frozen: Send, set_state: SetState, recorder: NotifyRecorder
) -> None:
    notifier.notify_start(frozen)
    set_state("cancelled")
    notifier.notify_end(frozen, NOTIFICATION_KINDS)
    set_state("frozen")
    notifier.notify_start(frozen)
    notifier.wait()
    assert recorder.kinds == ["started", "started"]


def test_end_by_an_unavailable_database_is_told_without_it(
    notifier: Notifier, frozen: Send, recorder: NotifyRecorder, failures: list[str]
) -> None:
    with notifier.ledger.engine.begin() as connection:
        for table in ("send", "setting"):
            connection.execute(sa.text(f"ALTER TABLE {table} RENAME TO lost_{table}"))
    notifier.notify_start(frozen)
    assert len(failures) == 1
    assert failures[0].startswith("The editor could not be notified that a send has started: ")
    notifier.notify_end(frozen, NOTIFICATION_KINDS, error="the database is gone")
    assert recorder.kinds == ["blocked"]
    assert "the database is gone" in recorder.calls[0].data["text"]
    # newsletter serve tries again every few seconds.
    notifier.notify_end(frozen, NOTIFICATION_KINDS, error="the database is gone")
    assert recorder.kinds == ["blocked"]


def test_send_does_not_wait_for_the_notification_of_its_start(
    ledger: Ledger, frozen: Send, set_state: SetState, tmp_path: Path, failures: list[str]
) -> None:
    # The command ends only after the send has gone on, or is killed.
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    code = f"open({str(ready)!r}).read(); raise SystemExit(3)"
    config = configured(notify={"command": [sys.executable, "-c", code], "on": "started"})
    notifier = Notifier(Project(tmp_path, config), ledger, failures.append)
    notifier.notify_start(frozen)
    assert failures == []
    ready.write_text("")
    set_state("done")
    notifier.notify_end(frozen, NOTIFICATION_KINDS)
    [failure] = failures
    assert "by notify.command: " in failure
    assert failure.endswith("failed with exit code 3")


def test_notification_of_a_start_that_hangs_is_left(
    ledger: Ledger, frozen: Send, tmp_path: Path, failures: list[str]
) -> None:
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    config = configured(notify={"command": ["cat", str(ready)]})
    notifier = Notifier(Project(tmp_path, config), ledger, failures.append)
    notifier.notify_start(frozen)
    [(thread, _)] = notifier.running
    notifier.wait(timeout=0.0)
    assert failures == ["The notification that a send has started took too long."]
    assert notifier.running == []
    ready.write_text("")
    thread.join(60)
    assert not thread.is_alive()
