"""Identity of a database: whose it is, and whether it is a copy.

A copy (a restored backup, a copied file, a restored dump) does not know what the original has sent
since it was made. So each database notes where it is, once there and once outside the copied data:

- SQLite: in a file beside the database, the mark. It has the inode of the database file, its own
  inode and generation, and a number that grows with every group of requests. A copy has another
  inode, no mark, a mark that is itself a copy, or a smaller number.
- PostgreSQL: the server's system identifier, and the ``oid`` of the database and of the table
  ``send``, which a restored dump does not keep. A standby keeps all three, and so does a physical
  copy of a whole server; but it has another timeline once it is promoted, or restored to a point in
  time.

``newsletter db copy`` notes in both databases what it does: the source is retired then, and a
target that is not finished is not used.
"""

import json
import secrets
from typing import Any, Literal, cast

import sqlalchemy as sa

from newsletter.db.bulk import insert_or_ignore
from newsletter.db.errors import database_error
from newsletter.db.identity_mark import DatabaseMark, find_inode, save_mark
from newsletter.db.postgresql.timeline import TIMELINE_KEY, read_timeline
from newsletter.db.schema import setting
from newsletter.db.stored_settings import read_setting, write_setting
from newsletter.db.transaction import (
    begin_postgresql,
    begin_sqlite,
    is_read_only,
    read_transaction,
)
from newsletter.errors import DatabaseError, Location

_IDENTITY_KEY = "database_identity"
_HIGH_WATER_KEY = "database_high_water"
_OWNER_KEY = "newsletter_id"
# Present while a database that was recognized as a copy has not been adopted.
COPIED_KEY = "database_copied"
# Of records of what runs where the database is; a copy forgets them.
HEARTBEAT_PREFIX = "heartbeat."
# When the last failover was noticed; in JSON.
FAILOVER_KEY = "database_failover"
IDENTITY_KEYS = (_IDENTITY_KEY, _HIGH_WATER_KEY, COPIED_KEY, TIMELINE_KEY, FAILOVER_KEY)
# Of ``newsletter db copy``, in JSON: in the source, where its content is now; in the target, where
# it comes from, and what is copied so far.
MOVED_TO_KEY = "database_moved_to"
MOVED_FROM_KEY = "database_moved_from"
MOVE_KEYS = (MOVED_TO_KEY, MOVED_FROM_KEY)

# ``missing``: it was never sent from. ``partial``: it is the same, as far as is noted.
# ``failed_over``: it is the same, on a server that was promoted since.
IdentityState = Literal["missing", "same", "partial", "failed_over", "different"]
_RETIRED_OPTION = "newsletter_retired"


def read_owner(connection: sa.Connection) -> str:
    """Return the id of the newsletter to which the database belongs; ``""`` if none is noted."""
    return read_setting(connection, _OWNER_KEY) or ""


def other_owner_error(owner: str, where: Location) -> DatabaseError:
    """Return the error for a database that belongs to another newsletter."""
    return database_error(
        f"the database belongs to another newsletter, with the id {owner}",
        where,
        "Set database: in newsletter.yml to a database of its own. If it is the same "
        f"newsletter, set id: {owner} there.",
    )


def guard_moved_database(engine: sa.Engine, where: Location) -> None:
    """Refuse a database to which a copy is not finished, and writes to one that is retired.

    Args:
        engine: the database, just opened.
        where: the database, in a form that may be displayed.

    Raises:
        DatabaseError: what is copied to the database is not complete.
    """
    with read_transaction(engine) as connection:
        query = sa.select(setting.c.key, setting.c.value).where(setting.c.key.in_(MOVE_KEYS))
        notes = {row.key: json.loads(row.value) for row in connection.execute(query)}
    source = notes.get(MOVED_FROM_KEY, {"is_complete": True})
    if not source["is_complete"]:
        raise database_error(
            f"the copy of {source['url']} into this database is not finished",
            where,
            f"Finish it with: newsletter db copy {source['url']} {source['target_url']}",
        )
    if MOVED_TO_KEY in notes:
        retired = retired_error(notes[MOVED_TO_KEY], where)
        engine.update_execution_options(**{_RETIRED_OPTION: retired})

        def refuse_to_write(connection: sa.Connection) -> None:
            if not is_read_only(connection):
                raise retired

        sa.event.listen(engine, "begin", refuse_to_write)


