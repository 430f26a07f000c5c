"""Translate errors of the database drivers into helpful messages."""

import sqlite3

import sqlalchemy as sa

from newsletter.errors import DatabaseError, Location

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


def translate_error(
    context: sa.ExceptionContext, where: Location, secret: str = ""
) -> DatabaseError | None:
    """Return the driver's error as a ``DatabaseError``; ``None`` if it is a bug of the program.

    Args:
        context: the argument of SQLAlchemy's ``handle_error`` event.
        where: the database, in a form that may be displayed.
        secret: the password, which is removed from the message.
    """
    original = context.original_exception
    if isinstance(original, sqlite3.Error):
        return translate_sqlite_error(original, where)
    if not isinstance(context.sqlalchemy_exception, sa.exc.OperationalError):
        return None
    message = " ".join(str(original).split()) or type(original).__name__
    return database_error(
        f"PostgreSQL error: {message.replace(secret, '***') if secret else message}",
        where,
        "Check that the server is running and that database: in newsletter.yml is correct.",
    )


def translate_sqlite_error(error: sqlite3.Error, where: Location) -> DatabaseError | None:
    """Return SQLite's error as a ``DatabaseError``; ``None`` if it is a bug of the program."""
    known = _SQLITE_ERRORS.get(primary_result_code(error))
    return database_error(known[0], where, known[1]) if known else None


def primary_result_code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code; 0 for an error of the driver itself."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def database_error(message: str, where: Location, remedy: str) -> DatabaseError:
    """Return an error about one database."""
    return DatabaseError(message, where=where, remedy=remedy)
