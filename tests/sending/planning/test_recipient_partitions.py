"""The recipients of a large send on PostgreSQL have a table of their own, and nobody notices."""

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import sqlalchemy as sa
from postgres_server import Server, login_in_role
from sending_fixtures import MakeReaders, Subscribe, configured

from newsletter.backup.copied_rows import read_row_chunks
from newsletter.config import Config
from newsletter.config.tracking import TrackingOptions
from newsletter.db import open_database, read_transaction
from newsletter.db.postgresql import recipient_partitions
from newsletter.db.postgresql.recipient_partitions import (
    drop_leftover_partitions,
    find_recipient_table,
    get_max_partitions,
    has_partition,
)
from newsletter.db.postgresql.roles import ROLES
from newsletter.db.schema import batch, send, send_recipient, subscriber, subscriber_tag
from newsletter.render.email import Email
from newsletter.sending.doctor.partitions import check_partitions
from newsletter.sending.ledger.record import Ledger, Send, get_send
from newsletter.sending.planning import copy_send
from newsletter.sending.planning.batches import insert_batches
from newsletter.sending.planning.copy_send import copy_recalled_send
from newsletter.sending.planning.freeze_recipients import discard_send, freeze_send
from newsletter.sending.planning.send_schedule import SendSchedule
from newsletter.sending.providers.sendgrid.payload import prepare_email
from newsletter.subscribers.segments import find_segment

READERS, BATCH_SIZE = 11, 3
NOW = datetime.datetime(2026, 12, 1, 8, tzinfo=datetime.UTC)
ROW = (
    send_recipient.c.subscriber_id, send_recipient.c.address_key, send_recipient.c.root_id,
    send_recipient.c.state, send_recipient.c.variant, send_recipient.c.error, batch.c.number,
    batch.c.size, batch.c.state, batch.c.variant,
)  # fmt: skip
RECALLED = {
    "state": "cancelled",
    "provider_batch_id": "b",
    "recalled_at": NOW,
    "scheduled_at": NOW + datetime.timedelta(hours=1),
}


@pytest.fixture
def engine(postgres_url: str) -> Iterator[sa.Engine]:
    opened = open_database(postgres_url, Path())
    yield opened
    opened.dispose()


@pytest.fixture(autouse=True)
def _list(
    monkeypatch: pytest.MonkeyPatch,
    engine: sa.Engine,
    subscribe: Subscribe,
    make_readers: MakeReaders,
) -> None:
    """Eleven readers: every third may be tracked, the even ones are tagged, the last one left."""
    monkeypatch.setattr(insert_batches, "MIN_PARTITION_RECIPIENTS", 4)
    subscribe(make_readers(READERS))
    with engine.begin() as connection:
        agreed = sa.update(subscriber).where(subscriber.c.id % 3 == 0)
        connection.execute(agreed.values(opens_consent=True))
        tags = [{"subscriber_id": number, "tag": "even"} for number in range(2, READERS, 2)]
        connection.execute(sa.insert(subscriber_tag), tags)
        left = sa.update(subscriber).where(subscriber.c.id == READERS)
        connection.execute(left.values(status="unsubscribed"))


@pytest.fixture
def config() -> Config:
    return configured(limits={"batch_size": BATCH_SIZE}, attributes={"name": "friend"})


def freeze(
    ledger: Ledger, email: Email, config: Config, query: str = "", parent: Send | None = None
) -> Send:
    with read_transaction(ledger.engine) as connection:
        segment = (
            find_segment(connection, query, config, ledger.clock(connection)) if query else None
        )
    return freeze_send(ledger, prepare_email(email, config), segment=segment, parent=parent)


def rows_of(ledger: Ledger, frozen: Send) -> list[tuple[Any, ...]]:
    query = (
        sa.select(*ROW)
        .join_from(send_recipient, batch, batch.c.id == send_recipient.c.batch_id)
        .where(send_recipient.c.send_id == frozen.id)
        .order_by(batch.c.number, send_recipient.c.subscriber_id)
    )
    with read_transaction(ledger.engine) as connection:
        return [tuple(row) for row in connection.execute(query)]


