"""A worker's connections to PostgreSQL, and checks before it starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import sqlalchemy as sa
from procrastinate.schema import SchemaManager
from psycopg.conninfo import make_conninfo

from newsletter.db import read_transaction
from newsletter.db.errors import database_error, redact_database_url
from newsletter.db.postgresql.connection import POSTGRESQL_OPTIONS
from newsletter.db.postgresql.server_errors import translate_postgresql_error
from newsletter.errors import Location

_PROBE_CHANNEL = "newsletter_probe"
PROBE_SECONDS = 2.0


def get_conninfo(engine: sa.Engine) -> str:
    """Return the connection string of an engine, for libraries that open their own connections.

    It contains the password.
    """
    address = engine.url.translate_connect_args(username="user", database="dbname")
    return make_conninfo(**{**POSTGRESQL_OPTIONS, **address, **engine.url.query})


@contextmanager
def translated_errors(engine: sa.Engine) -> Iterator[None]:
    """Translate errors of connections that other libraries open to the database of an engine.

    Raises:
        DatabaseError: there are too many connections, or the server is gone.
    """
    try:
        yield
    except psycopg.OperationalError as error:
        where, secret = Location(redact_database_url(engine.url)), engine.url.password or ""
        state = error.sqlstate or ""
        translated = translate_postgresql_error(error, state, where, secret, None)
        raise (translated or error) from error


def receives_notifications(engine: sa.Engine) -> bool:
    """Return whether LISTEN works; a connection pooler in transaction mode drops it silently.

    Raises:
        DatabaseError: the database can't be reached, or has no connections left.
    """
    conninfo = get_conninfo(engine)
    with translated_errors(engine), psycopg.connect(conninfo, autocommit=True) as listener:
        listener.execute(f"LISTEN {_PROBE_CHANNEL}")
        with psycopg.connect(conninfo, autocommit=True) as sender:
            sender.execute(f"NOTIFY {_PROBE_CHANNEL}")
        return any(True for _ in listener.notifies(timeout=PROBE_SECONDS, stop_after=1))


def require_known_job_queue(engine: sa.Engine, where: Location) -> None:
    """Refuse a job queue of another version of procrastinate than the installed one.

    Raises:
        DatabaseError: it is another one, or missing.
    """
    last = max(path.name for path in Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    with read_transaction(engine) as connection:
        # A migration has noted it there.
        note = connection.scalar(
            sa.text("SELECT obj_description(to_regclass('procrastinate_jobs'), 'pg_class')")
        )
    if note is None:
        raise database_error(
            "the job queue is missing, or was not created by newsletter",
            where,
            "Restore the database from a backup that has the tables procrastinate_….",
        )
    found = str(note).removeprefix("schema ")
    if found != last[:11]:
        raise database_error(
            f"the job queue has the schema version {found}, and the installed procrastinate "
            f"needs {last[:11]}",
            where,
            "Install the same version of newsletter on all machines: "
            "pip install --upgrade 'newsletter[postgres]'",
        )
