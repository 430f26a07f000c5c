"""Claimed batches: whose they are, in which order, and their recipients, on both databases."""

import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sending_fixtures import FakeObserver, MakeReaders, Subscribe

from newsletter.db import read_transaction
from newsletter.db.schema import attempt, batch, subscriber
from newsletter.errors import SendRefusedError
from newsletter.sending.delivery.claim import claim_batches
from newsletter.sending.delivery.in_flight import mark_in_flight
from newsletter.sending.delivery.prepare_batch import PreparedBatch, load_recipients
from newsletter.sending.ledger.leases import expire_leases
from newsletter.sending.ledger.record import Ledger, Send, start_send
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.prepared_email import PreparedEmail


@pytest.mark.parametrize(
    "values",
    [
        {"name": 'Ada "Q" O\'Neill \\ \u2028 \U0001f6a2 بحر'},
        {"attributes": {"city": 'Tromsø "north"', "age": 41, "vip": True, "score": 1.5}},
        {"address": "ada@bücher.example", "address_key": "reader1@example.com"},
    ],
)
def test_recipients_are_loaded_with_any_values(
    ledger: Ledger,
    prepared: PreparedEmail,
    make_readers: MakeReaders,
    subscribe: Subscribe,
    observer: FakeObserver,
    values: dict[str, Any],
) -> None:
    subscribe(make_readers(3))
    with ledger.engine.begin() as connection:
        update_first, update_third = (
            sa.update(subscriber).where(subscriber.c.id == number) for number in (1, 3)
        )
        connection.execute(update_first.values(values))
    frozen = freeze_send(ledger, prepared)
    with ledger.engine.begin() as connection:
        connection.execute(update_third.values(status="unsubscribed"))
    start_send(ledger, frozen)
    (claimed,) = claim_batches(ledger, frozen)
    unsubscribed: list[int] = []
    with read_transaction(ledger.engine) as connection:
        first, second = load_recipients(connection, claimed, unsubscribed, observer.now)
    assert (first.id, second.id, unsubscribed) == (1, 2, [3])
    assert first.attributes["name"] == values.get("name", "Reader 1")
    assert first.attributes["email"] == values.get("address", "reader1@example.com")
    expected = {"city": 'Tromsø "north"', "age": "41", "vip": "true", "score": "1.5"}
    attributes = {name: first.attributes[name] for name in values.get("attributes", {})}
    assert attributes == {name: expected[name] for name in attributes}
    assert second.attributes == {"email": "reader2@example.com", "name": "Reader 2"}


@pytest.fixture
def frozen(
    ledger: Ledger, prepared: PreparedEmail, subscribe: Subscribe, make_readers: MakeReaders
) -> Send:
    """Three batches of a running send: two of ten recipients and one of five."""
    subscribe(make_readers(25))
    send_record = freeze_send(ledger, prepared)
    start_send(ledger, send_record)
    return send_record


def test_sender_whose_lease_has_expired_loses_the_batch_to_the_next_that_claims_it(
    ledger: Ledger, frozen: Send, observer: FakeObserver
) -> None:
    (lost,) = claim_batches(ledger, frozen)
    observer.now += ledger.lease
    expire_leases(ledger, frozen)
    (taken_over,) = claim_batches(ledger, frozen)
    assert (taken_over.id, taken_over.fence > lost.fence) == (lost.id, True)
    with pytest.raises(SendRefusedError, match="batch 1 was taken over by another sender"):
        mark_in_flight(ledger, [PreparedBatch(lost, b"{}")])
    assert mark_in_flight(ledger, [PreparedBatch(taken_over, b"{}")]) is not None


def test_claimed_batch_is_held_for_the_whole_lease(
    ledger: Ledger, frozen: Send, observer: FakeObserver
) -> None:
    claim_batches(ledger, frozen, 3)
    observer.now += ledger.lease - datetime.timedelta(seconds=1)
    expire_leases(ledger, frozen)
    assert claim_batches(ledger, frozen, 3) == []
    observer.now += datetime.timedelta(seconds=1)
    expire_leases(ledger, frozen)
    assert len(claim_batches(ledger, frozen, 3)) == 3


@pytest.mark.parametrize("column", ["retry_at", "available_at"])
def test_batch_is_claimed_from_the_moment_it_is_due(
    ledger: Ledger, frozen: Send, observer: FakeObserver, column: str
) -> None:
    second = datetime.timedelta(seconds=1)
    with ledger.engine.begin() as connection:
        for number in (1, 2):
            at = observer.now + (number - 1) * second
            connection.execute(
                sa.update(batch).where(batch.c.number == number).values({column: at})
            )
    assert [claimed.number for claimed in claim_batches(ledger, frozen, 3)] == [1, 3]


@pytest.mark.parametrize(("smallest_first", "numbers"), [(False, [1, 2]), (True, [1, 3])])
def test_smallest_batches_are_claimed_first_if_asked_for(
    ledger: Ledger, frozen: Send, *, smallest_first: bool, numbers: list[int]
) -> None:
    claimed = claim_batches(ledger, frozen, 2, smallest_first=smallest_first)
    assert [item.number for item in claimed] == numbers


def test_next_attempt_follows_the_last_of_its_batch(
    ledger: Ledger, frozen: Send, observer: FakeObserver
) -> None:
    with ledger.engine.begin() as connection:
        second = sa.select(batch.c.id).where(batch.c.number == 2).scalar_subquery()
        for number in (1, 2):
            row = {"number": number, "started_at": observer.now, "body_sha": ""}
            connection.execute(sa.insert(attempt).values(batch_id=second, **row))
    claimed = claim_batches(ledger, frozen, 3)
    assert [item.attempt_number for item in claimed] == [1, 3, 1]
