"""What subscribers choose themselves: name, tags, pause.

None of it is a change of their status. Each function is a part of the caller's transaction.
"""

import datetime
from collections.abc import Collection

import sqlalchemy as sa

from newsletter.db.bulk import insert_or_ignore
from newsletter.db.schema import subscriber, subscriber_tag


def set_subscriber_name(
    connection: sa.Connection, id_: int, name: str, now: datetime.datetime
) -> None:
    """Write down what a reader wants to be called; ``""`` for nothing."""
    _update_subscriber(connection, id_, now, name=name)


def set_paused_until(
    connection: sa.Connection,
    id_: int,
    until: datetime.datetime | None,
    now: datetime.datetime,
) -> None:
    """Send a reader nothing until then; ``None`` ends their pause. They stay active."""
    _update_subscriber(connection, id_, now, paused_until=until)


def set_chosen_tags(
    connection: sa.Connection, id_: int, offered: Collection[str], chosen: Collection[str]
) -> None:
    """Give a reader those of the offered tags that they have chosen; other tags stay."""
    mine = subscriber_tag.c.subscriber_id == id_
    dropped = [tag for tag in offered if tag not in chosen]
    connection.execute(sa.delete(subscriber_tag).where(mine, subscriber_tag.c.tag.in_(dropped)))
    rows = [{"subscriber_id": id_, "tag": tag} for tag in offered if tag in chosen]
    if rows:
        connection.execute(insert_or_ignore(connection, subscriber_tag), rows)


def _update_subscriber(
    connection: sa.Connection,
    id_: int,
    now: datetime.datetime,
    **values: str | datetime.datetime | None,
) -> None:
    mine = sa.update(subscriber).where(subscriber.c.id == id_)
    connection.execute(mine.values(updated_at=now, **values))
