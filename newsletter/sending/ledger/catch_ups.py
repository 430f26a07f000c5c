"""Find the catch-ups of a send, and who is a recipient of any of them.

A catch-up sends an issue to readers who joined after its first send, its parent. The unique key of
``send_recipient`` keeps anybody from being a recipient of an issue twice.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import send, send_recipient, subscriber
from newsletter.sending.ledger.record import Ledger, Send, load_sends
from newsletter.subscribers.send_names import RECALLED_MARK


def list_catch_ups(ledger: Ledger, parent: Send) -> list[Send]:
    """Return the catch-ups of a send, the latest first; not those that were set aside."""
    with read_transaction(ledger.engine) as connection:
        return load_sends(connection, send.c.parent_id == parent.id)[::-1]


def load_parent(ledger: Ledger, send_record: Send) -> Send:
    """Return the send that a catch-up adds to; of any other send, itself."""
    if send_record.parent_id is None:
        return send_record
    with read_transaction(ledger.engine) as connection:
        (parent,) = load_sends(connection, send.c.id == send_record.parent_id)
    return parent


def load_delivered_recalls(connection: sa.Connection, parent: Send) -> Sequence[int]:
    """Return the ids of the sends that were set aside as recalled, and delivered all the same.

    By their names: they have the issue's, and no ``root_id`` tells of them.
    """
    query = sa.select(send.c.id).where(
        send.c.issue.startswith(f"{parent.issue}~", autoescape=True),
        send.c.issue.contains(RECALLED_MARK, autoescape=True),
        send.c.recalled_at.is_(None),
    )
    return connection.scalars(query).all()


def delivered_recipient_condition(send_ids: Sequence[int]) -> sa.ColumnElement[bool]:
    """Return the condition that a subscriber may have got it by one of these sends.

    Args:
        send_ids: from ``load_delivered_recalls``.
    """
    recipients = send_recipient.alias()
    may_have_it = recipients.c.state.in_(("accepted", "unknown"))
    has_address = sa.exists().where(
        recipients.c.root_id.in_(send_ids),
        recipients.c.address_key == subscriber.c.address_key,
        may_have_it,
    )
    has_id = sa.exists().where(
        recipients.c.send_id.in_(send_ids),
        recipients.c.subscriber_id == subscriber.c.id,
        may_have_it,
    )
    return sa.or_(has_address.correlate(subscriber), has_id.correlate(subscriber))


def recipient_condition(
    parent_id: int, *states: str, besides: Sequence[Send] = ()
) -> sa.ColumnElement[bool]:
    """Return the condition that a subscriber is a recipient of a send or of its catch-ups.

    By the address, and by the subscriber's id: who has changed the address has the issue already.

    Args:
        parent_id: the send.
        states: of a recipient; without any, all.
        besides: catch-ups that don't count, since they are to be replaced.
    """
    by_address, by_id = send_recipient.alias(), send_recipient.alias()

    def counts(table: sa.FromClause) -> sa.ColumnElement[bool]:
        in_state = table.c.state.in_(states) if states else sa.true()
        return sa.and_(in_state, _is_not_in(table, besides)) if besides else in_state

    has_address = sa.exists().where(
        by_address.c.root_id == parent_id,
        by_address.c.address_key == subscriber.c.address_key,
        counts(by_address),
    )
    has_id = sa.exists().where(
        by_id.c.send_id.in_(_select_sends(parent_id)),
        by_id.c.subscriber_id == subscriber.c.id,
        counts(by_id),
    )
    return sa.or_(has_address.correlate(subscriber), has_id.correlate(subscriber))


def listed_recipient_condition(
    parent_id: int, *states: str, besides: Sequence[Send] = ()
) -> sa.ColumnElement[bool]:
    """Return the same condition in a form that is fast if few recipients are in the states.

    The arguments are those of ``recipient_condition``.
    """
    is_listed: sa.ColumnElement[bool] = send_recipient.c.state.in_(states)
    if besides:
        is_listed = sa.and_(is_listed, _is_not_in(send_recipient, besides))
    ids = sa.select(send_recipient.c.subscriber_id).where(
        send_recipient.c.send_id.in_(_select_sends(parent_id)), is_listed
    )
    keys = sa.select(send_recipient.c.address_key).where(
        send_recipient.c.root_id == parent_id, is_listed
    )
    return sa.or_(subscriber.c.id.in_(ids), subscriber.c.address_key.in_(keys))


def _is_not_in(recipients: sa.FromClause, besides: Sequence[Send]) -> sa.ColumnElement[bool]:
    return recipients.c.send_id.not_in([replaced.id for replaced in besides])


def _select_sends(parent_id: int) -> sa.Select[int]:
    is_family = sa.or_(send.c.id == parent_id, send.c.parent_id == parent_id)
    return sa.select(send.c.id).where(is_family).correlate(None)
