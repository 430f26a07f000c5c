"""Timeline of a PostgreSQL server, by which a failover is noticed.

A standby that is promoted begins a new timeline; a restart or a crash does not. The timeline is
noted in the database. It is compared in the statements that claim batches, so that none is claimed
on a server that was promoted since, whatever leads to it: a new connection, a pooler, or a session
that the server had as a standby.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from newsletter.errors import DatabaseError, DatabaseUnavailableError

TIMELINE_KEY = "database_timeline"
# The first eight digits of the name of the log file that is written now. Any role may ask for it.
# ``pg_control_checkpoint()`` has the timeline of the last checkpoint, which can be minutes old.
_TIMELINE = "left(pg_walfile_name(pg_current_wal_lsn()), 8)"
_IS_SAME = (
    f"NOT EXISTS (SELECT FROM setting WHERE key = '{TIMELINE_KEY}' AND value <> "
    f"CASE WHEN pg_is_in_recovery() THEN value ELSE {_TIMELINE} END)"
)


class SameTimeline(sa.ColumnElement[bool]):
    """SQL condition: the server's timeline is the noted one, or none is noted.

    Always true on SQLite, and on a standby, which has none of its own.
    """

    inherit_cache = True
    type = sa.Boolean()


@compiles(SameTimeline)
def _compile_always(_element: SameTimeline, _compiler: Any, **_options: Any) -> str:
    return "1 = 1"


@compiles(SameTimeline, "postgresql")
def _compile_comparison(_element: SameTimeline, _compiler: Any, **_options: Any) -> str:
    return _IS_SAME


def read_timeline(connection: sa.Connection) -> str | None:
    """Return the timeline of a PostgreSQL server in a transaction.

    Returns:
        ``None`` for a standby; ``""`` if the server does not say, as Amazon Aurora does not.

    Raises:
        DatabaseUnavailableError: it can't say at the moment; that must not pass for never.
    """
    if connection.scalar(sa.text("SELECT pg_is_in_recovery()")):
        return None
    try:
        with connection.begin_nested():
            return str(connection.scalar(sa.text(f"SELECT {_TIMELINE}")))
    except (DatabaseError, sa.exc.DBAPIError) as error:
        is_temporary = isinstance(error, DatabaseUnavailableError) and not _is_unsupported(error)
        if connection.invalidated or is_temporary:
            raise
        return ""


def _is_unsupported(error: DatabaseUnavailableError) -> bool:
    """Return whether a server that is no standby has answered as one does, for good."""
    cause = getattr(error.__cause__, "orig", error.__cause__)
    return getattr(cause, "sqlstate", None) == "55000"  # object_not_in_prerequisite_state
