"""Find the sends cancelled at the provider before anybody got them."""

import datetime

import sqlalchemy as sa

from newsletter.db.schema import event, send

# SendGrid guarantees a cancellation until this long before a send's time.
PROVIDER_GUARANTEE = datetime.timedelta(minutes=10)
_ARRIVED = ("delivered", "open", "click", "spamreport", "unsubscribe", "group_unsubscribe")


def find_recalled_in_time(connection: sa.Connection) -> frozenset[int]:
    """Return the ids of the sends that were recalled in time, so that nobody has the email.

    A send that was recalled too late, or of which an event says that somebody has it, is not one of
    them.

    Args:
        connection: in a transaction.
    """
    arrived = sa.exists().where(event.c.send_id == send.c.id, event.c.type.in_(_ARRIVED))
    query = sa.select(send.c.id, send.c.scheduled_at, send.c.recalled_at).where(
        send.c.recalled_at.is_not(None), send.c.scheduled_at.is_not(None), ~arrived
    )
    return frozenset(
        id_
        for id_, scheduled_at, recalled_at in connection.execute(query)
        if scheduled_at - recalled_at >= PROVIDER_GUARANTEE
    )
