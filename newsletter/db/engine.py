"""Open the database that newsletter.yml names, at the current schema."""

import os
import random
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from newsletter.db.errors import database_error, translate_error
from newsletter.db.migrate import HEAD_REVISION, ensure_current_schema
from newsletter.db.transaction import begin_sqlite
from newsletter.errors import DatabaseError, Location

# How long a writer waits for another one before it gives up.
BUSY_TIMEOUT_SECONDS = 30
CONNECT_TIMEOUT_SECONDS = 10
# What is kept open: a server's threads, each with its connection, mustn't open one a request.
POOL_SIZE = 16


def open_database(url: str, root: Path) -> sa.Engine:
    """Open the database, making or upgrading it if need be.

    Safe to call by several processes at once: one makes or upgrades, the others wait.

    Args:
        url: ``sqlite:///FILE`` (relative to ``root``) or ``postgresql://USER@HOST/NAME``.
        root: the editor's folder.

    Raises:
        DatabaseError: it can't be opened, isn't ours or is newer than this program. Later
            trouble (disk full, locked, server gone) is raised as ``DatabaseError`` too.
    """
    return _open_engine(url, root)[0]


def open_existing_database(url: str, root: Path) -> sa.Engine | None:
    """``open_database`` if it is there and can be opened; makes none."""
    try:
        file = sqlite_file(url, root)
        if file is not None and not (file.is_file() and file.stat().st_size):
            return None
        return open_database(url, root)
    except DatabaseError:
        return None


def upgrade_database(url: str, root: Path) -> tuple[str | None, str]:
    """Make or upgrade the database, as every command does, and tell.

    Returns:
        The version that it had before, ``None`` if it is new, and the one that it has now.

    Raises:
        DatabaseError: as ``open_database``.
    """
    engine, before = _open_engine(url, root)
    engine.dispose()
    return before, HEAD_REVISION


def _open_engine(url: str, root: Path) -> tuple[sa.Engine, str | None]:
    target = _parse_url(url)
    sqlite = target.get_backend_name() == "sqlite"
    engine = _create_sqlite_engine(target, root) if sqlite else _create_postgresql_engine(target)
    where = Location(str(target.database) if sqlite else redact_database_url(target))
    secret = str(target.password or "")
    sa.event.listen(
        engine, "handle_error", lambda context: translate_error(context, where, secret), retval=True
    )
    try:
        return engine, ensure_current_schema(engine, where)
    except BaseException:
        engine.dispose()
        raise


@contextmanager
def database_engine(url: str, root: Path) -> Iterator[sa.Engine]:
    """``open_database`` for the length of a ``with`` block; closed at its end."""
    engine = open_database(url, root)
    try:
        yield engine
    finally:
        engine.dispose()


def sqlite_file(url: str, root: Path) -> Path | None:
    """The file of a SQLite database; ``None`` for PostgreSQL.

    Raises:
        DatabaseError: the URL can't be read.
    """
    target = _parse_url(url)
    return root / str(target.database) if target.get_backend_name() == "sqlite" else None


def redact_database_url(url: sa.URL) -> str:
    """``url`` as it may be printed: no password, no query (which may hold one)."""
    bare = sa.URL.create(
        url.get_backend_name(), url.username, None, url.host, url.port, url.database
    )
    return bare.render_as_string()


def _parse_url(url: str) -> sa.URL:
    example = (
        "Write database: sqlite:///newsletter.db or "
        "database: postgresql://user@host/newsletter in newsletter.yml."
    )
    try:
        # The short form that hosting companies hand out.
        target = sa.make_url(re.sub(r"^postgres://", "postgresql://", url))
    except (sa.exc.ArgumentError, ValueError) as error:
        raise DatabaseError("the database's URL can't be read", remedy=example) from error
    backend = target.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise DatabaseError(f"'{backend}' is no database that we can use", remedy=example)
    if backend == "sqlite" and (target.database or ":memory:") == ":memory:":
        raise DatabaseError("the database's URL names no file", remedy=example)
    return target


def _create_sqlite_engine(target: sa.URL, root: Path) -> sa.Engine:
    path = root / str(target.database)
    _create_private_file(path, Location(str(target.database)))
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        hide_parameters=True,  # they hold addresses, and errors are logged
        pool_size=POOL_SIZE,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS},
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", begin_sqlite)
    return engine


def _create_private_file(path: Path, where: Location) -> None:
    """Make an empty file for the owner's eyes only (SQLite's own files inherit its mode)."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise DatabaseError(
            f"the database can't be made: {(error.strerror or str(error)).lower()}",
            where=where,
            remedy=f"Check the folder {path.parent} and your rights in it.",
        ) from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # sqlite3 would begin transactions by itself, late, and none at all for DDL.
    connection.isolation_level = None
    _enable_wal(connection)
    # NORMAL can lose a committed row to a power cut, and a lost row is a double mail.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # Overwrite what is deleted: whoever was erased could be read in the file for months.
    connection.execute("PRAGMA secure_delete = ON")


def _enable_wal(connection: Any) -> None:
    """Readers don't wait for the writer. The file remembers it, so that only the first switches.

    SQLite fails at once, whatever the timeout, where two processes switch a new file together.
    """
    give_up = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(random.uniform(0.005, 0.05))  # noqa: S311 - only spreads the tries
        else:
            return


def _create_postgresql_engine(target: sa.URL) -> sa.Engine:
    try:
        engine = sa.create_engine(
            target.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            pool_size=POOL_SIZE,
            hide_parameters=True,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS},
        )
    except ModuleNotFoundError as error:
        raise database_error(
            "PostgreSQL needs a driver that is not installed",
            Location(redact_database_url(target)),
            "Install it with: pip install 'newsletter[postgres]'",
        ) from error
    sa.event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _prepare_postgresql(connection: Any, _record: object) -> None:
    # Not as an option of the connection: poolers refuse those.
    connection.execute("SET TIME ZONE 'UTC'")
    connection.commit()
