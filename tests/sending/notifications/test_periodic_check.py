"""Sends without events, and stopped ones that no sender has told of, are told once."""

import datetime
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from notify_recorder import NotifyRecorder
from sending_fixtures import FakeObserver, configured

from newsletter.db.identity import COPIED_KEY
from newsletter.db.schema import event, send, send_recipient, setting
from newsletter.project import Project
from newsletter.sending.ledger.copied_database import adopt
from newsletter.sending.ledger.record import Ledger, Send
from newsletter.sending.notifications.notifier import Notifier
from newsletter.sending.notifications.periodic_check import notify_overdue

Check = Callable[..., list[str]]
HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)


@pytest.fixture
def check(ledger: Ledger, recorder: NotifyRecorder, tmp_path: Path) -> Check:
    """Run the check; return the kinds that were told until now."""

    def run(*, sendgrid: dict[str, Any] | None = None, **settings: Any) -> list[str]:
        sendgrid = {"webhook_unsigned": True} if sendgrid is None else sendgrid
        config = configured(notify={"command": recorder.command, **settings}, sendgrid=sendgrid)
        failures: list[str] = []
        notify_overdue(Notifier(Project(tmp_path, config), ledger, failures.append))
        assert failures == []
        return recorder.kinds

    return run


def finish(ledger: Ledger, at: datetime.datetime, **values: Any) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(sa.update(send).values(state="done", finished_at=at, **values))
        connection.execute(sa.update(send_recipient).values(state="accepted"))


def test_send_without_events_is_told_once_after_its_hours(
    ledger: Ledger, frozen: Send, check: Check, observer: FakeObserver, recorder: NotifyRecorder
) -> None:
    finish(ledger, observer.now - 6 * HOUR + HOUR / 60)
    assert check() == []
    observer.now += HOUR / 60
    assert check(no_events_after=0) == []
    assert check(on=["blocked", "started"]) == []
    with ledger.engine.begin() as connection:
        connection.execute(sa.delete(setting))  # what isn't wanted counts as told
    assert check() == ["no_events"]
    assert check() == ["no_events"]
    [call] = recorder.calls
    assert call.data["issue"] == frozen.issue
    assert "in the 6 hours since" in call.data["text"]
    assert call.data["readers"] == {"accepted": 3}


@pytest.mark.usefixtures("frozen")
def test_one_of_many_processes_tells_it(ledger: Ledger, check: Check) -> None:
    finish(ledger, ledger.clock(None) - 7 * HOUR)  # type: ignore[arg-type]
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(check) for _ in range(4)]
    assert [future.exception() for future in futures] == [None] * 4
    assert check() == ["no_events"]


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize("sendgrid", [{}, {"webhook_unsigned": True, "sandbox": True}])
def test_no_events_are_expected_without_a_webhook(
    ledger: Ledger, check: Check, observer: FakeObserver, sendgrid: dict[str, Any]
) -> None:
    finish(ledger, observer.now - 7 * HOUR)
    assert check(sendgrid=sendgrid) == []


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize(
    ("age", "changes"),
    [
        (7 * DAY, {}),  # old
        (7 * HOUR, {"scheduled_at": -HOUR, "provider_batch_id": "b"}),  # held until an hour ago
        (7 * HOUR, {"recalled_at": -HOUR}),
    ],
)
def test_old_held_and_recalled_sends_are_not_told(
    ledger: Ledger,
    check: Check,
    observer: FakeObserver,
    age: datetime.timedelta,
    changes: dict[str, Any],
) -> None:
    times = {
        name: observer.now + value if isinstance(value, datetime.timedelta) else value
        for name, value in changes.items()
    }
    finish(ledger, observer.now - age, **times)
    assert check() == []


@pytest.mark.parametrize(("offset", "kinds"), [(0, []), (1, ["no_events"])])
def test_an_event_of_the_send_is_enough(
    *,
    ledger: Ledger,
    frozen: Send,
    check: Check,
    observer: FakeObserver,
    offset: int,
    kinds: list[str],
) -> None:
    finish(ledger, observer.now - 7 * HOUR)
    values = {
        "sg_event_id": "e",
        "type": "processed",
        "at": observer.now,
        "raw": {},
        "send_id": frozen.id + offset,
    }
    with ledger.engine.begin() as connection:
        connection.execute(sa.insert(event).values(values))
    assert check() == kinds


@pytest.mark.usefixtures("frozen")
def test_nobody_accepted_means_no_events(
    ledger: Ledger, check: Check, observer: FakeObserver
) -> None:
    finish(ledger, observer.now - 7 * HOUR)
    with ledger.engine.begin() as connection:
        connection.execute(sa.update(send_recipient).values(state="rejected", error="why"))
    assert check() == []


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize(
    ("state", "kind"),
    [("paused", "needs_decision"), ("blocked", "blocked"), ("needs_review", "needs_decision")],
)
def test_stopped_scheduled_send_is_told_once(
    ledger: Ledger, check: Check, observer: FakeObserver, state: str, kind: str
) -> None:
    with ledger.engine.begin() as connection:
        values = {"state": state, "reason": "11 bounced", "scheduled_at": observer.now - HOUR}
        connection.execute(sa.update(send).values(values))
    assert check() == [kind]
    assert check() == [kind]


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize(
    ("state", "age", "batch_id"),
    [
        ("running", HOUR, ""), ("frozen", HOUR, ""), ("cancelled", HOUR, ""), ("done", HOUR, ""),
        ("paused", 8 * DAY, ""), ("paused", HOUR, "held"), ("paused", None, ""),
    ],
)  # fmt: skip
def test_other_sends_are_not_told(
    ledger: Ledger,
    check: Check,
    observer: FakeObserver,
    *,
    state: str,
    age: datetime.timedelta | None,
    batch_id: str,
) -> None:
    scheduled_at = observer.now - age if age else None
    with ledger.engine.begin() as connection:
        values = {"state": state, "scheduled_at": scheduled_at, "provider_batch_id": batch_id}
        connection.execute(sa.update(send).values(values))
    assert check() == []


@pytest.mark.usefixtures("frozen")
def test_without_the_setting_nothing_is_recorded(
    ledger: Ledger, observer: FakeObserver, tmp_path: Path
) -> None:
    finish(ledger, observer.now - 7 * HOUR)
    config = configured(sendgrid={"webhook_unsigned": True})
    notify_overdue(Notifier(Project(tmp_path, config), ledger, pytest.fail))
    with ledger.engine.connect() as connection:
        keys = connection.scalars(sa.select(setting.c.key)).all()
    assert [key for key in keys if key.startswith("notified.")] == []


def test_failure_of_the_check_is_reported_not_raised(ledger: Ledger, tmp_path: Path) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE send RENAME TO other"))
    config = configured(notify={"command": "true"})
    failures: list[str] = []
    notify_overdue(Notifier(Project(tmp_path, config), ledger, failures.append))
    assert len(failures) == 1
    assert failures[0].startswith("The sends could not be checked for notifications: ")


@pytest.mark.usefixtures("frozen")
def test_copy_of_the_database_expects_no_events(
    ledger: Ledger, check: Check, observer: FakeObserver
) -> None:
    finish(ledger, observer.now - 7 * HOUR)
    with ledger.engine.begin() as connection:
        row = {"key": COPIED_KEY, "value": '{"as_of": null}'}
        connection.execute(sa.insert(setting).values(row))
    assert check() == []
    adopt(ledger.engine)
    assert check() == ["no_events"]
