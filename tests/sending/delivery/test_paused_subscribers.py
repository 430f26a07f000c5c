"""Subscribers who paused or changed address since the freeze aren't mailed."""

import datetime

import sqlalchemy as sa
from sending_fixtures import FakeObserver, MakeReaders, Subscribe

from newsletter.db import read_transaction
from newsletter.db.schema import send_recipient
from newsletter.sending.delivery.claim import ClaimedBatch, claim_batches
from newsletter.sending.delivery.prepare_batch import load_recipients
from newsletter.sending.ledger.record import Ledger
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.prepared_email import PreparedEmail
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.preferences import set_paused_until

HOUR = datetime.timedelta(hours=1)


def test_pauses_are_checked_at_the_freeze_and_at_the_claim(
    ledger: Ledger,
    prepared: PreparedEmail,
    observer: FakeObserver,
    subscribe: Subscribe,
    make_readers: MakeReaders,
) -> None:
    subscribe(make_readers(8))
    with ledger.engine.begin() as connection:
        set_paused_until(connection, 1, observer.now + HOUR, observer.now)
        set_paused_until(connection, 2, observer.now, observer.now)
    frozen = freeze_send(ledger, prepared)
    assert (frozen.total, frozen.excluded) == (7, {"paused": 1})
    with read_transaction(ledger.engine) as connection:
        ids = sa.select(send_recipient.c.subscriber_id).order_by(send_recipient.c.subscriber_id)
        assert connection.scalars(ids).all() == [2, 3, 4, 5, 6, 7, 8]
    with ledger.engine.begin() as connection:
        connection.execute(sa.text("UPDATE send SET state = 'running'"))
        set_paused_until(connection, 3, observer.now + HOUR, observer.now)
        new_address = parse_address("elsewhere@example.com")
        assert changes.change_address(
            connection, "reader4@example.com", new_address, ChangeOrigin(observer.now, "form")
        )
    [claimed] = claim_batches(ledger, frozen)
    assert split_by_mailable(ledger, claimed, observer.now) == ([2, 5, 6, 7, 8], [3, 4])
    assert split_by_mailable(ledger, claimed, observer.now + HOUR) == ([2, 3, 5, 6, 7, 8], [4])


def split_by_mailable(
    ledger: Ledger, claimed: ClaimedBatch, now: datetime.datetime
) -> tuple[list[int], list[int]]:
    """Return the ids of those who are mailed, and of those who no longer are."""
    excluded: list[int] = []
    with read_transaction(ledger.engine) as connection:
        recipients = load_recipients(connection, claimed, excluded, now)
    return [recipient.id for recipient in recipients], excluded
