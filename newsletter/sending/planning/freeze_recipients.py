"""Freeze the recipients and their batches.

The list is queried once; later changes of the list add nobody to the send.
"""

import datetime
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from newsletter.db import snapshot_write_transaction
from newsletter.db.bulk import column_in_parameter
from newsletter.db.schema import BigIntKey, attempt, batch, send, send_recipient, subscriber
from newsletter.errors import SendRefusedError
from newsletter.render.email import Email
from newsletter.sending.ledger.copied_database import require_adopted
from newsletter.sending.ledger.notification_claims import delete_notification_claims
from newsletter.sending.ledger.recall_record import set_recalled_send_aside
from newsletter.sending.ledger.record import Ledger, Send, get_send, sent_condition
from newsletter.sending.planning.catch_up_audience import (
    count_catch_up_exclusions,
    exclude_earlier_recipients,
)
from newsletter.sending.planning.frozen_content import save_frozen_email
from newsletter.sending.planning.preflight import no_recipients_problem
from newsletter.sending.providers.prepared_email import PreparedEmail, split_into_batches
from newsletter.subscribers import ALL_SUBSCRIBERS, MAILABLE, count_exclusions, iter_audience
from newsletter.subscribers.segments import Segment
from newsletter.subscribers.send_names import CATCH_UP_MARK, make_catch_up_name
from newsletter.subscribers.topics import delete_send_topic, insert_send_topic, limit_to_topic
from newsletter.subscribers.tracking_groups import list_tracking_groups
from newsletter.subscribers.tracking_record import delete_tracking

# Selected at once: a segment can take as long to evaluate for one batch as for the whole list
# (SQLite collects the ids of a tag first), so it isn't evaluated batch by batch.
RECIPIENTS_PER_PAGE = 50_000


def freeze_send(  # noqa: PLR0913 - all that a plan consists of
    ledger: Ledger,
    prepared_email: PreparedEmail,
    expected_total: int | None = None,
    segment: Segment | None = None,
    allowed: Mapping[str, str] | None = None,
    *,
    topic: str = "",
    recalled: Sequence[Send] = (),
    parent: Send | None = None,
) -> Send:
    """Record who gets the issue, in which batches, and the email, in one transaction.

    Args:
        ledger: the ledger.
        prepared_email: the email to freeze.
        expected_total: how many recipients the editor has confirmed.
        segment: the segment that it is sent to, if not to the whole list.
        allowed: rule of ``newsletter check`` -> why the editor allows its findings.
        topic: the issue's topic, if it has one: who has opted out of it is left out. A catch-up has
            that of ``parent``.
        recalled: earlier sends of the issue which were recalled; they are set aside.
        parent: the send that a catch-up adds to: its recipients, and those of its earlier
            catch-ups, are left out.

    Raises:
        SendRefusedError: there is a send of this issue already, there are no recipients, their
            number isn't the expected one, or the database is a copy that has not been adopted.
            Nothing is written then.
    """
    condition = segment.condition if segment else ALL_SUBSCRIBERS
    topic = parent.topic if parent else topic
    query = segment.text if segment else ""
    issue = name = prepared_email.email.issue
    try:
        with snapshot_write_transaction(ledger.engine) as connection:
            require_adopted(connection)
            now = ledger.clock(connection)
            for recalled_send in recalled:
                set_recalled_send_aside(connection, recalled_send)
            # Those of a catch-up before its recipients are inserted: then they have it already.
            excluded = (
                count_catch_up_exclusions(connection, parent, condition, now)
                if parent
                else dict(count_exclusions(connection, condition, topic=topic, at=now))
            )
            condition = limit_to_topic(condition, topic)
            if parent:
                name = _choose_catch_up_name(connection, issue)
                condition = exclude_earlier_recipients(connection, condition, parent)
            send_id = _insert_send(
                connection,
                prepared_email.email,
                name,
                parent=parent,
                frozen_at=now,
                segment=query,
            )
            send_ids = (send_id, parent.id if parent else send_id)
            total = _insert_batches(connection, send_ids, prepared_email, condition, now)
            if parent and not total:
                raise _already_caught_up_error(parent)
            _check_total(total, expected_total, segment, topic)
            insert_send_topic(connection, send_id, topic)
            values = {"total": total, "excluded": excluded, "allowed": dict(allowed or {})}
            connection.execute(sa.update(send).where(send.c.id == send_id).values(values))
            save_frozen_email(connection, send_id, prepared_email.email)
    except sa.exc.IntegrityError:
        raise SendRefusedError(
            f"another sender has started to send {name}",
            remedy="Nothing was sent. Wait until it has finished.",
        ) from None
    frozen = get_send(ledger, name)
    assert frozen is not None
    return frozen


