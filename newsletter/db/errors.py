"""Translate a database driver's errors: what is wrong, what to do."""

import sqlite3

import sqlalchemy as sa

from newsletter.errors import DatabaseError, Location

# SQLite's primary result code (sqlite.org/rescode.html) -> what is wrong, what to do.
_SQLITE_ERRORS = {
    sqlite3.SQLITE_BUSY: (
        "the database is locked by another program",
        "Wait for the other newsletter command to end, or stop it, and run this again.",
    ),
    sqlite3.SQLITE_FULL: (
        "the disk is full",
        "Make room and run the same command again; what was written so far is whole.",
    ),
    sqlite3.SQLITE_READONLY: (
        "the database can't be written",
        "Check your rights on the file and on its folder.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "the database can't be opened",
        "Check your rights on the file and on its folder.",
    ),
    sqlite3.SQLITE_PERM: (
        "the database can't be opened",
        "Check your rights on the file and on its folder.",
    ),
    sqlite3.SQLITE_NOTADB: (
        "this file is no SQLite database",
        "Move it away, or name another file as database: in newsletter.yml.",
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
    """Turn the driver's error into ours; ``None`` where the fault is in the program.

    Args:
        context: what SQLAlchemy's ``handle_error`` event hands over.
        where: the database, as it may be shown.
        secret: the password, which must not be printed.
    """
    original = context.original_exception
    if isinstance(original, sqlite3.Error):
        return translate_sqlite_error(original, where)
    if not isinstance(context.sqlalchemy_exception, sa.exc.OperationalError):
        return None
    said = " ".join(str(original).split()) or type(original).__name__
    return database_error(
        f"PostgreSQL says: {said.replace(secret, '***') if secret else said}",
        where,
        "Check that the server runs and that database: in newsletter.yml is right.",
    )


def translate_sqlite_error(error: sqlite3.Error, where: Location) -> DatabaseError | None:
    """What SQLite complains of, as ours; ``None`` where the fault is in the program."""
    known = _SQLITE_ERRORS.get(primary_result_code(error))
    return database_error(known[0], where, known[1]) if known else None


def primary_result_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 where the driver itself complains."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def database_error(message: str, where: Location, remedy: str) -> DatabaseError:
    """An error about one database."""
    return DatabaseError(message, where=where, remedy=remedy)
