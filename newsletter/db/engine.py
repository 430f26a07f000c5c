"""Open the database, configure SQLite (WAL) and PostgreSQL connections."""

import datetime
import random
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import sqlalchemy as sa

from newsletter.db.automatic_backup import back_up_automatically
from newsletter.db.errors import (
    URL_SETTING,
    database_error,
    redact_database_url,
    translate_sqlite_error,
)
from newsletter.db.identity import OwnerCheck, guard_moved_database
from newsletter.db.migrate import HEAD_REVISION, ensure_current_schema
from newsletter.db.postgresql.connection import PREPARE_OPTION, create_postgresql_engine
from newsletter.db.postgresql.server_errors import get_sqlstate, translate_postgresql_error
from newsletter.db.transaction import begin_sqlite
from newsletter.errors import DatabaseError, Location
from newsletter.private_files import create_private_file

# How long a writer waits for another writer before it gives up.
BUSY_TIMEOUT_SECONDS = 30
# Connections that are kept open: each thread of a server uses one, and must not reconnect for each
# request. On PostgreSQL there are never more.
POOL_SIZE = 16


def open_database(  # noqa: PLR0913 - each is independent of the others
    url: str,
    root: Path,
    newsletter_id: str = "",
    *,
    is_temporary: bool = False,
    is_copied: bool = False,
    pool_size: int = POOL_SIZE,
) -> sa.Engine:
    """Open the database; create it or upgrade its schema if necessary.

    Several processes may call this at once: one creates or upgrades, the others wait.

    Args:
        url: ``sqlite:///FILE`` (relative to ``root``) or ``postgresql://USER@HOST/NAME``.
        root: the project's folder.
        newsletter_id: ``id`` of newsletter.yml; the database takes it over at its first write.
        is_temporary: whether it is a copy that will be deleted: no backup is made of it before its
            schema is upgraded.
        is_copied: whether ``newsletter db copy`` opens it, which looks itself whether it is a
            copy that is not finished, or retired.
        pool_size: how many connections to PostgreSQL it opens at most. A thread waits while all are
            in use.

    Raises:
        DatabaseError: the database can't be opened, belongs to another program, or has a newer
            schema than this program. Later errors of the engine (disk full, locked, server gone)
            are raised as ``DatabaseError`` too; so is a write to another newsletter's database.
    """
    return _open_engine(
        url,
        root,
        newsletter_id,
        is_temporary=is_temporary,
        is_copied=is_copied,
        pool_size=pool_size,
    )[0]


def open_copy_source(url: str, root: Path) -> sa.Engine:
    """Open the database that ``newsletter db copy`` copies; it must have a newsletter.

    Args:
        url: the database's URL.
        root: the project's folder.

    Raises:
        DatabaseError: as ``open_database``; or no newsletter is in it. No table is made then.
    """
    return _open_engine(url, root, "", is_copied=True, may_create=False)[0]


def open_existing_database(url: str, root: Path, newsletter_id: str = "") -> sa.Engine | None:
    """Return an engine, or ``None`` if the database does not exist or can't be opened.

    Unlike ``open_database``, never creates a database file.
    """
    try:
        file = sqlite_file(url, root)
        if file is not None and not (file.is_file() and file.stat().st_size):
            return None
        return open_database(url, root, newsletter_id)
    except DatabaseError:
        return None


def upgrade_database(url: str, root: Path, newsletter_id: str = "") -> tuple[str | None, str]:
    """Create the database or upgrade its schema, as every command does, and return the revisions.

    Returns:
        The schema revision before, ``None`` if the database is new, and the revision now.

    Raises:
        DatabaseError: as ``open_database``.
    """
    engine, before = _open_engine(url, root, newsletter_id)
    engine.dispose()
    return before, HEAD_REVISION


def _open_engine(  # noqa: PLR0913 - each is independent of the others
    url: str,
    root: Path,
    newsletter_id: str,
    *,
    is_temporary: bool = False,
    is_copied: bool = False,
    may_create: bool = True,
    pool_size: int = POOL_SIZE,
) -> tuple[sa.Engine, str | None]:
    target = _parse_url(url)
    file = sqlite_file(url, root)
    where = Location(str(target.database) if file else redact_database_url(target))
    engine = (
        _create_sqlite_engine(file, where) if file else create_postgresql_engine(target, pool_size)
    )
    secret = str(target.password or target.query.get("password", ""))
    sa.event.listen(
        engine,
        "handle_error",
        lambda context: _translate_error(context, where, secret),
        retval=True,
    )

    def back_up_before_upgrade() -> None:
        if file and not is_temporary:
            back_up_automatically(file, datetime.datetime.now(datetime.UTC))

    try:
        before = ensure_current_schema(engine, where, back_up_before_upgrade, may_create=may_create)
        if not is_copied:
            guard_moved_database(engine, where)
    except BaseException:
        engine.dispose()
        raise
    if newsletter_id:
        sa.event.listen(engine, "begin", OwnerCheck(newsletter_id, where))
    return engine, before


