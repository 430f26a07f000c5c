"""Create or upgrade the schema with Alembic migrations."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from newsletter.db.errors import URL_SETTING
from newsletter.db.postgresql.server_errors import explain_failed_upgrade
from newsletter.db.schema import VERSION_TABLE, metadata
from newsletter.db.transaction import lift_statement_timeout, read_transaction
from newsletter.errors import DatabaseChangedError, DatabaseError, Location

if TYPE_CHECKING:
    from alembic.config import Config

# The revision of the last migration; kept here so that a current database needs no Alembic import.
HEAD_REVISION = "0009"
# Where the version was at first, up to these revisions.
LEGACY_VERSION_TABLE = "alembic_version"
_LEGACY_REVISIONS = frozenset({"0001", "0002", "0003", "0004", "0005", "0006"})
# Tables that all of them have.
_OLDEST_TABLES = ("attempt", "batch", "event", "journal", "send", "send_recipient", "subscriber")
MIGRATIONS_FOLDER = Path(__file__).parent / "migrations"
_version = sa.table(VERSION_TABLE, sa.column("version_num"))
# For programs that run for long: whether the schema is still that which they know.
IS_CURRENT_SCHEMA = sa.exists().where(_version.c.version_num == HEAD_REVISION)
# The key of PostgreSQL's advisory lock: any number that no other program uses.
_ADVISORY_LOCK_ID = 0x6E6577736C


def ensure_current_schema(
    engine: sa.Engine,
    where: Location,
    before_upgrade: Callable[[], object] = lambda: None,
    *,
    may_create: bool = True,
) -> str | None:
    """Create the schema, or upgrade it if it isn't the newest.

    Args:
        engine: the database.
        where: the database, for messages.
        before_upgrade: called before an existing schema is upgraded.
        may_create: whether a schema is made if there is none.

    Returns:
        The revision before; ``None`` if there was no schema.

    Raises:
        DatabaseError: the schema is newer than this program, or belongs to another program; or
            some tables are those of an older backup; or there is none, and none may be made.
    """
    with read_transaction(engine) as connection:
        revision, is_legacy = _read_revision(connection, where)
    if revision == HEAD_REVISION and not is_legacy:
        return HEAD_REVISION
    if revision is not None:
        _check_supported(revision, where)
    elif not may_create:
        raise DatabaseError(
            "no newsletter is in this database",
            where=where,
            remedy="Name the one that has the list: it is in newsletter.yml, as database:.",
        )
    if revision not in {None, HEAD_REVISION}:
        # Not in the transaction below: on SQLite it locks all writers out, and a send or the public
        # site would fail if the copy of a large database took longer than they wait.
        before_upgrade()
    with explain_failed_upgrade(where), engine.begin() as connection:
        lift_statement_timeout(connection)
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK_ID)))
        revision, is_legacy = _read_revision(connection, where)
        if revision == HEAD_REVISION and not is_legacy:  # another process has migrated meanwhile
            return revision
        if revision is None:
            _check_empty(connection, where)
        elif is_legacy:
            _move_version(connection, revision)
        run_migrations(connection, revision, where)
    return revision


def require_current_schema(connection: sa.Connection) -> None:
    """Refuse to go on if another version of the program has upgraded the schema meanwhile.

    Raises:
        DatabaseChangedError: it has.
    """
    if connection.scalar(sa.select(IS_CURRENT_SCHEMA)):
        return
    revision = connection.scalar(sa.select(_version.c.version_num))
    raise DatabaseChangedError(
        f"another version of newsletter has upgraded the database to schema version {revision}, "
        "which this one does not know",
        remedy="Install the same version on all machines, and start it: pip install --upgrade "
        "newsletter",
    )


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


def _read_revision(connection: sa.Connection, where: Location) -> tuple[str | None, bool]:
    """Return the schema's revision, and whether it is still in the table of Alembic's own name.

    Raises:
        DatabaseError: a dump of before the change of the table's name was restored over a newer
            schema, of which the version remains.
    """
    inspector = sa.inspect(connection)
    is_legacy = not inspector.has_table(VERSION_TABLE)
    legacy_revision = _read_legacy_revision(inspector, connection, may_be_foreign=not is_legacy)
    if is_legacy:
        return legacy_revision, legacy_revision is not None
    revision: str | None = connection.scalar(sa.text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608 - our own name
    # The other program that uses this name may number its revisions as we do.
    if legacy_revision and revision == HEAD_REVISION and not _has_all_columns(inspector):
        raise DatabaseError(
            f"the tables are those of an older backup, at version {legacy_revision}, beside what "
            f"is left of version {revision}",
            where=where,
            remedy="Restore the backup into a new, empty database.",
        )
    return revision, False


def _read_legacy_revision(
    inspector: sa.Inspector, connection: sa.Connection, *, may_be_foreign: bool
) -> str | None:
    """Return our revision in the table of Alembic's own name; ``None`` if it isn't there."""
    if not inspector.has_table(LEGACY_VERSION_TABLE):
        return None
    if not all(inspector.has_table(table) for table in _OLDEST_TABLES):
        return None
    if may_be_foreign and connection.dialect.name == "postgresql":
        may_read = sa.func.has_table_privilege(LEGACY_VERSION_TABLE, "SELECT")
        if not connection.scalar(sa.select(may_read)):
            return None
    query = sa.text(f"SELECT version_num FROM {LEGACY_VERSION_TABLE}")  # noqa: S608 - a fixed name
    return max(_LEGACY_REVISIONS.intersection(connection.scalars(query)), default=None)


def _has_all_columns(inspector: sa.Inspector) -> bool:
    columns = {
        name: {column["name"] for column in found}
        for (_, name), found in inspector.get_multi_columns().items()
    }
    return all(
        columns.get(table.name, set()) >= set(table.columns.keys())
        for table in metadata.tables.values()
    )


def _move_version(connection: sa.Connection, revision: str) -> None:
    """Move our revision into a table of our own; another program's rows stay where they are."""
    connection.exec_driver_sql(
        f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL, "
        f"CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
    )
    new, old = (
        sa.table(name, sa.column("version_num")) for name in (VERSION_TABLE, LEGACY_VERSION_TABLE)
    )
    connection.execute(sa.insert(new).values(version_num=revision))
    connection.execute(sa.delete(old).where(old.c.version_num == revision))
    if not connection.scalar(sa.select(sa.func.count()).select_from(old)):
        connection.exec_driver_sql(f"DROP TABLE {LEGACY_VERSION_TABLE}")


def _check_empty(connection: sa.Connection, where: Location) -> None:
    """Reject a database that holds tables of another program."""
    tables = set(sa.inspect(connection).get_table_names())
    # A PostgreSQL database may be shared unless table names clash; a SQLite file may not.
    foreign = tables if connection.dialect.name == "sqlite" else tables & metadata.tables.keys()
    if foreign:
        raise DatabaseError(
            f"the database holds another program's tables ({', '.join(sorted(foreign)[:3])})",
            where=where,
            remedy=f"Name an empty database or a new file in {URL_SETTING}.",
        )
