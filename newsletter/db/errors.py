"""Errors about one database; what those of SQLite mean."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import sqlalchemy as sa

from newsletter.db.schema import VERSION_TABLE, metadata
from newsletter.errors import (
    DatabaseChangedError,
    DatabaseError,
    DatabaseUnavailableError,
    Location,
)

# Where the URL of a database is, unless a command was given it as an argument.
URL_SETTING = "database: in newsletter.yml (or NEWSLETTER_DATABASE)"
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
        f"Move it away, or name another file in {URL_SETTING}.",
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
RETIRED_REMEDY = "Set database: in newsletter.yml to the other one, and start this again."

# In the messages of both databases, whatever PostgreSQL's language and its quotes. ASCII, since
# Japanese puts no space after a name.
_MISSING_NAME = re.compile(
    r"""["«»] ?([\w.]+) ?["«»]|\b\w+\.(\w+)|(?:: |named )([\w.]+)""", re.ASCII
)
_OUR_NAMES = frozenset({VERSION_TABLE, *metadata.tables}) | frozenset(
    column.name for table in metadata.tables.values() for column in table.columns
)

# Those of them that pass.
_TEMPORARY_SQLITE_ERRORS = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL}


@contextmanager
def url_from_argument(name: str) -> Iterator[None]:
    """Let errors that say where the URL is to be corrected name an argument of the command.

    Args:
        name: the argument, as the command's help has it.

    Raises:
        DatabaseError: an error of the ``with`` block.
    """
    try:
        yield
    except DatabaseError as error:
        raise type(error).from_problems(
            [
                problem._replace(remedy=problem.remedy.replace(URL_SETTING, f"the argument {name}"))
                for problem in error.problems
            ]
        ) from error


def translate_sqlite_error(error: sqlite3.Error, where: Location) -> DatabaseError | None:
    """Return SQLite's error as a ``DatabaseError``; ``None`` if it is a bug of the program."""
    if str(error) == RETIRED_MESSAGE:  # from the triggers that refuse all writes
        return DatabaseChangedError(RETIRED_MESSAGE, where=where, remedy=RETIRED_REMEDY)
    if re.match("no such (table|column): |table .* has no column named ", str(error)):
        return explain_missing_name(str(error), where)
    code = primary_result_code(error)
    if code not in _SQLITE_ERRORS:
        return None
    message, remedy = _SQLITE_ERRORS[code]
    return database_error(message, where, remedy, temporary=code in _TEMPORARY_SQLITE_ERRORS)


def explain_missing_name(words: str, where: Location) -> DatabaseChangedError | None:
    """Return the error for a table or column that is missing; ``None`` if it is none of ours.

    What the schema has is missing only if the database was changed since it was opened; that a
    statement names something else is a bug of the program.

    Args:
        words: the database's.
        where: the database, in a form that may be displayed.
    """
    match = _MISSING_NAME.search(words)
    name = next(filter(None, match.groups())).rpartition(".")[2] if match else ""
    if name not in _OUR_NAMES or "FROM" in words:  # "missing FROM-clause entry", also a 42P01
        return None
    return DatabaseChangedError(
        f"the tables do not fit this version of newsletter: {words}",
        where=where,
        remedy="Another version has changed them, or search_path leads to others. Install the "
        "version of the other machines, and run newsletter db upgrade and newsletter doctor.",
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
    """Return ``url`` for display: without the password and the query, which may hold one too.

    The host stays if it is in the query, as that of a Unix socket is.
    """
    redacted = sa.URL.create(
        url.get_backend_name(), url.username, None, url.host, url.port, url.database
    )
    shown = {name: url.query[name] for name in ("host", "port") if name in url.query}
    query = urlencode(shown, doseq=True, safe="/,")
    return redacted.render_as_string() + (f"?{query}" if query else "")