def is_partitioned(ledger: Ledger, frozen: Send) -> bool:
    with read_transaction(ledger.engine) as connection:
        return has_partition(connection, frozen.id)


@pytest.mark.parametrize("opens", ["all", "ask"])
@pytest.mark.parametrize("query", ["", "tag:even", "not (tag:even and not sent:last-1)"])
def test_batches_are_the_same_with_and_without(
    ledger: Ledger,
    email: Email,
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
    *,
    query: str,
    opens: Literal["all", "ask"],
) -> None:
    config = config.model_copy(update={"tracking": TrackingOptions(opens=opens, clicks="off")})
    partitioned = freeze(ledger, email, config, query)
    rows = rows_of(ledger, partitioned)
    assert is_partitioned(ledger, partitioned)
    discard_send(ledger, partitioned)
    monkeypatch.setattr(insert_batches, "MIN_PARTITION_RECIPIENTS", READERS)
    plain = freeze(ledger, email, config, query)
    assert not is_partitioned(ledger, plain)
    without_root = [(*row[:2], *row[3:]) for row in rows]
    assert [(*row[:2], *row[3:]) for row in rows_of(ledger, plain)] == without_root
    assert {row[2] for row in rows} == {partitioned.id}
    assert plain.total == partitioned.total == len(rows)
    assert plain.excluded == partitioned.excluded


@pytest.mark.parametrize("opens", ["all", "ask"])
def test_recalled_send_is_copied_in_the_same_batches_with_and_without(
    ledger: Ledger,
    email: Email,
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
    opens: Literal["all", "ask"],
) -> None:
    config = config.model_copy(update={"tracking": TrackingOptions(opens=opens, clicks="off")})
    frozen = freeze(ledger, email, config)
    planned = [(*row[:2], *row[3:]) for row in rows_of(ledger, frozen)]
    for minimum in (4, READERS):
        monkeypatch.setattr(copy_send, "MIN_PARTITION_RECIPIENTS", minimum)
        with ledger.engine.begin() as connection:
            recalled = sa.update(send).where(send.c.issue == frozen.issue)
            connection.execute(recalled.values(RECALLED))
            # As if some readers had refused to be tracked before the requests.
            connection.execute(sa.update(batch).values(variant="none"))
        recalled_send = get_send(ledger, frozen.issue)
        assert recalled_send
        copied = copy_recalled_send(ledger, recalled_send, SendSchedule())
        assert is_partitioned(ledger, copied) == (minimum < READERS)
        rows = rows_of(ledger, copied)
        assert [(*row[:2], *row[3:]) for row in rows] == planned
        assert {row[2] for row in rows} == {copied.id}


def test_rows_have_room_beside_them_for_their_update(
    ledger: Ledger, email: Email, config: Config
) -> None:
    name = f"send_recipient_{freeze(ledger, email, config).id}"
    query = sa.text("SELECT relname, reloptions::text FROM pg_class WHERE relname = ANY(:names)")
    with read_transaction(ledger.engine) as connection:
        rows = connection.execute(query, {"names": [name, "send_recipient"]})
        storage = "{fillfactor=50,autovacuum_analyze_scale_factor=0.01}"
        assert dict(rows.all()) == dict.fromkeys((name, "send_recipient"), storage)


def test_partition_has_all_indexes_and_checks(ledger: Ledger, email: Email, config: Config) -> None:
    partition = f"send_recipient_{freeze(ledger, email, config).id}"
    indexes = "SELECT indexdef FROM pg_indexes WHERE tablename = :table"
    checks = (
        "SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE contype = 'c' AND conrelid = CAST(:table AS regclass)"
    )
    with read_transaction(ledger.engine) as connection:
        for query, count in ((indexes, 4), (checks, 2)):
            of_partition, of_others = (
                # without names: those of the indexes differ
                {
                    row.partition(" USING ")[2] or row
                    for row in connection.scalars(sa.text(query), {"table": table})
                }
                for table in (partition, "send_recipient")
            )
            assert of_partition == of_others
            assert len(of_partition) == count


