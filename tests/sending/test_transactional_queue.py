"""The queue of transactional emails: at most one per window, never sent twice."""

import datetime
import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from newsletter.config import Config
from newsletter.db.schema import provider_pause, transactional_email
from newsletter.render.email import Email
from newsletter.sending.providers.provider import Outcome
from newsletter.sending.transactional_queue import (
    LEASE_DURATION,
    MAX_AGE,
    QueuedEmail,
    build_transactional_body,
    claim_email,
    enqueue_email,
    has_due_emails,
    purge_queue,
    record_email_outcome,
)
from newsletter.subscribers.address import ParsedAddress, parse_address

NOW = datetime.datetime(2026, 12, 1, 9, 0, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
ADA = parse_address("Ada@example.org")


def enqueue(
    engine: sa.Engine,
    now: datetime.datetime = NOW,
    address: ParsedAddress = ADA,
    window: datetime.timedelta | None = DAY,
    **options: Any,
) -> bool:
    with engine.begin() as connection:
        return enqueue_email(
            connection, "confirm", address, {"wording": "Yes"}, now, window, **options
        )


def claim(
    engine: sa.Engine, now: datetime.datetime = NOW, *, wanted: bool = True
) -> QueuedEmail | None:
    return claim_email(engine, now, lambda *_: wanted)


def states(engine: sa.Engine) -> list[str]:
    with engine.begin() as connection:
        return list(
            connection.scalars(
                sa.select(transactional_email.c.state).order_by(transactional_email.c.id)
            )
        )


def test_email_is_enqueued_once_per_window(engine: sa.Engine) -> None:
    assert enqueue(engine)
    assert not enqueue(engine)
    assert enqueue(engine, address=parse_address("bob@example.org"))
    assert not enqueue(engine, NOW + DAY - datetime.timedelta(seconds=1)), "not sent yet"
    assert states(engine) == ["ready", "ready"]


@given(st.lists(st.integers(0, 60 * 96), min_size=1, max_size=12).map(sorted))
def test_no_two_emails_are_sent_within_any_window(minutes: list[int]) -> None:
    engine = sa.create_engine("sqlite://")
    transactional_email.create(engine)
    provider_pause.create(engine)
    sent: list[datetime.datetime] = []
    for minute in minutes:
        now = NOW + datetime.timedelta(minutes=minute)
        enqueue(engine, now)
        # Every other email is sent late, as after a retry.
        sent_at = now + datetime.timedelta(hours=5 * (minute % 2))
        if (queued := claim(engine, sent_at)) is not None:
            sent.append(sent_at)
            record_email_outcome(engine, queued, Outcome("accepted"), sent_at)
    assert sent
    assert all(b - a >= DAY for a, b in itertools.pairwise(sent))
    engine.dispose()


def test_email_without_a_window_is_enqueued_only_once(engine: sa.Engine) -> None:
    assert enqueue(engine, window=None)
    assert not enqueue(engine, NOW + 1000 * DAY, window=None)


def test_email_that_is_not_allowed_is_not_enqueued(engine: sa.Engine) -> None:
    assert not enqueue(engine, allowed=False)
    assert states(engine) == []


def test_concurrent_requests_enqueue_one_email(engine: sa.Engine) -> None:
    with ThreadPoolExecutor(8) as threads:
        enqueued = list(threads.map(lambda _: enqueue(engine), range(16)))
    assert sum(enqueued) == 1


def test_concurrent_senders_never_claim_the_same_email(engine: sa.Engine) -> None:
    for number in range(12):
        enqueue(engine, address=parse_address(f"reader{number}@example.org"))
    with ThreadPoolExecutor(4) as threads:
        claimed = [queued for queued in threads.map(lambda _: claim(engine), range(16)) if queued]
    assert len({queued.id for queued in claimed}) == len(claimed) == 12


def test_dropped_email_does_not_use_up_its_window(engine: sa.Engine) -> None:
    enqueue(engine)
    assert claim(engine, wanted=False) is None
    assert states(engine) == ["dropped"]
    assert enqueue(engine)
    assert claim(engine) is not None


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("accepted", "accepted"),
        ("rejected", "rejected"),
        ("unknown", "unknown"),
        ("not_sent", "ready"),
        ("throttled", "ready"),
        ("blocked", "ready"),
    ],
)
def test_only_an_email_that_was_certainly_not_sent_is_retried(
    engine: sa.Engine, kind: Any, state: str
) -> None:
    enqueue(engine)
    queued = claim(engine)
    assert queued is not None
    until = NOW + datetime.timedelta(minutes=2) if kind == "throttled" else None
    record_email_outcome(engine, queued, Outcome(kind, "message", retry_at=until), NOW)
    assert states(engine) == [state]
    assert claim(engine) is None, "not at once"
    assert has_due_emails(engine, NOW) is False
    again = claim(engine, NOW + datetime.timedelta(minutes=10))
    assert (again is not None) is (state == "ready")
    assert not enqueue(engine, NOW + datetime.timedelta(minutes=10))


