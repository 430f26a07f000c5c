"""Load the earlier emails that a new article is compared with."""

import sqlalchemy as sa

from newsletter.checks.analysis.article_similarity import EarlierEmail
from newsletter.db.schema import batch, send, send_content, send_recipient
from newsletter.subscribers.sends_with_catch_ups import load_sends_with_catch_ups


def load_earlier_emails(connection: sa.Connection, issue_name: str) -> tuple[EarlierEmail, ...]:
    """Return the emails of all other issues that somebody has or will get, the latest first.

    Args:
        connection: in a read transaction.
        issue_name: the issue that they are compared with.
    """
    has_recipients = sa.exists().where(getting_condition(send.c.id)).correlate(send)
    query = (
        sa.select(send.c.id, send.c.issue, send.c.frozen_at, send_content.c.text)
        .join(send_content, send_content.c.send_id == send.c.id)
        .where(send.c.issue != issue_name, has_recipients)
    )
    return tuple(
        EarlierEmail(first.id, first.issue, first.frozen_at, first.text)
        for first, *_ in load_sends_with_catch_ups(connection, query)
    )


def getting_condition(send_id: sa.ColumnElement[int] | int) -> sa.ColumnElement[bool]:
    """Return the condition on ``send_recipient`` that a recipient of an issue has or will get it.

    Recipients of catch-ups count. Of a cancelled send only those will get it whose request is in
    flight.

    Args:
        send_id: the issue's send, not a catch-up.
    """
    cancelled = send.alias()
    is_cancelled = sa.exists().where(
        cancelled.c.id == send_recipient.c.send_id, cancelled.c.state == "cancelled"
    )
    in_flight = sa.exists().where(
        batch.c.id == send_recipient.c.batch_id, batch.c.state == "in_flight"
    )
    recipients = send_recipient.c
    will_get = sa.and_(recipients.state == "pending", sa.or_(~is_cancelled, in_flight))
    return sa.and_(
        recipients.root_id == send_id,
        sa.or_(recipients.state.in_(("accepted", "unknown")), will_get),
    )
