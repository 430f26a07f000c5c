"""Translate PostgreSQL's errors into what is wrong and what to do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa

from newsletter.db.errors import (
    RETIRED_MESSAGE,
    RETIRED_REMEDY,
    RETIRED_SQLSTATE,
    URL_SETTING,
    database_error,
    explain_missing_name,
)
from newsletter.db.transaction import is_read_only
from newsletter.errors import DatabaseChangedError, DatabaseError, Location

_LOST_PREPARED_STATEMENT = (
    "a connection pooler mixes up prepared statements: {words}",
    "Add ?prepare_threshold=none to the database's URL, or use the pooler's session mode.",
)
# SQLSTATE (postgresql.org/docs/current/errcodes-appendix.html) -> message, remedy; ``{words}`` are
# the server's. Other errors are displayed in the server's words.
_MESSAGES = {
    "25006": (  # read_only_sql_transaction
        "the PostgreSQL server accepts no changes: it is a standby, or a failover is under way",
        "Once the failover is complete, run the same command again; it needs the primary server.",
    ),
    "25P03": (  # idle_in_transaction_session_timeout
        "this program did nothing for too long in the middle of a change, so PostgreSQL undid it",
        "It was suspended, or the machine was asleep. Run the same command again.",
    ),
    "3F000": (  # invalid_schema_name
        "the role may use no schema in which the tables could be, or its search_path names none",
        "Correct its search_path, or as the schema's owner: GRANT USAGE ON SCHEMA public TO …",
    ),
    "26000": _LOST_PREPARED_STATEMENT,  # invalid_sql_statement_name
    "42P05": _LOST_PREPARED_STATEMENT,  # duplicate_prepared_statement
    "42501": (  # insufficient_privilege
        "the role may not do this: {words}",
        "Use a role that may: newsletter db roles prints them; db copy needs the tables' owner.",
    ),
    "53100": (  # disk_full
        "the disk of the PostgreSQL server is full",
        "Free up space there and run the same command again; everything written so far is intact.",
    ),
    "55P03": (  # lock_not_available: lock_timeout
        "the database is locked by another program",
        "Wait for the other newsletter command to end, or stop it, and run this again.",
    ),
    "57014": (  # query_canceled
        "the PostgreSQL server stopped a query: {words}",
        "Run the same command again; if it was too slow, raise the role's statement_timeout.",
    ),
    "57P01": (  # admin_shutdown
        "the PostgreSQL server ended the connection: {words}",
        "Once the server is up, run the same command again; what was not committed was undone.",
    ),
}
# Of the default for the whole role or database, which is no standby's: 25006 too.
_READ_ONLY_BY_DEFAULT = (
    "the role may only read: default_transaction_read_only is on",
    "Use a role that may write, or turn it off; some hosts turn it on when the disk is full.",
)
# SQLSTATEs, or the classes with which they begin, of what passes: the same transaction can succeed
# later, if need be on another connection.
_TEMPORARY_SQLSTATES = (
    "08",  # the connection was lost or refused; also all errors of the pooler PgBouncer
    "26000",  # behind a pooler: a new connection has no prepared statements
    "42P05",
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
_PREPARED_STATEMENT_SQLSTATES = ("26000", "42P05")
_READ_ONLY_TRANSACTION = "25006"
_INSUFFICIENT_PRIVILEGE = "42501"
_MISSING_NAMES = ("42P01", "42703")  # undefined_table, undefined_column
_LEFTOVERS = ("42P07", "42701")  # duplicate_table, duplicate_column
# Of a statement that PostgreSQL doesn't support: a bug. But a standby also refuses with it to begin
# a transaction that is to write.
_FEATURE_NOT_SUPPORTED = "0A000"


class _ConnectionFailure(NamedTuple):
    """Why no connection was made: the client library passes on the words, but no SQLSTATE.

    A server that speaks another language than English is not understood: what it says is displayed,
    with the remedy of a server that doesn't answer.
    """

    pattern: str
    remedy: str
    is_temporary: bool = False


# The first that fits counts. What passes comes first: a URL may name several servers.
_CONNECTION_FAILURES = (
    _ConnectionFailure(
        r"too many (clients|connections)|connection slots|no more connections allowed",
        "End other programs that use it, or raise the server's max_connections, or the limit of "
        "the role or database; a pooler such as PgBouncer shares connections.",
        is_temporary=True,
    ),
    _ConnectionFailure(
        r"starting up|shutting down|in recovery mode|not (currently |yet )*accepting connections",
        "Wait until the server is up, and run the same command again.",
        is_temporary=True,
    ),
    _ConnectionFailure(
        r"session is (not )?read-only|server is (not )?in hot standby",
        "Once the failover is complete, run the same command again; or correct "
        f"target_session_attrs in {URL_SETTING}.",
        is_temporary=True,
    ),
    _ConnectionFailure(
        r"password authentication failed|no password supplied",
        f"Correct the user and the password in {URL_SETTING}, or put the password in PGPASSWORD "
        "or ~/.pgpass.",
    ),
    _ConnectionFailure(
        r"pg_hba\.conf|(Peer|Ident|GSSAPI|certificate) authentication failed",
        "Let pg_hba.conf on the server allow this role, database and host; if it says 'no "
        "encryption', add ?sslmode=require to the URL.",
    ),
    _ConnectionFailure(
        r'role ".*" (does not exist|is not permitted to log in)',
        f"Create it: CREATE ROLE … LOGIN; or correct the user in {URL_SETTING}.",
    ),
    _ConnectionFailure(
        r'database ".*" does not exist',
        "Create it: createdb --encoding=UTF8 --template=template0 NAME; or correct the name in "
        f"{URL_SETTING}.",
    ),
    _ConnectionFailure(
        r"permission denied for database",
        "As the owner of the database: GRANT CONNECT ON DATABASE … TO the role.",
    ),
    _ConnectionFailure(
        r"server does not support SSL",
        "Turn TLS on at the server (ssl = on), or take sslmode out of the URL if the network is "
        "private.",
    ),
    _ConnectionFailure(
        r"certificate verify failed|root certificate|server certificate|(client|load) certificate"
        r"|private key",
        "Check sslmode, sslrootcert, sslcert and sslkey in the URL against the server's "
        "certificate.",
    ),
    _ConnectionFailure(
        r"invalid (connection option|port|integer|\w+ value)|bad value for|unrecognized|options",
        "Correct the options in the URL, after its question mark; they are those of libpq: "
        "https://www.postgresql.org/docs/current/libpq-connect.html",
    ),
)
_NO_ANSWER = _ConnectionFailure(
    "",
    f"Start the server, or correct host and port in {URL_SETTING}.",
    is_temporary=True,
)


def translate_postgresql_error(
    error: BaseException,
    state: str,
    where: Location,
    secret: str,
    driver_connection: Any,
) -> DatabaseError | None:
    """Return PostgreSQL's error as a ``DatabaseError``; ``None`` if it is a bug of the program.

    Args:
        error: of the driver.
        state: its SQLSTATE, ``""`` if the connection was not made or lost.
        where: the database, in a form that may be displayed.
        secret: the password, which is removed from the message.
        driver_connection: the driver's; ``None`` if there is none yet.
    """
    from psycopg import OperationalError  # it is what has failed: installed, and imported by now

    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    words = " ".join((primary or str(error)).split()) or type(error).__name__
    if secret:  # as a word of its own: a short one is part of many words
        words = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", words)
    if not state and driver_connection is None:
        return _explain_failed_connection(words, where)
    if state == RETIRED_SQLSTATE:
        return DatabaseChangedError(RETIRED_MESSAGE, where=where, remedy=RETIRED_REMEDY)
    if state in _MISSING_NAMES:
        return explain_missing_name(words, where)
    is_temporary = not state or state.startswith(_TEMPORARY_SQLSTATES)
    is_temporary = is_temporary and state not in _PERMANENT_SQLSTATES
    if state in _MESSAGES:
        message, remedy = _MESSAGES[state]
        message = message.format(words=words)
        if state == _READ_ONLY_TRANSACTION and _is_read_only_by_default(driver_connection):
            message, remedy = _READ_ONLY_BY_DEFAULT
    elif not isinstance(error, OperationalError):
        return None
    elif not state:
        message = f"the connection to the PostgreSQL server was lost: {words}"
        remedy = "Once the server answers again, run the same command again."
    else:
        message = f"PostgreSQL error: {words}"
        remedy = f"Look up {state} in the server's log, then run the same command again."
    return database_error(message, where, remedy, temporary=is_temporary)


@contextmanager
def explain_failed_upgrade(where: Location) -> Iterator[None]:
    """Say who may upgrade the schema, and what stands in the way, if the ``with`` block fails.

    Raises:
        DatabaseError: the role may not change tables; or those of a newer schema are left.
    """
    try:
        yield
    except (DatabaseError, sa.exc.ProgrammingError) as error:
        cause: Any = error.__cause__
        state = getattr(cause, "sqlstate", None)
        if state == _INSUFFICIENT_PRIVILEGE:
            raise DatabaseError(
                "the tables must be made or upgraded, which this role may not do: "
                f"{cause.diag.message_primary}",
                where=where,
                remedy="Run newsletter db upgrade as the owner of the database, then newsletter db "
                "roles, and this again.",
            ) from error
        if state in _LEFTOVERS:
            raise DatabaseError(
                "tables of a newer version are left beside older ones: "
                f"{cause.diag.message_primary}",
                where=where,
                remedy="Restore the backup into a new, empty database.",
            ) from error
        raise


def get_sqlstate(context: sa.ExceptionContext) -> str:
    """Return the SQLSTATE of PostgreSQL's error by which it is to be judged; ``""`` if none.

    Args:
        context: the argument of SQLAlchemy's ``handle_error`` event.
    """
    state = getattr(context.original_exception, "sqlstate", None) or ""
    connection = context.connection
    if connection is None:
        return state
    if state in _PREPARED_STATEMENT_SQLSTATES:
        context.is_disconnect = True  # the driver would use the same name again
    if state == _READ_ONLY_TRANSACTION:
        # The session stays open: the next try must not get it from the pool of connections.
        context.is_disconnect = True
        if is_read_only(connection):
            return ""  # a bug: we have asked for a transaction that only reads
    if state == _FEATURE_NOT_SUPPORTED:
        # Reported by the server (from version 14 on) whenever it changes; no query is needed.
        driver: Any = connection.connection.driver_connection
        if driver.info.parameter_status("in_hot_standby") == "on":
            return _READ_ONLY_TRANSACTION
    return state


def _explain_failed_connection(words: str, where: Location) -> DatabaseError:
    failure = next(
        (known for known in _CONNECTION_FAILURES if re.search(known.pattern, words)), _NO_ANSWER
    )
    # The driver tries each address of a host's name, and lists the failures again below the last.
    words = words.partition(" Multiple connection attempts failed.")[0]
    words = re.sub(r"^connection (failed|is bad): ", "", words)
    words = re.sub(r"connection to server ((?:on|at) .*?) failed: (?:FATAL: +)?", r"\1: ", words)
    words = re.sub(
        r" (Is the server running |This probably means |DETAIL: |Either provide ).*", "", words
    )
    # With sslmode=prefer it tries with TLS and without, and may fail in the same way.
    words = re.sub(r"^((?:on|at) .+?) \1$", r"\1", words)
    place = " " if words.startswith(("on ", "at ")) else ": "
    return database_error(
        f"can't connect to the PostgreSQL server{place}{words}",
        where,
        failure.remedy,
        temporary=failure.is_temporary,
    )


def _is_read_only_by_default(driver_connection: Any) -> bool:
    """Return whether a session may only read although the server may write.

    Reported by the server (from version 14 on) whenever it changes; no query is needed.
    """
    if driver_connection is None:
        return False
    is_reported_on = [
        driver_connection.info.parameter_status(name) == "on"
        for name in ("default_transaction_read_only", "in_hot_standby")
    ]
    return is_reported_on == [True, False]