def test_email_claimed_by_a_dead_sender_is_never_sent_again(engine: sa.Engine) -> None:
    enqueue(engine)
    queued = claim(engine)
    later = NOW + LEASE_DURATION + datetime.timedelta(seconds=1)
    purge_queue(engine, later, retention=7 * DAY)
    assert states(engine) == ["unknown"]
    assert claim(engine, later) is None
    assert queued is not None
    record_email_outcome(engine, queued, Outcome("not_sent"), later)
    assert states(engine) == ["unknown"], "a late outcome changes nothing"


def test_stale_emails_are_dropped_and_old_ones_deleted(engine: sa.Engine) -> None:
    enqueue(engine)
    purge_queue(engine, NOW + MAX_AGE + datetime.timedelta(seconds=1), retention=7 * DAY)
    assert states(engine) == ["dropped"]
    with engine.begin() as connection:
        enqueue_email(connection, "welcome", ADA, {}, NOW, None)
    purge_queue(engine, NOW + 8 * DAY, retention=7 * DAY)
    assert states(engine) == ["dropped"], "the welcome email stays, so that it is sent only once"


def test_email_sent_late_is_kept_as_long_as_its_link_works(engine: sa.Engine) -> None:
    enqueue(engine)
    sent_at = NOW + datetime.timedelta(hours=20)
    queued = claim(engine, sent_at)
    assert queued is not None
    record_email_outcome(engine, queued, Outcome("accepted"), sent_at)
    purge_queue(engine, sent_at + 7 * DAY, retention=7 * DAY)
    assert states(engine) == ["accepted"]
    purge_queue(engine, sent_at + 7 * DAY + datetime.timedelta(seconds=1), retention=7 * DAY)
    assert states(engine) == []


def test_transactional_email_has_no_tracking_and_no_unsubscribe_group(
    email: Email, configuration: Config
) -> None:
    queued = QueuedEmail(7, "confirm", parse_address("Ada@grün.example"), {}, 1, NOW)
    request = orjson.loads(
        build_transactional_body(email, configuration, queued, {"List-Unsubscribe": "<u>"})
    )
    assert request["personalizations"] == [
        {
            "to": [{"email": "Ada@xn--grn-ioa.example"}],
            "custom_args": {"nl_notice": "7"},
            "headers": {"List-Unsubscribe": "<u>"},
        }
    ]
    tracking = request["tracking_settings"]
    assert not any(setting["enable"] for setting in tracking.values())
    assert "asm" not in request


@pytest.fixture
def configuration() -> Config:
    return Config.model_validate(
        {
            "name": "Harbour Notes",
            "sender": {"name": "Harbour Notes", "address": "editor@harbour-notes.org"},
            "postal_address": "Harbour Notes, 1 Quay Street, Bergen",
            "site_url": "https://harbour-notes.org",
            "tracking": {"opens": True, "clicks": True},
            "sendgrid": {"asm_group": 3},
        }
    )