def find_retirement(engine: sa.Engine) -> DatabaseError | None:
    """Return the error of every write to a database that was retired when it was opened."""
    return cast("DatabaseError | None", engine.get_execution_options().get(_RETIRED_OPTION))


def retired_error(moved_to: dict[str, Any], where: Location, remedy: str = "") -> DatabaseError:
    """Return the error for a database whose content was copied to another one.

    Args:
        moved_to: the value of ``MOVED_TO_KEY``.
        where: the retired database.
        remedy: what to do instead of using the other one.
    """
    return database_error(
        f"this database was copied to {moved_to['url']} on {moved_to['at'][:10]}, and is retired",
        where,
        remedy or f"Set database: {moved_to['url']} in newsletter.yml.",
    )


class OwnerCheck:
    """A handler of SQLAlchemy's ``begin`` event: no newsletter writes to another one's database.

    A database without an owner belongs to the first newsletter that writes to it. It is adopted in
    a short transaction of its own, before the first that writes: a long one would make the first
    write of every other process wait for its end. It is called after the handler that begins.

    Args:
        newsletter_id: ``id`` of newsletter.yml.
        where: the database, in a form that may be displayed.
    """

    def __init__(self, newsletter_id: str, where: Location) -> None:
        self._newsletter_id = newsletter_id
        self._where = where
        self._is_checked = False

    def __call__(self, connection: sa.Connection) -> None:
        """Check the owner before the first transaction that may write.

        Raises:
            DatabaseError: the database belongs to another newsletter.
        """
        if self._is_checked or is_read_only(connection):
            return
        owner = self._read_or_adopt(connection)
        if owner != self._newsletter_id:
            raise other_owner_error(owner, self._where)
        self._is_checked = True

    def _read_or_adopt(self, connection: sa.Connection) -> str:
        """Return the owner; begin the transaction anew after the one that this takes."""
        is_sqlite = connection.dialect.name == "sqlite"
        begin = begin_sqlite if is_sqlite else begin_postgresql
        if not is_sqlite:
            connection.exec_driver_sql("COMMIT")
            # Whatever the next transaction needs: at a higher level, the insert fails if another
            # process has adopted the database since the snapshot, and that owner isn't seen.
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            begin(connection)
        owner = read_owner(connection)
        if not owner:
            values = {"key": _OWNER_KEY, "value": self._newsletter_id}
            connection.execute(insert_or_ignore(connection, setting).values(values))
            owner = read_owner(connection)  # the first, if there are several
        connection.exec_driver_sql("COMMIT")
        begin(connection)
        return owner


def compare_identity(connection: sa.Connection, mark: DatabaseMark | None) -> IdentityState:
    """Compare where the database is with where it was when it was last written.

    Args:
        connection: in a transaction that began after the mark was read: then the mark is never
            ahead of the database.
        mark: from ``load_mark``.
    """
    identity = read_setting(connection, _IDENTITY_KEY)
    if identity is None:
        return "missing"
    if connection.dialect.name != "sqlite":
        state = _compare_places(identity, locate_tables(connection))
        if state == "different":
            return state
        timeline = _compare_timeline(connection)
        return state if timeline == "same" else timeline
    high_water = int(read_setting(connection, _HIGH_WATER_KEY) or 0)
    is_same = (
        mark is not None
        and mark.identity == identity
        and mark.inode == find_inode(connection.engine)
        and mark.high_water <= high_water
    )
    return "same" if is_same else "different"


