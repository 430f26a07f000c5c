"""Bring a database to the current schema (Alembic).

On first use and after an update.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from newsletter.db.schema import metadata
from newsletter.db.transaction import read_transaction
from newsletter.errors import DatabaseError, Location

if TYPE_CHECKING:
    from alembic.config import Config

# The last migration's revision; written here so that an up-to-date database needs no Alembic.
HEAD_REVISION = "0003"
MIGRATIONS_FOLDER = Path(__file__).parent / "migrations"
# Any number that is ours alone: the name of PostgreSQL's advisory lock.
_ADVISORY_LOCK_ID = 0x6E6577736C


def ensure_current_schema(engine: sa.Engine, where: Location) -> str | None:
    """Make or upgrade the schema if it isn't the newest.

    Returns:
        The revision before; ``None`` if there was no schema.

    Raises:
        DatabaseError: the schema is newer than this program, or another program's.
    """
    with read_transaction(engine) as connection:
        if _read_revision(connection) == HEAD_REVISION:
            return HEAD_REVISION
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK_ID)))
        revision = _read_revision(connection)
        if revision == HEAD_REVISION:  # another process was first
            return revision
        if revision is None:
            _check_empty(connection, where)
        run_migrations(connection, revision, where)
    return revision


def run_migrations(connection: sa.Connection, revision: str | None, where: Location) -> None:
    """Run the migrations that are missing, inside the connection's transaction."""
    from alembic import command
    from alembic.script import ScriptDirectory

    config = alembic_config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise DatabaseError(
            f"the database is at version {revision}, which this newsletter doesn't know",
            where=where,
            remedy="A newer newsletter made it: update with pip install --upgrade newsletter",
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def alembic_config() -> "Config":
    """Alembic's settings, which need no ini file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_FOLDER).replace("%", "%%"))
    return config


def _read_revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return revision


def _check_empty(connection: sa.Connection, where: Location) -> None:
    """Refuse to move in with another program."""
    tables = set(sa.inspect(connection).get_table_names())
    # A PostgreSQL database may be shared, a file may not.
    foreign = tables if connection.dialect.name == "sqlite" else tables & metadata.tables.keys()
    if foreign:
        raise DatabaseError(
            f"the database holds another program's tables ({', '.join(sorted(foreign)[:3])})",
            where=where,
            remedy="Name an empty database, or a new file, as database: in newsletter.yml.",
        )
