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


def promise(
    engine: sa.Engine,
    now: datetime.datetime = NOW,
    to: ParsedAddress = ADA,
    window: datetime.timedelta | None = DAY,
    **more: Any,
) -> bool:
    with engine.begin() as connection:
        return enqueue_email(connection, "confirm", to, {"wording": "Yes"}, now, window, **more)


def take(
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


def test_a_letter_is_promised_once_a_window(engine: sa.Engine) -> None:
    assert promise(engine)
    assert not promise(engine)
    assert promise(engine, to=parse_address("bob@example.org"))
    assert not promise(engine, NOW + DAY - datetime.timedelta(seconds=1)), "not sent yet"
    assert states(engine) == ["ready", "ready"]


@given(st.lists(st.integers(0, 60 * 96), min_size=1, max_size=12).map(sorted))
def test_no_two_letters_within_a_window_wherever_it_begins(minutes: list[int]) -> None:
    engine = sa.create_engine("sqlite://")
    transactional_email.create(engine)
    provider_pause.create(engine)
    sent: list[datetime.datetime] = []
    for minute in minutes:
        now = NOW + datetime.timedelta(minutes=minute)
        promise(engine, now)
        # Every other one leaves late, as after a retry.
        late = now + datetime.timedelta(hours=5 * (minute % 2))
        if (letter := take(engine, late)) is not None:
            sent.append(late)
            record_email_outcome(engine, letter, Outcome("accepted"), late)
    assert sent
    assert all(b - a >= DAY for a, b in itertools.pairwise(sent))
    engine.dispose()


def test_a_promise_for_ever_is_kept_once(engine: sa.Engine) -> None:
    assert promise(engine, window=None)
    assert not promise(engine, NOW + 1000 * DAY, window=None)


def test_nothing_is_promised_that_is_not_allowed(engine: sa.Engine) -> None:
    assert not promise(engine, allowed=False)
    assert states(engine) == []


def test_two_at_once_promise_one_letter(engine: sa.Engine) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: promise(engine), range(16)))
    assert sum(made) == 1


def test_processes_share_the_letters(engine: sa.Engine) -> None:
    for number in range(12):
        promise(engine, to=parse_address(f"reader{number}@example.org"))
    with ThreadPoolExecutor(4) as threads:
        taken = [letter for letter in threads.map(lambda _: take(engine), range(16)) if letter]
    assert len({letter.id for letter in taken}) == len(taken) == 12


def test_a_dropped_letter_leaves_its_window_free(engine: sa.Engine) -> None:
    promise(engine)
    assert take(engine, wanted=False) is None
    assert states(engine) == ["dropped"]
    assert promise(engine)
    assert take(engine) is not None


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("accepted", "accepted"), ("rejected", "rejected"), ("unknown", "unknown"),
        ("not_sent", "ready"), ("throttled", "ready"), ("blocked", "ready"),
    ],
)  # fmt: skip
def test_only_what_surely_has_not_left_is_tried_again(
    engine: sa.Engine, kind: Any, state: str
) -> None:
    promise(engine)
    letter = take(engine)
    assert letter is not None
    until = NOW + datetime.timedelta(minutes=2) if kind == "throttled" else None
    record_email_outcome(engine, letter, Outcome(kind, "words", retry_at=until), NOW)
    assert states(engine) == [state]
    assert take(engine) is None, "not at once"
    assert has_due_emails(engine, NOW) is False
    again = take(engine, NOW + datetime.timedelta(minutes=10))
    assert (again is not None) is (state == "ready")
    assert not promise(engine, NOW + datetime.timedelta(minutes=10))


def test_what_a_dead_sender_took_is_never_sent_again(engine: sa.Engine) -> None:
    promise(engine)
    letter = take(engine)
    later = NOW + LEASE_DURATION + datetime.timedelta(seconds=1)
    purge_queue(engine, later, retention=7 * DAY)
    assert states(engine) == ["unknown"]
    assert take(engine, later) is None
    assert letter is not None
    record_email_outcome(engine, letter, Outcome("not_sent"), later)
    assert states(engine) == ["unknown"], "the one who comes back late has lost it"


def test_old_letters_are_given_up_and_forgotten(engine: sa.Engine) -> None:
    promise(engine)
    purge_queue(engine, NOW + MAX_AGE + datetime.timedelta(seconds=1), retention=7 * DAY)
    assert states(engine) == ["dropped"]
    with engine.begin() as connection:
        enqueue_email(connection, "welcome", ADA, {}, NOW, None)
    purge_queue(engine, NOW + 8 * DAY, retention=7 * DAY)
    assert states(engine) == ["dropped"], "the welcome stays, so that it goes once"


def test_a_letter_is_not_tracked_and_outside_of_unsubscribe_groups(
    email: Email, configuration: Config
) -> None:
    letter = QueuedEmail(7, "confirm", parse_address("Ada@grün.example"), {}, 1, NOW)
    request = orjson.loads(
        build_transactional_body(email, configuration, letter, {"List-Unsubscribe": "<u>"})
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
