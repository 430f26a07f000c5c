"""Translate errors of the database drivers into helpful messages."""

import sqlite3
from typing import Any

import sqlalchemy as sa

from newsletter.db.transaction import is_read_only
from newsletter.errors import DatabaseError, DatabaseUnavailableError, Location

# SQLite's primary result code (sqlite.org/rescode.html) -> message, remedy.
_SQLITE_ERRORS = {
    sqlite3.SQLITE_BUSY: (
        "the database is locked by another program",
        "Wait for the other newsletter command to end, or stop it, and run this again.",
    ),
    sqlite3.SQLITE_FULL: (
        "the disk is full",
        "Free up space and run the same command again; everything written so far is intact.",
    ),
    sqlite3.SQLITE_READONLY: (
        "the database is read-only",
        "Check the permissions of the file and of its folder.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "the database can't be opened",
        "Check the permissions of the file and of its folder.",
    ),
    sqlite3.SQLITE_PERM: (
        "the database can't be opened",
        "Check the permissions of the file and of its folder.",
    ),
    sqlite3.SQLITE_NOTADB: (
        "the file is not a SQLite database",
        "Move it away, or set database: in newsletter.yml to another file.",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "the database is damaged",
        "Restore it from a backup; nothing was changed.",
    ),
    sqlite3.SQLITE_IOERR: (
        "the database can't be read or written",
        "Check the disk and run the same command again.",
    ),
}


# Of a write to a database that ``newsletter db copy`` has retired, by a program that was running.
RETIRED_SQLSTATE = "NL001"
RETIRED_MESSAGE = "this database was copied to another one, and is retired"
_RETIRED_REMEDY = "Set database: in newsletter.yml to the other one, and start this again."

# Those of them that pass.
_TEMPORARY_SQLITE_ERRORS = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL}
# PostgreSQL's SQLSTATE (postgresql.org/docs/current/errcodes-appendix.html) -> message, remedy.
# Other errors are displayed in the server's words.
_POSTGRESQL_ERRORS = {
    "25006": (  # read_only_sql_transaction
        "the PostgreSQL server accepts no changes: it is a standby, or a failover is under way",
        "Once the failover is complete, run the same command again; it needs the primary server.",
    ),
    "25P03": (  # idle_in_transaction_session_timeout
        "this program did nothing for too long in the middle of a change, so PostgreSQL undid it",
        "It was suspended, or the machine was asleep. Run the same command again.",
    ),
    "42501": (  # insufficient_privilege
        "the database user may not do this",
        "Use one who may write; once it has been used, newsletter plan --out only reads it.",
    ),
    "53100": _SQLITE_ERRORS[sqlite3.SQLITE_FULL],  # disk_full
    RETIRED_SQLSTATE: (RETIRED_MESSAGE, _RETIRED_REMEDY),
    "55P03": _SQLITE_ERRORS[sqlite3.SQLITE_BUSY],  # lock_not_available: lock_timeout
}
# SQLSTATEs, or the classes with which they begin, of what passes: the same transaction can succeed
# later, if need be on another connection.
_TEMPORARY_SQLSTATES = (
    "08",  # the connection was lost or refused; also all errors of the pooler PgBouncer
    "25006",  # the server is read-only: it was demoted in a failover, or isn't promoted yet
    "25P03",  # the transaction was idle for too long
    "40",  # deadlock, conflict between transactions or with the replay on a standby
    "53",  # disk full, out of memory, too many connections
    "55",  # locked, in use, or the database allows no connections
    "57",  # the server shuts down (57P01), has crashed (57P02), starts up (57P03); canceled
    "58",  # I/O error
)
# Exceptions to them.
_PERMANENT_SQLSTATES = ("57P04",)  # the database was dropped
_READ_ONLY_TRANSACTION = "25006"
# Of a statement that PostgreSQL doesn't support: a bug. But a standby also refuses with it to begin
# a transaction that is to write.
_FEATURE_NOT_SUPPORTED = "0A000"


def translate_error(
    context: sa.ExceptionContext, where: Location, secret: str = ""
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
    state = _get_sqlstate(context)
    if state == _READ_ONLY_TRANSACTION:
        # The session stays open: the next try must not get it from the pool of connections.
        context.is_disconnect = True
    is_operational = isinstance(context.sqlalchemy_exception, sa.exc.OperationalError)
    return translate_postgresql_error(original, state, where, secret, is_operational=is_operational)


def _get_sqlstate(context: sa.ExceptionContext) -> str:
    """Return the SQLSTATE of PostgreSQL's error by which it is to be judged; ``""`` if none."""
    state = getattr(context.original_exception, "sqlstate", None) or ""
    connection = context.connection
    if connection is None:
        return state
    if state == _READ_ONLY_TRANSACTION and is_read_only(connection):
        return ""  # a bug: we have asked for a transaction that only reads
    if state == _FEATURE_NOT_SUPPORTED:
        # Reported by the server (from version 14 on) whenever it changes; no query is needed.
        driver: Any = connection.connection.driver_connection
        if driver.info.parameter_status("in_hot_standby") == "on":
            return _READ_ONLY_TRANSACTION
    return state


def translate_sqlite_error(error: sqlite3.Error, where: Location) -> DatabaseError | None:
    """Return SQLite's error as a ``DatabaseError``; ``None`` if it is a bug of the program."""
    if str(error) == RETIRED_MESSAGE:  # from the triggers that refuse all writes
        return database_error(RETIRED_MESSAGE, where, _RETIRED_REMEDY)
    code = primary_result_code(error)
    if code not in _SQLITE_ERRORS:
        return None
    message, remedy = _SQLITE_ERRORS[code]
    return database_error(message, where, remedy, temporary=code in _TEMPORARY_SQLITE_ERRORS)


def translate_postgresql_error(
    error: BaseException, state: str, where: Location, secret: str = "", *, is_operational: bool
) -> DatabaseError | None:
    """Return PostgreSQL's error as a ``DatabaseError``; ``None`` if it is a bug of the program.

    Args:
        error: of the driver.
        state: its SQLSTATE, ``""`` if the connection was not made or lost.
        where: as for ``translate_error``.
        secret: as for ``translate_error``.
        is_operational: whether the driver calls it an operational error, which is none of the
            statement's.
    """
    if state in _POSTGRESQL_ERRORS:
        message, remedy = _POSTGRESQL_ERRORS[state]
    elif is_operational:
        words = " ".join(str(error).split()) or type(error).__name__
        message = f"PostgreSQL error: {words.replace(secret, '***') if secret else words}"
        remedy = "Check that the server is running and that database: in newsletter.yml is correct."
    else:
        return None
    temporary = not state or state.startswith(_TEMPORARY_SQLSTATES)
    temporary = temporary and state not in _PERMANENT_SQLSTATES
    return database_error(message, where, remedy, temporary=temporary)


def primary_result_code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code; 0 for an error of the driver itself."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def database_error(
    message: str, where: Location, remedy: str, *, temporary: bool = False
) -> DatabaseError:
    """Return an error about one database; ``temporary`` if the same can succeed later."""
    error_type = DatabaseUnavailableError if temporary else DatabaseError
    return error_type(message, where=where, remedy=remedy)


def redact_database_url(url: sa.URL) -> str:
    """Return ``url`` for display: without the password and the query, which may hold one too."""
    redacted = sa.URL.create(
        url.get_backend_name(), url.username, None, url.host, url.port, url.database
    )
    return redacted.render_as_string()