def test_small_send_and_catch_up_have_none(ledger: Ledger, email: Email, config: Config) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(sa.delete(subscriber_tag).where(subscriber_tag.c.subscriber_id > 6))
    small = freeze(ledger, email, config, "tag:even")
    assert (small.total, is_partitioned(ledger, small)) == (3, False)
    with ledger.engine.begin() as connection:
        connection.execute(sa.update(send).values(state="done"))
    parent = get_send(ledger, small.issue)
    catch_up = freeze(ledger, email, config, parent=parent)
    assert (catch_up.total, is_partitioned(ledger, catch_up)) == (7, False)


@pytest.fixture
def finished(ledger: Ledger, email: Email, config: Config) -> Send:
    """A large send that is done, after which its last reader has come back."""
    frozen = freeze(ledger, email, config)
    assert is_partitioned(ledger, frozen)
    with ledger.engine.begin() as connection:
        connection.execute(sa.update(send).values(state="done"))
        connection.execute(sa.update(send_recipient).values(state="accepted"))
        back = sa.update(subscriber).where(subscriber.c.id == READERS)
        connection.execute(back.values(status="active"))
    done = get_send(ledger, frozen.issue)
    assert done
    return done


def test_catch_up_is_stored_beside_its_parent_so_that_nobody_is_in_both(
    ledger: Ledger, email: Email, config: Config, finished: Send
) -> None:
    catch_up = freeze(ledger, email, config, parent=finished)
    assert [row[0] for row in rows_of(ledger, catch_up)] == [READERS]
    again = {"send_id": catch_up.id, "subscriber_id": 999, "address_key": "reader1@example.com"}
    with ledger.engine.connect() as connection:
        table = find_recipient_table(connection, finished.id)
        assert table.name == f"send_recipient_{finished.id}"
        count = sa.select(sa.func.count()).select_from(table)
        assert connection.scalar(count) == READERS
        batch_id = connection.scalar(sa.select(sa.func.max(batch.c.id)))
        insert = sa.insert(table).values(**again, batch_id=batch_id, root_id=finished.id)
        with pytest.raises(sa.exc.IntegrityError, match="root_id_address_key"):
            connection.execute(insert)


def test_plan_is_discarded_with_its_partition_and_without_the_catch_ups_in_it(
    ledger: Ledger, email: Email, config: Config, finished: Send
) -> None:
    catch_up = freeze(ledger, email, config, parent=finished)
    discard_send(ledger, catch_up)
    assert rows_of(ledger, catch_up) == []
    assert len(rows_of(ledger, finished)) == READERS - 1
    with ledger.engine.begin() as connection:
        connection.execute(sa.update(send).values(state="frozen"))
        connection.execute(sa.update(send_recipient).values(state="pending"))
    planned = get_send(ledger, finished.issue)
    assert planned
    discard_send(ledger, planned)
    assert rows_of(ledger, planned) == []
    assert not is_partitioned(ledger, planned)


def test_partition_that_holds_a_catch_up_is_not_dropped(
    ledger: Ledger, email: Email, config: Config, finished: Send
) -> None:
    catch_up = freeze(ledger, email, config, parent=finished)
    with ledger.engine.begin() as connection:
        dropped = sa.func.newsletter_drop_partition(finished.id)
        assert connection.scalar(sa.select(dropped)) is False
    assert len(rows_of(ledger, catch_up)) == 1


def test_plan_is_discarded_while_a_report_reads_so_that_no_sender_waits_for_both(
    ledger: Ledger, email: Email, config: Config
) -> None:
    """A table can't be dropped while it is read, and whoever comes next would wait as well."""
    frozen = freeze(ledger, email, config)
    with read_transaction(ledger.engine) as reading:
        count = sa.select(sa.func.count()).select_from(send_recipient)
        assert reading.scalar(count) == READERS - 1
        discard_send(ledger, frozen)
    assert rows_of(ledger, frozen) == []
    assert freeze(ledger, email, config).total == READERS - 1


