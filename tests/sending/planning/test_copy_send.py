"""A recalled send is frozen once more: same email, recipients and batches, whatever they became."""

import datetime
from dataclasses import replace

import pytest
import sqlalchemy as sa
from sending_fixtures import FakeObserver, MakeReaders, Subscribe

from newsletter.db.schema import batch, send, send_recipient
from newsletter.errors import SendRefusedError
from newsletter.sending.ledger.find_sends import find_send, list_sends
from newsletter.sending.ledger.recall_record import record_recall
from newsletter.sending.ledger.record import Ledger, Send, count_recipients_by_state, get_send
from newsletter.sending.planning import copy_send
from newsletter.sending.planning.copy_send import copy_recalled_send
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.planning.frozen_content import load_frozen_email
from newsletter.sending.planning.send_schedule import SendSchedule
from newsletter.sending.providers.prepared_email import PreparedEmail

TOTAL = 25


@pytest.fixture
def frozen(
    ledger: Ledger, prepared: PreparedEmail, subscribe: Subscribe, make_readers: MakeReaders
) -> Send:
    subscribe(make_readers(TOTAL))
    return freeze_send(ledger, prepared)


def recall(ledger: Ledger, send_record: Send, now: datetime.datetime) -> Send:
    values = {
        "state": "cancelled",
        "provider_batch_id": "b",
        "recalled_at": now,
        "scheduled_at": now + datetime.timedelta(minutes=10),
    }
    with ledger.engine.begin() as connection:
        connection.execute(sa.update(send).where(send.c.id == send_record.id).values(values))
    recalled = get_send(ledger, send_record.issue)
    assert recalled is not None
    return recalled


def batches(ledger: Ledger, send_record: Send) -> dict[int, list[int]]:
    query = (
        sa.select(batch.c.number, send_recipient.c.subscriber_id)
        .join(send_recipient, send_recipient.c.batch_id == batch.c.id)
        .where(batch.c.send_id == send_record.id, send_recipient.c.send_id == send_record.id)
        .order_by(send_recipient.c.subscriber_id)
    )
    found: dict[int, list[int]] = {}
    with ledger.engine.connect() as connection:
        for number, subscriber_id in connection.execute(query):
            found.setdefault(number, []).append(subscriber_id)
    return found


# On PostgreSQL, a send of so many recipients is large.
@pytest.mark.parametrize(
    ("page_size", "large"),
    [(1, TOTAL + 1), (7, TOTAL + 1), (50_000, TOTAL + 1), (50_000, TOTAL)],
)
def test_copy_has_the_planned_batches(
    ledger: Ledger,
    prepared: PreparedEmail,
    make_readers: MakeReaders,
    subscribe: Subscribe,
    observer: FakeObserver,
    monkeypatch: pytest.MonkeyPatch,
    page_size: int,
    large: int,
) -> None:
    monkeypatch.setattr(copy_send, "PAGE_SIZE", page_size)
    monkeypatch.setattr(copy_send, "MIN_PARTITION_RECIPIENTS", large)
    subscribe(make_readers(TOTAL))
    frozen = freeze_send(ledger, prepared, allowed={"no-preheader": "short"})
    planned = batches(ledger, frozen)
    with ledger.engine.begin() as connection:
        # Half of a batch was split off, and some recipients were rejected or skipped.
        values = {"send_id": frozen.id, "parent_id": 1, "number": 4, "size": 5, "state": "accepted"}
        parent = connection.scalar(
            sa.select(batch.c.id).where(batch.c.send_id == frozen.id, batch.c.number == 1)
        )
        child = connection.scalar(
            sa.insert(batch).values(values | {"parent_id": parent}).returning(batch.c.id)
        )
        in_half = send_recipient.c.subscriber_id <= 5
        connection.execute(
            sa.update(send_recipient)
            .where(in_half)
            .values(batch_id=child, state="rejected", error="why")
        )
    recalled = recall(ledger, frozen, observer.now)
    schedule = SendSchedule(observer.now + datetime.timedelta(hours=3), 0, "c")
    copied = copy_recalled_send(ledger, recalled, schedule)
    assert copied.id != recalled.id
    assert (copied.issue, copied.state, copied.total) == (frozen.issue, "frozen", TOTAL)
    assert (copied.scheduled_at, copied.provider_batch_id) == (schedule.scheduled_at, "c")
    assert copied.allowed == {"no-preheader": "short"}
    assert batches(ledger, copied) == planned
    assert count_recipients_by_state(ledger, copied) == {"pending": TOTAL}
    assert load_frozen_email(ledger, copied) == prepared.email
    assert [found.id for found in list_sends(ledger)] == [copied.id]
    aside = find_send(ledger, f"{frozen.issue}~recalled-1")
    assert aside.id == recalled.id
    assert sum(count_recipients_by_state(ledger, aside).values()) == TOTAL


def test_only_a_recalled_send_is_copied_and_only_once(
    ledger: Ledger, frozen: Send, observer: FakeObserver
) -> None:
    with pytest.raises(SendRefusedError, match="changed by another command"):
        copy_recalled_send(ledger, frozen, SendSchedule())
    assert find_send(ledger, None) == frozen
    recalled = recall(ledger, frozen, observer.now)
    copy_recalled_send(ledger, recalled, SendSchedule())
    with pytest.raises(SendRefusedError, match="changed by another command"):
        copy_recalled_send(ledger, recalled, SendSchedule())
    assert len(list_sends(ledger, with_set_aside=True)) == 2


@pytest.mark.parametrize("large", [TOTAL, TOTAL + 1])
def test_recipients_that_are_not_the_planned_ones_are_not_copied(
    ledger: Ledger,
    frozen: Send,
    observer: FakeObserver,
    monkeypatch: pytest.MonkeyPatch,
    large: int,
) -> None:
    monkeypatch.setattr(copy_send, "MIN_PARTITION_RECIPIENTS", large)
    recalled = recall(ledger, frozen, observer.now)
    with ledger.engine.begin() as connection:
        last = send_recipient.c.subscriber_id == TOTAL
        connection.execute(sa.delete(send_recipient).where(last))
    with pytest.raises(SendRefusedError, match="are not those of its plan"):
        copy_recalled_send(ledger, recalled, SendSchedule())
    assert get_send(ledger, recalled.issue) == recalled


def test_confirmation_of_a_second_command_changes_nothing(
    ledger: Ledger, frozen: Send, observer: FakeObserver
) -> None:
    first = recall(ledger, frozen, observer.now)
    stale = replace(first, recalled_at=None)
    # Too late for a recall, if it were the first.
    observer.now += datetime.timedelta(minutes=5)
    assert record_recall(ledger, stale) == first
    copied = copy_recalled_send(ledger, first, SendSchedule(observer.now))
    with pytest.raises(SendRefusedError, match="was changed by another command"):
        record_recall(ledger, stale)
    assert get_send(ledger, first.issue) == copied
