"""Update what subscribers choose themselves: name, tags, a pause.

None of these changes their status. Each function runs within the caller's transaction.
"""

import datetime
from collections.abc import Collection

import sqlalchemy as sa

from newsletter.db.bulk import insert_or_ignore
from newsletter.db.schema import subscriber, subscriber_tag


def set_subscriber_name(
    connection: sa.Connection, id_: int, name: str, now: datetime.datetime
) -> None:
    """Set a subscriber's name; ``""`` to remove it."""
    _update_subscriber(connection, id_, now, name=name)


def set_paused_until(
    connection: sa.Connection,
    id_: int,
    until: datetime.datetime | None,
    now: datetime.datetime,
) -> None:
    """Pause a subscription until a moment; ``None`` ends the pause. The status stays active."""
    _update_subscriber(connection, id_, now, paused_until=until)


def set_chosen_tags(
    connection: sa.Connection, id_: int, offered: Collection[str], chosen: Collection[str]
) -> None:
    """Set which of the offered tags a subscriber has; all other tags stay.

    The case of letters is ignored, as in a query: a tag that is not chosen is removed in all its
    spellings.
    """
    is_theirs = subscriber_tag.c.subscriber_id == id_
    theirs = connection.scalars(sa.select(subscriber_tag.c.tag).where(is_theirs)).all()
    declined = {tag.casefold() for tag in offered if tag not in chosen}
    removed = [tag for tag in theirs if tag.casefold() in declined]
    connection.execute(
        sa.delete(subscriber_tag).where(is_theirs, subscriber_tag.c.tag.in_(removed))
    )
    known = {tag.casefold() for tag in theirs}
    rows = [
        {"subscriber_id": id_, "tag": tag}
        for tag in offered
        if tag in chosen and tag.casefold() not in known
    ]
    if rows:
        connection.execute(insert_or_ignore(connection, subscriber_tag), rows)


def _update_subscriber(
    connection: sa.Connection,
    id_: int,
    now: datetime.datetime,
    **values: str | datetime.datetime | None,
) -> None:
    update = sa.update(subscriber).where(subscriber.c.id == id_)
    connection.execute(update.values(updated_at=now, **values))