def _translate_error(
    context: sa.ExceptionContext, where: Location, secret: str
) -> DatabaseError | None:
    """Return the driver's error as a ``DatabaseError``; ``None`` if it is a bug of the program.

    Args:
        context: the argument of SQLAlchemy's ``handle_error`` event.
        where: the database, in a form that may be displayed.
        secret: the password, which is removed from the message.
    """
    if context.is_pre_ping:
        # The pool checks whether a connection is alive, and recognizes the driver's own error.
        return None
    original = context.original_exception
    if isinstance(original, sqlite3.Error):
        return translate_sqlite_error(original, where)
    connection = context.connection
    return translate_postgresql_error(
        original,
        get_sqlstate(context),
        where,
        secret,
        connection and connection.connection.driver_connection,
    )


@contextmanager
def database_engine(
    url: str, root: Path, newsletter_id: str = "", *, pool_size: int = POOL_SIZE
) -> Iterator[sa.Engine]:
    """Open the database for a ``with`` block, and close it at the end."""
    engine = open_database(url, root, newsletter_id, pool_size=pool_size)
    try:
        yield engine
    finally:
        engine.dispose()


def sqlite_file(url: str, root: Path) -> Path | None:
    """Return the file of a SQLite database; ``None`` for PostgreSQL.

    Symbolic links are resolved, as SQLite does: what belongs to the database (its mark, its
    backups) is beside the file itself, also if each release of a site links to it from a new
    folder.

    Raises:
        DatabaseError: the URL is not valid, or its path is a loop of links.
    """
    target = _parse_url(url)
    if target.get_backend_name() != "sqlite":
        return None
    try:
        return (root / str(target.database)).resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError until Python 3.12
        raise database_error(
            "the path is a loop of symbolic links",
            Location(str(target.database)),
            "Let it link to the file.",
        ) from error


def libpq_url(url: str) -> tuple[str, bool]:
    """Return a URL for PostgreSQL's own tools, and whether a password is left out of it.

    Raises:
        DatabaseError: the URL is not valid.
    """
    target = _parse_url(url).set(drivername="postgresql+psycopg")
    # The driver's arguments: of several hosts, one option each with their names and ports.
    _, options = target.get_dialect()().create_connect_args(target)
    has_password = "password" in options
    left_out = {"user", "dbname", "password", "sslpassword", PREPARE_OPTION}
    if target.host:
        left_out |= {"host", "port"}
    query = {name: str(value) for name, value in options.items() if name not in left_out}
    shown = sa.URL.create(
        "postgresql", target.username, None, target.host, target.port, target.database, query
    )
    return shown.render_as_string(), has_password


def _parse_url(url: str) -> sa.URL:
    example = (
        f"Write sqlite:///newsletter.db or postgresql://user@host/newsletter as {URL_SETTING}."
    )
    try:
        # Some hosting providers use this short scheme, which SQLAlchemy rejects.
        target = sa.make_url(re.sub(r"^postgres://", "postgresql://", url))
    except (sa.exc.ArgumentError, ValueError) as error:
        raise DatabaseError("the database URL is not valid", remedy=example) from error
    if "\0" in unquote(url):  # the client library would end the URL there
        raise DatabaseError("the database URL is not valid: it has %00", remedy=example)
    backend = target.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise DatabaseError(f"'{backend}' databases are not supported", remedy=example)
    if backend == "sqlite" and (target.database or ":memory:") == ":memory:":
        raise DatabaseError("the database URL has no file name", remedy=example)
    return target


def _create_sqlite_engine(path: Path, where: Location) -> sa.Engine:
    _create_database_file(path, where)
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        hide_parameters=True,  # they contain email addresses, and errors are logged
        pool_size=POOL_SIZE,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS},
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", begin_sqlite)
    return engine


def _create_database_file(path: Path, where: Location) -> None:
    """Create an empty file that only its owner can read (SQLite's other files inherit its mode)."""
    try:
        create_private_file(path).close()
    except FileExistsError:
        return
    except OSError as error:
        raise DatabaseError(
            f"could not create the database: {(error.strerror or str(error)).lower()}",
            where=where,
            remedy=f"Check the folder {path.parent} and its permissions.",
        ) from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # By default sqlite3 begins transactions implicitly, too late, and not at all for DDL.
    connection.isolation_level = None
    _enable_wal(connection)
    # NORMAL can lose a committed row to a power cut, and a lost row is a duplicate email.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # Overwrite deleted content: otherwise erased addresses stay readable in the file for months.
    connection.execute("PRAGMA secure_delete = ON")


def _enable_wal(connection: Any) -> None:
    """Switch the file to write-ahead logging, so that readers don't wait for the writer.

    The mode is stored in the file, so only the first connection switches. If two processes switch
    a new file at the same time, SQLite fails at once regardless of the timeout; hence the retry.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.005, 0.05))  # noqa: S311 - only spreads the retries
        else:
            return
