"""Recipients of a claimed batch are loaded as they were stored, on both databases."""

from typing import Any

import pytest
import sqlalchemy as sa
from sending_fixtures import FakeObserver, MakeReaders, Subscribe

from newsletter.db import read_transaction
from newsletter.db.schema import subscriber
from newsletter.sending.delivery.claim import claim_batches
from newsletter.sending.delivery.prepare_batch import load_recipients
from newsletter.sending.ledger.record import Ledger, start_send
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.sendgrid.payload import PreparedEmail


@pytest.mark.parametrize(
    "values",
    [
        {"name": 'Ada "Q" O\'Neill \\ \u2028 \U0001f6a2 بحر'},
        {"attributes": {"city": 'Tromsø "north"', "age": 41, "vip": True, "score": 1.5}},
        {"address": "ada@bücher.example", "address_key": "reader1@example.com"},
    ],
)
def test_recipients_are_loaded_with_any_values(  # noqa: PLR0917 - fixtures
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
