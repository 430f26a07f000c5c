"""Who a claimed batch is for comes out of the database as it went in, on both of them."""

from typing import Any

import pytest
import sqlalchemy as sa
from sending_fixtures import MakeReaders, Subscribe, World

from newsletter.db import read_transaction
from newsletter.db.schema import subscriber
from newsletter.sending.delivery import claim
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
def test_whatever_is_in_them(  # noqa: PLR0917 - fixtures
    ledger: Ledger,
    letter: PreparedEmail,
    make_readers: MakeReaders,
    subscribe: Subscribe,
    world: World,
    values: dict[str, Any],
) -> None:
    subscribe(make_readers(3))
    with ledger.engine.begin() as connection:
        ada, gone = (sa.update(subscriber).where(subscriber.c.id == number) for number in (1, 3))
        connection.execute(ada.values(values))
    frozen = freeze_send(ledger, letter)
    with ledger.engine.begin() as connection:
        connection.execute(gone.values(status="unsubscribed"))
    start_send(ledger, frozen)
    (held,) = claim.claim_batches(ledger, frozen)
    late: list[int] = []
    with read_transaction(ledger.engine) as connection:
        first, second = claim.load_recipients(connection, held, late, world.now)
    assert (first.id, second.id, late) == (1, 2, [3])
    assert first.attributes["name"] == values.get("name", "Reader 1")
    assert first.attributes["email"] == values.get("address", "reader1@example.com")
    shown = {"city": 'Tromsø "north"', "age": "41", "vip": "true", "score": "1.5"}
    given = {word: first.attributes[word] for word in values.get("attributes", {})}
    assert given == {word: shown[word] for word in given}
    assert second.attributes == {"email": "reader2@example.com", "name": "Reader 2"}