def discard_send(ledger: Ledger, send_record: Send) -> None:
    """Delete a send of which nothing was sent, so that it can be planned again.

    Raises:
        SendRefusedError: something may have been sent.
    """
    batch_ids = sa.select(batch.c.id).where(batch.c.send_id == send_record.id)
    with ledger.engine.begin() as connection:
        # From here on no batch of it can be claimed: a claim requires the state 'running'.
        cancelled = connection.execute(
            sa.update(send)
            .where(send.c.id == send_record.id, send.c.state == send_record.state)
            .values(state="cancelled")
        )
        if not cancelled.rowcount or connection.scalar(
            sa.select(sent_condition(send_record.id, ledger.clock(connection)))
        ):
            raise SendRefusedError(f"{send_record.issue} is being sent by another command")
        connection.execute(sa.delete(attempt).where(attempt.c.batch_id.in_(batch_ids)))
        connection.execute(
            sa.delete(send_recipient).where(send_recipient.c.send_id == send_record.id)
        )
        connection.execute(
            sa.update(batch).where(batch.c.send_id == send_record.id).values(parent_id=None)
        )
        connection.execute(sa.delete(batch).where(batch.c.send_id == send_record.id))
        connection.execute(sa.delete(send).where(send.c.id == send_record.id))
        delete_notification_claims(connection, send_record.id)
        delete_send_topic(connection, send_record.id)
        delete_tracking(connection, send_record.issue)


def _already_caught_up_error(parent: Send) -> SendRefusedError:
    return SendRefusedError(
        f"another command has begun to send {parent.issue} to the readers who joined since",
        remedy=f"Nothing was sent. See: newsletter status {parent.slug}",
    )


def _check_total(
    total: int, expected_total: int | None, segment: Segment | None, topic: str
) -> None:
    if not total:
        raise SendRefusedError.from_problems([no_recipients_problem(segment, topic)])
    if expected_total is not None and total != expected_total:
        raise SendRefusedError(
            f"the list has changed: {total:,} readers now, {expected_total:,} when it was shown",
            remedy="Nothing was sent. Run it again to see the new count.",
        )


def _choose_catch_up_name(connection: sa.Connection, issue: str) -> str:
    is_derived = send.c.issue.startswith(issue + CATCH_UP_MARK, autoescape=True)
    taken = connection.scalars(sa.select(send.c.issue).where(is_derived)).all()
    return make_catch_up_name(issue, taken)


def _insert_send(
    connection: sa.Connection, email: Email, name: str, *, parent: Send | None, **columns: Any
) -> int:
    values: dict[str, Any] = {
        **columns,
        "issue": name,
        "parent_id": parent.id if parent else None,
        "state": "frozen",
        "content_sha": email.content_sha,
        "subject": email.subject,
        "total": 0,
        "excluded": {},
    }
    send_id: int = connection.execute(
        sa.insert(send).values(values).returning(send.c.id)
    ).scalar_one()
    return send_id


