"""The pause that the provider asked for (rate limit).

One row, which the senders of all processes read.
"""

import datetime

import sqlalchemy as sa

from newsletter.db.bulk import insert_or_ignore
from newsletter.db.schema import provider_pause


def provider_paused_condition(now: sa.BindParameter[datetime.datetime]) -> sa.ColumnElement[bool]:
    """Return a condition that holds while the provider has asked all senders to wait."""
    return sa.exists().where(provider_pause.c.paused_until > now)


def select_paused_until() -> sa.ScalarSelect[datetime.datetime]:
    """Return a subquery for the end of the latest pause; NULL if there has been none."""
    return sa.select(provider_pause.c.paused_until).scalar_subquery()


def pause_provider(connection: sa.Connection, until: datetime.datetime) -> None:
    """Keep all senders from starting a request before ``until``; a longer pause is kept."""
    connection.execute(
        insert_or_ignore(connection, provider_pause).values(id=1, paused_until=until)
    )
    connection.execute(
        sa.update(provider_pause)
        .where(provider_pause.c.paused_until < until)
        .values(paused_until=until)
    )
