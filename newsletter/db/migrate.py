"""Create or upgrade the schema with Alembic migrations."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from newsletter.db.postgresql.server_errors import explain_failed_upgrade
from newsletter.db.schema import metadata
from newsletter.db.transaction import read_transaction
from newsletter.errors import DatabaseError, Location

if TYPE_CHECKING:
    from alembic.config import Config

# The revision of the last migration; kept here so that a current database needs no Alembic import.
HEAD_REVISION = "0006"
MIGRATIONS_FOLDER = Path(__file__).parent / "migrations"
# The key of PostgreSQL's advisory lock: any number that no other program uses.
_ADVISORY_LOCK_ID = 0x6E6577736C


def ensure_current_schema(
    engine: sa.Engine, where: Location, before_upgrade: Callable[[], object] = lambda: None
) -> str | None:
    """Create the schema, or upgrade it if it isn't the newest.

    Args:
        engine: the database.
        where: the database, for messages.
        before_upgrade: called before an existing schema is upgraded.

    Returns:
        The revision before; ``None`` if there was no schema.

    Raises:
        DatabaseError: the schema is newer than this program, or belongs to another program.
    """
    with read_transaction(engine) as connection:
        revision = _read_revision(connection)
    if revision == HEAD_REVISION:
        return HEAD_REVISION
    if revision is not None:
        _check_supported(revision, where)
        # Not in the transaction below: on SQLite it locks all writers out, and a send or the public
        # site would fail if the copy of a large database took longer than they wait.
        before_upgrade()
    with explain_failed_upgrade(where), engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK_ID)))
        revision = _read_revision(connection)
        if revision == HEAD_REVISION:  # another process has migrated meanwhile
            return revision
        if revision is None:
            _check_empty(connection, where)
        run_migrations(connection, revision, where)
    return revision


def run_migrations(connection: sa.Connection, revision: str | None, where: Location) -> None:
    """Run the pending migrations within the connection's transaction.

    Raises:
        DatabaseError: the schema is newer than this program.
    """
    from alembic import command

    if revision is not None:
        _check_supported(revision, where)
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _check_supported(revision: str, where: Location) -> None:
    """Reject a schema that is newer than this program."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(alembic_config())
    if revision not in {script.revision for script in scripts.walk_revisions()}:
        raise DatabaseError(
            f"the database has schema version {revision}, which this version does not support",
            where=where,
            remedy="It was created by a newer version. Update with: "
            "pip install --upgrade newsletter",
        )


def alembic_config() -> "Config":
    """Return Alembic's configuration, made without an ini file."""
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
    """Reject a database that holds tables of another program."""
    tables = set(sa.inspect(connection).get_table_names())
    # A PostgreSQL database may be shared unless table names clash; a SQLite file may not.
    foreign = tables if connection.dialect.name == "sqlite" else tables & metadata.tables.keys()
    if foreign:
        raise DatabaseError(
            f"the database holds another program's tables ({', '.join(sorted(foreign)[:3])})",
            where=where,
            remedy="Set database: in newsletter.yml to an empty database or a new file.",
        )
