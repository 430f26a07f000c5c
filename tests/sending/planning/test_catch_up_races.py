"""Two catch-ups of one issue at once, and what changes between proposal and plan."""

import datetime
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import sqlalchemy as sa
from sending_fixtures import MakeReaders, Subscribe

from newsletter.db import read_transaction
from newsletter.db.schema import send, send_recipient, subscriber
from newsletter.errors import SendRefusedError
from newsletter.sending.ledger.record import Ledger, Send, get_send, start_send
from newsletter.sending.ledger.status import get_send_status
from newsletter.sending.planning import freeze_recipients
from newsletter.sending.planning.catch_up_audience import (
    HAVE_IT,
    PLANNED_BEFORE,
    count_catch_up_exclusions,
)
from newsletter.sending.planning.freeze_recipients import discard_send, freeze_send
from newsletter.sending.providers.prepared_email import PreparedEmail
from newsletter.subscribers import ALL_SUBSCRIBERS

READERS, JOINED = 7, 3


@pytest.fixture
def parent(
    ledger: Ledger, prepared: PreparedEmail, subscribe: Subscribe, make_readers: MakeReaders
) -> Send:
    """A finished send, after which three readers have joined."""
    readers = make_readers(READERS + JOINED)
    subscribe(readers[:READERS])
    frozen = freeze_send(ledger, prepared)
    with ledger.engine.begin() as connection:
        connection.execute(sa.update(send).values(state="done"))
        connection.execute(sa.update(send_recipient).values(state="accepted"))
    subscribe(readers[READERS:])
    finished = get_send(ledger, frozen.issue)
    assert finished
    return finished


def catch_up_rows(ledger: Ledger) -> list[tuple[int, str]]:
    query = sa.select(send_recipient.c.root_id, send_recipient.c.address_key)
    with read_transaction(ledger.engine) as connection:
        return [tuple(row) for row in connection.execute(query)]


def test_of_two_at_once_one_is_refused_and_nobody_is_twice(
    ledger: Ledger, prepared: PreparedEmail, parent: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Barrier(2)
    choose_name = freeze_recipients._choose_catch_up_name
    on_postgresql = ledger.engine.dialect.name == "postgresql"

    def choose_together(connection: sa.Connection, issue: str) -> str:
        name = choose_name(connection, issue)
        if on_postgresql:  # both have their snapshot now; on SQLite the first one has the lock
            start.wait(30)
        return name

    monkeypatch.setattr(freeze_recipients, "_choose_catch_up_name", choose_together)

    def catch_up() -> str:
        try:
            return freeze_send(ledger, prepared, JOINED, parent=parent).issue
        except SendRefusedError as error:
            return str(error)

    with ThreadPoolExecutor(2) as pool:
        results = sorted(future.result() for future in [pool.submit(catch_up) for _ in range(2)])
    assert results[0] == f"{parent.issue}~catch-up-1"
    assert results[1].startswith("another ")
    assert "Nothing was sent" in results[1]
    rows = catch_up_rows(ledger)
    assert len(rows) == len(set(rows)) == READERS + JOINED
    assert {root_id for root_id, _ in rows} == {parent.id}


def test_database_refuses_an_address_a_second_time(
    ledger: Ledger, prepared: PreparedEmail, parent: Send
) -> None:
    child = freeze_send(ledger, prepared, parent=parent)
    address = {"root_id": parent.id, "address_key": "reader1@example.com"}
    theirs = send_recipient.c.send_id == child.id, send_recipient.c.subscriber_id == READERS + 1
    update = sa.update(send_recipient).where(*theirs).values(address)
    with ledger.engine.connect() as connection, pytest.raises(sa.exc.IntegrityError):
        connection.execute(update)


def test_reader_who_joins_after_the_proposal_is_not_in_it(
    ledger: Ledger,
    prepared: PreparedEmail,
    parent: Send,
    subscribe: Subscribe,
    make_readers: MakeReaders,
) -> None:
    subscribe(make_readers(READERS + JOINED + 1)[-1:])
    with pytest.raises(SendRefusedError, match="4 readers now, 3 when it was shown"):
        freeze_send(ledger, prepared, JOINED, parent=parent)
    assert len(catch_up_rows(ledger)) == READERS


def test_reasons_add_up_to_the_list(ledger: Ledger, prepared: PreparedEmail, parent: Send) -> None:
    states = {1: "rejected", 2: "unknown", 3: "skipped_late", 4: "dropped", 5: "pending"}
    with ledger.engine.begin() as connection:
        for number, state in states.items():
            theirs = send_recipient.c.subscriber_id == number
            changed = sa.update(send_recipient).where(theirs)
            connection.execute(changed.values(state=state, error="a reason"))
        left = sa.update(subscriber).where(subscriber.c.id == 7)
        connection.execute(left.values(status="unsubscribed"))
        excluded = count_catch_up_exclusions(
            connection, parent, ALL_SUBSCRIBERS, datetime.datetime.now(datetime.UTC)
        )
    assert excluded == {"unsubscribed": 1, HAVE_IT: 3, "refused by SendGrid": 1, PLANNED_BEFORE: 2}
    assert sum(excluded.values()) + JOINED == READERS + JOINED
    child = freeze_send(ledger, prepared, parent=parent)
    assert (child.total, child.excluded) == (JOINED, excluded)


def test_plan_that_another_command_has_begun_is_not_discarded(
    ledger: Ledger, prepared: PreparedEmail, parent: Send
) -> None:
    child = freeze_send(ledger, prepared, parent=parent)
    with ledger.engine.begin() as connection:
        begun = sa.update(send).where(send.c.id == child.id)
        connection.execute(begun.values(state="running"))
    with pytest.raises(SendRefusedError, match="is being sent by another command"):
        discard_send(ledger, child)
    current = get_send(ledger, child.issue)
    assert current
    assert current.state == "running"


def test_plan_that_another_command_has_replaced_is_not_sent(
    ledger: Ledger, prepared: PreparedEmail, parent: Send
) -> None:
    child = freeze_send(ledger, prepared, parent=parent)
    discard_send(ledger, child)
    for read_or_start in (start_send, get_send_status):
        with pytest.raises(SendRefusedError, match="another command has planned"):
            read_or_start(ledger, child)
