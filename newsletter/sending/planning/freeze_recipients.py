"""Freeze the recipients and their batches.

The list is queried once; later changes of the list add nobody to the send.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from newsletter.db import snapshot_write_transaction
from newsletter.db.postgresql.recipient_partitions import (
    drop_leftover_partitions,
    drop_partition,
    has_partition,
)
from newsletter.db.schema import attempt, batch, send, send_recipient
from newsletter.db.transaction import lift_statement_timeout
from newsletter.errors import SendRefusedError
from newsletter.render.email import Email
from newsletter.sending.ledger.copied_database import require_adopted
from newsletter.sending.ledger.notification_claims import delete_notification_claims
from newsletter.sending.ledger.recall_record import set_recalled_send_aside
from newsletter.sending.ledger.record import Ledger, Send, get_send, sent_condition
from newsletter.sending.planning.batches.insert_batches import SendKeys, insert_batches
from newsletter.sending.planning.catch_up_audience import (
    count_catch_up_exclusions,
    exclude_earlier_recipients,
)
from newsletter.sending.planning.frozen_content import save_frozen_email
from newsletter.sending.planning.preflight import no_recipients_problem
from newsletter.sending.providers.prepared_email import PreparedEmail
from newsletter.subscribers import ALL_SUBSCRIBERS, count_exclusions
from newsletter.subscribers.segments import Segment
from newsletter.subscribers.send_names import CATCH_UP_MARK, make_catch_up_name
from newsletter.subscribers.topics import delete_send_topic, insert_send_topic, limit_to_topic
from newsletter.subscribers.tracking_record import delete_tracking


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
    drop_leftover_partitions(ledger.engine)
    try:
        with snapshot_write_transaction(ledger.engine) as connection:
            lift_statement_timeout(connection)
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
            keys = SendKeys(send_id, parent.id if parent else send_id)
            total = insert_batches(connection, keys, prepared_email, condition, now)
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
        delete_recipients = sa.delete(send_recipient).where(
            send_recipient.c.send_id == send_record.id
        )
        is_partitioned = has_partition(connection, send_record.id)
        if not is_partitioned:
            connection.execute(delete_recipients)
        connection.execute(
            sa.update(batch).where(batch.c.send_id == send_record.id).values(parent_id=None)
        )
        connection.execute(sa.delete(batch).where(batch.c.send_id == send_record.id))
        connection.execute(sa.delete(send).where(send.c.id == send_record.id))
        delete_notification_claims(connection, send_record.id)
        delete_send_topic(connection, send_record.id)
        delete_tracking(connection, send_record.issue)
        if is_partitioned and not drop_partition(connection, send_record.id):
            connection.execute(delete_recipients)


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
