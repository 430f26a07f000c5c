"""Make connections to PostgreSQL: options, pool, encoding."""

import difflib
from typing import Any

import sqlalchemy as sa

from newsletter.db.errors import URL_SETTING, database_error, redact_database_url
from newsletter.db.postgresql.connection_pool import LimitedPool
from newsletter.db.transaction import LOCK_TIMEOUT_SECONDS, begin_postgresql
from newsletter.errors import DatabaseError, Location
from newsletter.wording import format_suggestion

# Options of PostgreSQL's client library, unless the URL has others. A server that vanishes (power
# cut, lost network) closes no connection; TCP alone would wait for it for up to two hours. It is
# noticed within 25 seconds, which is less than a wait for a lock takes.
POSTGRESQL_OPTIONS = {
    "application_name": "newsletter",  # in pg_stat_activity
    "connect_timeout": 10,
    "keepalives_idle": 10,  # seconds without a byte, then a probe every 5 seconds
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,  # milliseconds: while a request of ours is not acknowledged
}
# Of the driver: how often a statement runs before it is prepared.
PREPARE_OPTION = "prepare_threshold"
_ENCODING = "UTF8"
_LIBPQ_PAGE = "https://www.postgresql.org/docs/current/libpq-connect.html"


def create_postgresql_engine(target: sa.URL, pool_size: int) -> sa.Engine:
    """Return an engine; nothing is connected yet.

    Args:
        target: the database's URL.
        pool_size: how many connections it opens at most; a thread waits while all are in use.

    Raises:
        DatabaseError: the driver is not installed, or the URL has an option that it doesn't know.
    """
    where = Location(redact_database_url(target))
    try:
        from psycopg import pq
    except ImportError as error:
        raise database_error(
            "the PostgreSQL driver is not installed",
            where,
            "Install it with: pip install 'newsletter[postgres]'",
        ) from error
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    _check_options(target, known, where)
    options: dict[str, Any] = {
        name: value for name, value in POSTGRESQL_OPTIONS.items() if name not in target.query
    }
    if PREPARE_OPTION in target.query:
        options[PREPARE_OPTION] = _read_prepare_threshold(target, where)
    engine = sa.create_engine(
        target.set(drivername="postgresql+psycopg").difference_update_query([PREPARE_OPTION]),
        poolclass=LimitedPool,
        pool_pre_ping=True,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=LOCK_TIMEOUT_SECONDS,  # as long as whoever has one may wait
        hide_parameters=True,
        connect_args=options | {"client_encoding": _ENCODING},
    )
    # Before SQLAlchemy's own queries: it can't read the answers in some encodings.
    sa.event.listen(engine, "connect", lambda raw, _: _prepare(raw, where), insert=True)
    sa.event.listen(engine, "begin", begin_postgresql)
    return engine


def _check_options(target: sa.URL, known: set[str], where: Location) -> None:
    """Reject an option that the client library does not know: the driver has arguments of its own.

    Raises:
        DatabaseError: there is one, or one has several values (only hosts and ports may).
    """
    for name, value in target.query.items():
        if name not in known | {PREPARE_OPTION}:
            near = difflib.get_close_matches(name, known, n=1)
            raise database_error(
                f"the database URL has an unknown option: {name}",
                where,
                format_suggestion(near)
                or f"Take it out, or correct it; the options are those of libpq: {_LIBPQ_PAGE}",
            )
        if not isinstance(value, str) and name not in {"host", "port"}:
            raise database_error(
                f"the database URL has the option {name} more than once", where, "Leave one."
            )


def _read_prepare_threshold(target: sa.URL, where: Location) -> int | None:
    """Return the driver's number, ``None`` for never.

    Raises:
        DatabaseError: the URL says something else.
    """
    value = str(target.query[PREPARE_OPTION])
    if value.lower() == "none":
        return None
    if not (value.isascii() and value.isdigit()):
        raise database_error(
            f"{PREPARE_OPTION} in the database URL is neither none nor a number: {value}",
            where,
            "Behind a pooler without prepared statements: prepare_threshold=none",
        )
    return int(value)


def _prepare(connection: Any, where: Location) -> None:
    """Set up a new connection of the driver.

    Raises:
        DatabaseError: the database can't store every character.
    """
    try:
        _check_encoding(connection, where)
        # Not as a connection option: connection poolers reject those.
        connection.execute("SET TIME ZONE 'UTC'")
        connection.commit()
    except BaseException:
        connection.close()
        raise


def _check_encoding(connection: Any, where: Location) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding == _ENCODING:
        return
    raise DatabaseError(
        f"the encoding of the database is {encoding}, in which not every name can be stored",
        where=where,
        remedy="Make one in UTF-8 (createdb --encoding=UTF8 --template=template0 NAME) and name it "
        f"in {URL_SETTING}; to take a list along, restore a pg_dump of the old one into it.",
    )
