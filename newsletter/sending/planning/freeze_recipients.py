"""Fixes who gets an issue, and in which batches; after that nothing is selected again."""

import datetime
import itertools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db import snapshot_write_transaction
from newsletter.db.schema import BigIntKey, attempt, batch, send, send_recipient, subscriber
from newsletter.errors import SendRefusedError
from newsletter.render.email import Email
from newsletter.sending.ledger.record import Ledger, Send, get_send, sent_condition
from newsletter.sending.planning.frozen_content import save_frozen_email
from newsletter.sending.planning.preflight import no_recipients_problem
from newsletter.sending.providers.sendgrid.payload import PreparedEmail, split_into_batches
from newsletter.subscribers import ALL_SUBSCRIBERS, MAILABLE, count_exclusions, iter_audience
from newsletter.subscribers.segments import Segment

# Batches made at once.
BATCHES_PER_INSERT = 1_000


class BatchBoundary(NamedTuple):
    """Where a batch ends: the id of its last reader, and how many they are."""

    last_id: int
    size: int


def freeze_send(
    ledger: Ledger,
    prepared_email: PreparedEmail,
    expected_total: int | None = None,
    segment: Segment | None = None,
    allowed: Mapping[str, str] | None = None,
) -> Send:
    """Write down who gets the issue, and in which batches, in one transaction.

    Args:
        ledger: where to.
        prepared_email: its content's hash is frozen too.
        expected_total: how many readers the editor has agreed to.
        segment: to whom alone it goes.
        allowed: rule of ``newsletter check`` -> why the editor allows what it finds.

    Raises:
        SendRefused: there is a send of this issue already, there is nobody to send it to, or
            there are more or fewer than expected. Nothing is written then.
    """
    within = segment.condition if segment else ALL_SUBSCRIBERS
    text = segment.text if segment else ""
    try:
        with snapshot_write_transaction(ledger.engine) as connection:
            now = ledger.clock(connection)
            send_id = _insert_send(connection, now, prepared_email.email, text)
            total = _insert_batches(connection, send_id, prepared_email, within, now)
            _check_total(total, expected_total, segment)
            excluded = dict(count_exclusions(connection, within, at=now))
            values = {"total": total, "excluded": excluded, "allowed": dict(allowed or {})}
            connection.execute(sa.update(send).where(send.c.id == send_id).values(values))
            save_frozen_email(connection, send_id, prepared_email.email)
    except sa.exc.IntegrityError:
        raise SendRefusedError(
            f"another sender has begun to send {prepared_email.email.issue}",
            remedy="Let it finish.",
        ) from None
    frozen = get_send(ledger, prepared_email.email.issue)
    assert frozen is not None
    return frozen


def discard_send(ledger: Ledger, send_record: Send) -> None:
    """Forget a send of which nothing has left, so that it can be made anew.

    Raises:
        SendRefused: something may have left.
    """
    mine = sa.select(batch.c.id).where(batch.c.send_id == send_record.id)
    with ledger.engine.begin() as connection:
        # Nobody can claim a batch of it from here on: claiming looks at this row's state.
        connection.execute(
            sa.update(send).where(send.c.id == send_record.id).values(state="cancelled")
        )
        if connection.scalar(sa.select(sent_condition(send_record.id, ledger.clock(connection)))):
            raise SendRefusedError(f"{send_record.issue} is being sent by another command")
        connection.execute(sa.delete(attempt).where(attempt.c.batch_id.in_(mine)))
        connection.execute(
            sa.delete(send_recipient).where(send_recipient.c.send_id == send_record.id)
        )
        connection.execute(
            sa.update(batch).where(batch.c.send_id == send_record.id).values(parent_id=None)
        )
        connection.execute(sa.delete(batch).where(batch.c.send_id == send_record.id))
        connection.execute(sa.delete(send).where(send.c.id == send_record.id))