def lock_identity(connection: sa.Connection) -> None:
    """Keep other processes from changing the identity until the transaction ends."""
    # On SQLite, a transaction that writes excludes all others already.
    connection.execute(
        sa.select(setting.c.value).where(setting.c.key == _IDENTITY_KEY).with_for_update()
    )


def mark_as_moved(connection: sa.Connection) -> None:
    """Let a database be recognized as a copy, since it is one, even if a mark would fit it.

    The file may get the inode of the deleted one, beside which the mark was left.
    """
    write_setting(connection, _IDENTITY_KEY, "")


def has_identity(connection: sa.Connection) -> bool:
    """Return whether the database has an identity; one that was never sent from has none."""
    return read_setting(connection, _IDENTITY_KEY) is not None


def set_identity(connection: sa.Connection) -> None:
    """Give the database a new identity, here where it is now.

    Raises:
        DatabaseError: the mark can't be written.
    """
    if connection.dialect.name != "sqlite":
        write_setting(connection, _IDENTITY_KEY, locate_tables(connection))
        if timeline := read_timeline(connection):
            write_setting(connection, TIMELINE_KEY, timeline)
        else:
            connection.execute(sa.delete(setting).where(setting.c.key == TIMELINE_KEY))
        return
    high_water = int(read_setting(connection, _HIGH_WATER_KEY) or 0)
    mark = DatabaseMark(secrets.token_hex(8), find_inode(connection.engine), high_water)
    write_setting(connection, _IDENTITY_KEY, mark.identity)
    write_setting(connection, _HIGH_WATER_KEY, str(high_water))
    # Before the commit, so that a process which waits for it finds both.
    save_mark(connection.engine, mark)


def advance_high_water(connection: sa.Connection) -> int | None:
    """Count one more group of requests, in the transaction that marks them in flight.

    Returns:
        The number to pass to ``save_high_water`` after the commit; ``None`` if there is none.
    """
    if connection.dialect.name != "sqlite":
        return None  # a counter would make the senders wait for one another
    value = connection.scalar(
        sa.update(setting)
        .where(setting.c.key == _HIGH_WATER_KEY)
        .values(value=sa.cast(sa.cast(setting.c.value, sa.Integer) + 1, sa.Text))
        .returning(setting.c.value)
    )
    return None if value is None else int(value)


def locate_tables(connection: sa.Connection) -> str:
    """Return where the tables are: PostgreSQL's server, database and table, joined by dots.

    A managed server may not let the role call ``pg_control_system()``. Then the server is left
    out, and a copy is recognized unless both oids are the same by chance, as they can be in a dump
    of a dump.
    """
    query = (
        "SELECT concat(oid, '.', CAST(to_regclass('send') AS oid)) FROM pg_database "
        "WHERE datname = current_database()"
    )
    place = str(connection.scalar(sa.text(query)))
    may_identify = "SELECT has_function_privilege('pg_control_system()', 'EXECUTE')"
    if connection.scalar(sa.text(may_identify)):
        server = connection.scalar(sa.text("SELECT system_identifier FROM pg_control_system()"))
        place = f"{server}.{place}"
    return place


def _compare_places(noted: str, present: str) -> IdentityState:
    """Compare two places; one may lack the server, which was not always noted."""
    noted_parts, present_parts = (place.split(".")[::-1] for place in (noted, present))
    shared = zip(noted_parts, present_parts, strict=False)
    if any(before != now for before, now in shared):
        return "different"
    return "same" if len(noted_parts) >= len(present_parts) else "partial"


def _compare_timeline(connection: sa.Connection) -> Literal["same", "partial", "failed_over"]:
    present = read_timeline(connection)
    if present is None:
        return "same"
    noted = read_setting(connection, TIMELINE_KEY) or ""
    if noted and present and noted != present:
        return "failed_over"
    return "same" if noted == present else "partial"