def test_partition_that_was_read_when_its_plan_was_discarded_is_dropped_by_the_next_plan(
    ledger: Ledger, email: Email, config: Config
) -> None:
    discarded = freeze(ledger, email, config)
    with read_transaction(ledger.engine) as reading:
        reading.execute(sa.select(send_recipient.c.send_id)).all()
        discard_send(ledger, discarded)
        assert drop_leftover_partitions(ledger.engine) == 0
    assert is_partitioned(ledger, discarded)
    frozen = freeze(ledger, email, config)
    assert [is_partitioned(ledger, planned) for planned in (discarded, frozen)] == [False, True]
    assert drop_leftover_partitions(ledger.engine) == 0
    assert len(rows_of(ledger, frozen)) == READERS - 1


def test_all_rows_are_copied_to_another_database(ledger: Ledger, finished: Send) -> None:
    with read_transaction(ledger.engine) as connection:
        rows = [row for chunk in read_row_chunks(connection, send_recipient) for row in chunk]
    assert [row[:2] for row in rows] == [(finished.id, number) for number in range(1, READERS)]


def test_editor_may_do_all_that_the_owner_may(
    postgres_server: Server, postgres_url: str, email: Email, config: Config
) -> None:
    with login_in_role(postgres_server, postgres_url, "editor") as url:
        engine = open_database(url, Path())
        ledger = Ledger(engine)
        discard_send(ledger, freeze(ledger, email, config))
        frozen = freeze(ledger, email, config)
        assert is_partitioned(ledger, frozen)
        with engine.begin() as connection:
            connection.execute(sa.update(send).values(state="done"))
            connection.execute(sa.update(send_recipient).values(state="accepted"))
            connection.execute(sa.update(subscriber).values(status="active"))
        catch_up = freeze(ledger, email, config, parent=get_send(ledger, frozen.issue))
        with engine.connect() as connection:
            assert find_recipient_table(connection, frozen.id) is not send_recipient
        assert len(rows_of(ledger, catch_up)) == 1
        engine.dispose()


def test_role_that_may_make_no_partition_freezes_without_one(
    postgres_server: Server, postgres_url: str, email: Email, config: Config
) -> None:
    with login_in_role(postgres_server, postgres_url, "editor") as url:
        name = sa.make_url(postgres_url).database
        with postgres_server.connected(str(name)) as connection:
            connection.exec_driver_sql(
                f"REVOKE EXECUTE ON FUNCTION newsletter_create_partition FROM {name}_editor"
            )
        engine = open_database(url, Path())
        frozen = freeze(Ledger(engine), email, config)
        assert (frozen.total, is_partitioned(Ledger(engine), frozen)) == (READERS - 1, False)
        with read_transaction(engine) as connection:
            (check,) = check_partitions(connection)
        engine.dispose()
    says = "the role may not execute newsletter_create_partition"
    assert (check.state, check.says) == ("warn", says)
    assert check.next_step.endswith(": newsletter db roles | psql NAME")


@pytest.mark.parametrize("role", ROLES)
def test_roles_lack_no_right_that_they_need(
    postgres_server: Server, postgres_url: str, role: str
) -> None:
    with login_in_role(postgres_server, postgres_url, role) as url:
        engine = open_database(url, Path())
        with read_transaction(engine) as connection:
            assert check_partitions(connection) == []
        engine.dispose()


def test_there_are_no_more_partitions_than_the_server_can_lock(
    ledger: Ledger, email: Email, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    with read_transaction(ledger.engine) as connection:
        # As the tests' server is configured: max_locks_per_transaction 64, max_connections 50.
        assert get_max_partitions(connection) == 64 * 50 // 150
        assert check_partitions(connection) == []
    monkeypatch.setattr(recipient_partitions, "_TRANSACTIONS_AT_ONCE", 64 * 50 // 5)
    first = freeze(ledger, email, config)
    assert is_partitioned(ledger, first)
    with read_transaction(ledger.engine) as connection:
        (check,) = check_partitions(connection)
    assert (check.state, check.says[:33]) == ("warn", "there are the tables of 1 large s")
    with ledger.engine.begin() as connection:
        connection.execute(sa.update(send).values(issue="earlier"))
    second = freeze(ledger, email, config)
    assert (second.total, is_partitioned(ledger, second)) == (READERS - 1, False)
