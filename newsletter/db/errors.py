"""Translate errors of the database drivers into helpful messages."""

import sqlite3

import sqlalchemy as sa

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


# Those of them that pass.
_TEMPORARY_SQLITE_ERRORS = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL}
# PostgreSQL's SQLSTATE (postgresql.org/docs/current/errcodes-appendix.html) -> message, remedy.
_POSTGRESQL_ERRORS = {
    "55P03": _SQLITE_ERRORS[sqlite3.SQLITE_BUSY],  # lock_not_available: lock_timeout
    "25P03": (  # idle_in_transaction_session_timeout
        "this program did nothing for too long in the middle of a change, so PostgreSQL undid it",
        "It was suspended, or the machine was asleep. Run the same command again.",
    ),
    "53100": _SQLITE_ERRORS[sqlite3.SQLITE_FULL],  # disk_full
}
# Those that don't pass by waiting: wrong password, missing database, and the like.
_PERMANENT_POSTGRESQL_ERRORS = ("28", "3D", "42")


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
    is_operational = isinstance(context.sqlalchemy_exception, sa.exc.OperationalError)
    return translate_postgresql_error(original, where, secret, is_operational=is_operational)


def translate_sqlite_error(error: sqlite3.Error, where: Location) -> DatabaseError | None:
    """Return SQLite's error as a ``DatabaseError``; ``None`` if it is a bug of the program."""
    code = primary_result_code(error)
    if code not in _SQLITE_ERRORS:
        return None
    message, remedy = _SQLITE_ERRORS[code]
    return database_error(message, where, remedy, temporary=code in _TEMPORARY_SQLITE_ERRORS)


def translate_postgresql_error(
    error: BaseException, where: Location, secret: str = "", *, is_operational: bool
) -> DatabaseError | None:
    """Return PostgreSQL's error as a ``DatabaseError``; ``None`` if it is a bug of the program.

    Args:
        error: of the driver.
        where: as for ``translate_error``.
        secret: as for ``translate_error``.
        is_operational: whether the driver calls it an operational error, which is none of the
            statement's.
    """
    state = getattr(error, "sqlstate", None) or ""
    if state in _POSTGRESQL_ERRORS:
        return database_error(_POSTGRESQL_ERRORS[state][0], where, _POSTGRESQL_ERRORS[state][1],
                              temporary=True)  # fmt: skip
    if not is_operational:
        return None
    message = " ".join(str(error).split()) or type(error).__name__
    return database_error(
        f"PostgreSQL error: {message.replace(secret, '***') if secret else message}",
        where,
        "Check that the server is running and that database: in newsletter.yml is correct.",
        temporary=not state.startswith(_PERMANENT_POSTGRESQL_ERRORS),
    )


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