def _check_total(total: int, expected_total: int | None, segment: Segment | None) -> None:
    if not total:
        raise SendRefusedError.from_problems([no_recipients_problem(segment)])
    if expected_total is not None and total != expected_total:
        raise SendRefusedError(
            f"the list has changed: {total:,} readers now, {expected_total:,} a moment ago",
            remedy="Nothing was sent. Run it again to see the new count.",
        )


def _insert_send(
    connection: sa.Connection, frozen_at: datetime.datetime, email: Email, segment: str
) -> int:
    values = {
        "issue": email.issue,
        "state": "frozen",
        "content_sha": email.content_sha,
        "subject": email.subject,
        "frozen_at": frozen_at,
        "total": 0,
        "excluded": {},
        "segment": segment,
    }
    made: int = connection.execute(sa.insert(send).values(values).returning(send.c.id)).scalar_one()
    return made


def _insert_batches(
    connection: sa.Connection,
    send_id: int,
    prepared_email: PreparedEmail,
    segment_condition: sa.ColumnElement[bool],
    now: datetime.datetime,
) -> int:
    """Make the batches and put their readers in; returns how many readers."""
    number, total, after = 0, 0, 0
    cuts = _iter_boundaries(connection, prepared_email, segment_condition, now)
    readers = _build_recipient_insert(segment_condition)
    while some := list(itertools.islice(cuts, BATCHES_PER_INSERT)):
        rows = [
            {"send_id": send_id, "number": number, "size": cut.size, "state": "ready"}
            for number, cut in enumerate(some, number + 1)
        ]
        number += len(some)
        made = sa.insert(batch).returning(batch.c.id, sort_by_parameter_order=True)
        ids = connection.scalars(made, rows).all()
        starts = (after, *(cut.last_id for cut in some))
        ranges = [
            {
                "to_send": send_id, "to_batch": id_, "after": start, "last": cut.last_id,
                "moment": now,
            }
            for id_, start, cut in zip(ids, starts, some, strict=False)
        ]  # fmt: skip
        connection.execute(readers, ranges)
        total += sum(cut.size for cut in some)
        after = some[-1].last_id
    return total


def _iter_boundaries(
    connection: sa.Connection,
    prepared_email: PreparedEmail,
    segment_condition: sa.ColumnElement[bool],
    now: datetime.datetime,
) -> Iterator[BatchBoundary]:
    """Where each batch ends."""
    if not prepared_email.always_fits:
        for readers in split_into_batches(
            prepared_email, iter_audience(connection, condition=segment_condition, at=now)
        ):
            yield BatchBoundary(readers[-1].id, len(readers))
        return
    ids = (
        sa.select(subscriber.c.id)
        .where(MAILABLE, segment_condition, subscriber.c.id > sa.bindparam("after"))
        .order_by(subscriber.c.id)
        .limit(prepared_email.batch_size)
        .subquery()
    )
    following = sa.select(sa.func.max(ids.c.id), sa.func.count())
    cut = BatchBoundary(0, 0)
    while (
        cut := BatchBoundary(
            *connection.execute(following, {"after": cut.last_id, "moment": now}).one()
        )
    ).size:
        yield cut


def _build_recipient_insert(segment_condition: sa.ColumnElement[bool]) -> sa.Insert:
    """Puts the readers of one batch in; inside the database, they needn't pass through here."""
    readers = (
        sa.select(
            sa.bindparam("to_send", type_=BigIntKey),
            subscriber.c.id,
            subscriber.c.address_key,
            sa.bindparam("to_batch", type_=BigIntKey),
        )
        .where(
            MAILABLE,
            segment_condition,
            subscriber.c.id > sa.bindparam("after"),
            subscriber.c.id <= sa.bindparam("last"),
        )
        .order_by(subscriber.c.id)
    )
    columns = ("send_id", "subscriber_id", "address_key", "batch_id")
    return sa.insert(send_recipient).from_select(columns, readers)