def _insert_batches(
    connection: sa.Connection,
    send_ids: tuple[int, int],
    prepared_email: PreparedEmail,
    segment_condition: sa.ColumnElement[bool],
    now: datetime.datetime,
) -> int:
    """Insert the batches and their recipients; return how many recipients there are.

    ``send_ids`` are that of the send and that of the root.
    """
    send_id, root_id = send_ids
    number, total = 0, 0
    insert_batches = sa.insert(batch).returning(batch.c.id, sort_by_parameter_order=True)
    insert_recipients = _build_recipient_insert(connection)
    batches = _iter_batches(connection, prepared_email, segment_condition, now)
    while page := list(itertools.islice(batches, _batches_per_page(prepared_email))):
        rows = [
            {
                "send_id": send_id,
                "number": number,
                "size": len(subscriber_ids),
                "state": "ready",
                "variant": variant,
            }
            for number, (variant, subscriber_ids) in enumerate(page, number + 1)
        ]
        batch_ids = connection.scalars(insert_batches, rows).all()
        connection.execute(
            insert_recipients,
            [
                {
                    "to_send": send_id,
                    "to_batch": batch_id,
                    "to_root": root_id,
                    "to_variant": variant,
                    "subscriber_ids": subscriber_ids,
                }
                for batch_id, (variant, subscriber_ids) in zip(batch_ids, page, strict=True)
            ],
        )
        number += len(page)
        total += sum(len(subscriber_ids) for _, subscriber_ids in page)
    return total


def _iter_batches(
    connection: sa.Connection,
    prepared_email: PreparedEmail,
    segment_condition: sa.ColumnElement[bool],
    now: datetime.datetime,
) -> Iterator[tuple[str, Sequence[int]]]:
    """Yield the variant and the subscriber ids of each batch.

    First all of one variant, in the order of ``VARIANTS``; within it, the ids ascend.
    """
    for group in list_tracking_groups(prepared_email.config.tracking):
        condition = segment_condition
        if group.condition is not ALL_SUBSCRIBERS:
            condition = sa.and_(segment_condition, group.condition)
        for subscriber_ids in _iter_group_batches(connection, prepared_email, condition, now):
            yield group.variant, subscriber_ids


def _iter_group_batches(
    connection: sa.Connection,
    prepared_email: PreparedEmail,
    segment_condition: sa.ColumnElement[bool],
    now: datetime.datetime,
) -> Iterator[Sequence[int]]:
    """Yield the subscriber ids of each batch of one group, ascending."""
    if not prepared_email.always_fits:
        audience = iter_audience(connection, condition=segment_condition, at=now)
        for recipients in split_into_batches(prepared_email, audience):
            yield [recipient.id for recipient in recipients]
        return
    batch_size = prepared_email.batch_size
    page_size = batch_size * _batches_per_page(prepared_email)
    query = (
        sa.select(subscriber.c.id)
        .where(MAILABLE, segment_condition, subscriber.c.id > sa.bindparam("after"))
        .order_by(subscriber.c.id)
        .limit(page_size)
    )
    after = 0
    while page := connection.scalars(query, {"after": after, "moment": now}).all():
        for start in range(0, len(page), batch_size):
            yield page[start : start + batch_size]
        if len(page) < page_size:
            return
        after = page[-1]


def _batches_per_page(prepared_email: PreparedEmail) -> int:
    return max(1, RECIPIENTS_PER_PAGE // prepared_email.batch_size)


def _build_recipient_insert(connection: sa.Connection) -> sa.Insert:
    """Build the statement that inserts the recipients of one batch, given their ids.

    It repeats nothing of the segment's condition: a list of values in it (``IN``) can't be part
    of a statement that is executed for many batches at once. Names and addresses stay inside the
    database.
    """
    recipients = (
        sa.select(
            sa.bindparam("to_send", type_=BigIntKey),
            subscriber.c.id,
            subscriber.c.address_key,
            sa.bindparam("to_batch", type_=BigIntKey),
            sa.bindparam("to_root", type_=BigIntKey),
            sa.bindparam("to_variant", type_=sa.Text),
        )
        .where(column_in_parameter(connection, subscriber.c.id, "subscriber_ids"))
        .order_by(subscriber.c.id)
    )
    columns = ("send_id", "subscriber_id", "address_key", "batch_id", "root_id", "variant")
    return sa.insert(send_recipient).from_select(columns, recipients)
