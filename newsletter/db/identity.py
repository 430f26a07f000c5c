"""Identity of a database: whose it is, and whether it is a copy.

A copy (a restored backup, a copied file, a restored dump) does not know what the original has sent
since it was made. So each database notes where it is, once there and once outside the copied data:

- SQLite: in a file beside the database, with the inode of the database file and a number that grows
  with every group of requests. A copy has another inode, no such file, or a smaller number.
- PostgreSQL: the ``oid`` of the database and of the table ``send``, which a restored dump does not
  keep. A physical copy of a whole server keeps them, and is not recognized.
"""

import json
import os
import secrets
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import sqlalchemy as sa

from newsletter.db.bulk import insert_or_ignore
from newsletter.db.errors import database_error
from newsletter.db.schema import setting
from newsletter.db.transaction import is_read_only
from newsletter.errors import Location, display_path

MARK_SUFFIX = ".mark"
_IDENTITY_KEY = "database_identity"
_HIGH_WATER_KEY = "database_high_water"
_OWNER_KEY = "newsletter_id"
IDENTITY_KEYS = (_IDENTITY_KEY, _HIGH_WATER_KEY)


@dataclass(frozen=True, slots=True)
class DatabaseMark:
    """What is noted outside the database.

    Attributes:
        identity: the same as in the database; random.
        inode: of the database file.
        high_water: the number of the last group of requests.
    """

    identity: str
    inode: int
    high_water: int


def read_owner(connection: sa.Connection) -> str:
    """Return the id of the newsletter to which the database belongs; ``""`` if none is noted."""
    return _read_setting(connection, _OWNER_KEY) or ""


class OwnerCheck:
    """A handler of SQLAlchemy's ``begin`` event: no newsletter writes to another one's database.

    A database without an owner belongs to the first newsletter that writes to it.

    Args:
        newsletter_id: ``id`` of newsletter.yml.
        where: the database, in a form that may be displayed.
    """

    def __init__(self, newsletter_id: str, where: Location) -> None:
        self._newsletter_id = newsletter_id
        self._where = where
        self._is_checked = False

    def __call__(self, connection: sa.Connection) -> None:
        """Check the owner in the first transaction that may write.

        Raises:
            DatabaseError: the database belongs to another newsletter.
        """
        if self._is_checked or is_read_only(connection):
            return
        owner = read_owner(connection)
        if not owner:
            # Checked again in the next transaction: this one may be undone.
            values = {"key": _OWNER_KEY, "value": self._newsletter_id}
            connection.execute(insert_or_ignore(connection, setting).values(values))
            owner = read_owner(connection)
        else:
            self._is_checked = owner == self._newsletter_id
        if owner != self._newsletter_id:
            raise database_error(
                f"the database belongs to another newsletter, with the id {owner}",
                self._where,
                "Set database: in newsletter.yml to a database of its own. If it is the same "
                f"newsletter, set id: {owner} there.",
            )


def is_at_home(connection: sa.Connection, mark: DatabaseMark | None) -> bool:
    """Return whether the database is where it was when it was last written.

    Args:
        connection: in a transaction that began after the mark was read: then the mark is never
            ahead of the database.
        mark: from ``read_mark``.
    """
    identity = _read_setting(connection, _IDENTITY_KEY)
    if connection.dialect.name != "sqlite":
        return identity is not None and identity == _table_identity(connection)
    high_water = int(_read_setting(connection, _HIGH_WATER_KEY) or 0)
    return (
        mark is not None
        and mark.identity == identity
        and mark.inode == _inode(connection.engine)
        and mark.high_water <= high_water
    )


def has_identity(connection: sa.Connection) -> bool:
    """Return whether the database has an identity; one that was never sent from has none."""
    return _read_setting(connection, _IDENTITY_KEY) is not None


def set_identity(connection: sa.Connection) -> None:
    """Give the database a new identity, here where it is now.

    Raises:
        DatabaseError: the mark can't be written.
    """
    if connection.dialect.name != "sqlite":
        _write_setting(connection, _IDENTITY_KEY, _table_identity(connection))
        return
    high_water = int(_read_setting(connection, _HIGH_WATER_KEY) or 0)
    mark = DatabaseMark(secrets.token_hex(8), _inode(connection.engine), high_water)
    _write_setting(connection, _IDENTITY_KEY, mark.identity)
    _write_setting(connection, _HIGH_WATER_KEY, str(high_water))
    try:
        # Before the commit, so that a process which waits for it finds both.
        _write_mark(connection.engine, mark)
    except OSError as error:
        raise database_error(
            f"could not write the file: {(error.strerror or str(error)).lower()}",
            Location(display_path(mark_path(_database_file(connection.engine)))),
            "Check the folder and its permissions.",
        ) from error


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


def save_high_water(engine: sa.Engine, high_water: int | None) -> None:
    """Note the number beside the database, before the first byte of the requests is sent."""
    mark = read_mark(engine) if high_water is not None else None
    if mark is None or high_water is None or high_water <= mark.high_water:
        return
    # On a full disk the send goes on: only the recognition of a later copy is less exact.
    with suppress(OSError):
        _write_mark(engine, DatabaseMark(mark.identity, mark.inode, high_water))


def read_mark(engine: sa.Engine) -> DatabaseMark | None:
    """Return what is noted beside a SQLite database; ``None`` if there is nothing readable."""
    if engine.dialect.name != "sqlite":
        return None
    try:
        data = json.loads(mark_path(_database_file(engine)).read_bytes())
        return DatabaseMark(str(data["identity"]), int(data["inode"]), int(data["high_water"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def mark_path(database: Path) -> Path:
    """Return the file beside a SQLite database in which its mark is noted."""
    return database.with_name(database.name + MARK_SUFFIX)


def _table_identity(connection: sa.Connection) -> str:
    """Return where the tables are on a PostgreSQL server."""
    query = (
        "SELECT concat(oid, '.', CAST(to_regclass('send') AS oid)) FROM pg_database "
        "WHERE datname = current_database()"
    )
    return str(connection.scalar(sa.text(query)))


def _read_setting(connection: sa.Connection, key: str) -> str | None:
    value: str | None = connection.scalar(sa.select(setting.c.value).where(setting.c.key == key))
    return value


def _write_setting(connection: sa.Connection, key: str, value: str) -> None:
    connection.execute(insert_or_ignore(connection, setting).values(key=key, value=value))
    connection.execute(sa.update(setting).where(setting.c.key == key).values(value=value))


def _database_file(engine: sa.Engine) -> Path:
    return Path(str(engine.url.database))


def _inode(engine: sa.Engine) -> int:
    return _database_file(engine).stat().st_ino


def _write_mark(engine: sa.Engine, mark: DatabaseMark) -> None:
    path = mark_path(_database_file(engine))
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(asdict(mark), file)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
