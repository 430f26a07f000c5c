"""Retire a database whose content was copied to another one.

From then on it refuses every write, also those of programs that have it open: what they wrote would
be missing from the other one, and what they sent could be sent again from there. So triggers refuse
it, as they keep the journal append-only.
"""

import json
from typing import Any

import sqlalchemy as sa

from newsletter.db.errors import RETIRED_MESSAGE, RETIRED_SQLSTATE
from newsletter.db.identity import MOVED_TO_KEY, has_identity, mark_as_moved, set_identity
from newsletter.db.schema import metadata, setting
from newsletter.db.stored_settings import read_setting, write_setting

_SQLITE_OPERATIONS = ("insert", "update", "delete")
_POSTGRESQL_FUNCTION = f"""\
CREATE OR REPLACE FUNCTION refuse_retired_database() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '{RETIRED_MESSAGE}' USING ERRCODE = '{RETIRED_SQLSTATE}';
END $$"""


def read_moved_to(connection: sa.Connection) -> dict[str, Any] | None:
    """Return where a retired database was copied to; ``None`` if it is not retired."""
    value = read_setting(connection, MOVED_TO_KEY)
    return None if value is None else json.loads(value)


def retire(connection: sa.Connection, moved_to: dict[str, Any]) -> None:
    """Make the database refuse all writes from the end of the transaction on.

    Args:
        connection: in a transaction that writes.
        moved_to: where its content is now: ``url``, ``at``, and the ``token`` of the copy.
    """
    if not has_identity(connection):
        set_identity(connection)  # now, since a command that only reads would have to do it
    write_setting(connection, MOVED_TO_KEY, json.dumps(moved_to))
    if connection.dialect.name == "sqlite":
        for name, operation in _sqlite_triggers():
            connection.exec_driver_sql(
                f"CREATE TRIGGER {name} BEFORE {operation} "
                f"BEGIN SELECT RAISE(ABORT, '{RETIRED_MESSAGE}'); END"
            )
        return
    connection.exec_driver_sql(_POSTGRESQL_FUNCTION)
    for table in metadata.tables:
        connection.exec_driver_sql(
            f"CREATE TRIGGER retired BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_retired_database()"
        )


def reinstate(connection: sa.Connection) -> None:
    """Use a retired database again, as a copy as of when it was retired.

    Its unfinished sends are held, and nothing is sent until it is adopted, as with every copy: what
    was sent from the other database since is not known.
    """
    if connection.dialect.name == "sqlite":
        for name, _ in _sqlite_triggers():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
    else:
        for table in metadata.tables:
            connection.exec_driver_sql(f"DROP TRIGGER retired ON {table}")
        connection.exec_driver_sql("DROP FUNCTION refuse_retired_database()")
    connection.execute(sa.delete(setting).where(setting.c.key == MOVED_TO_KEY))
    mark_as_moved(connection)


def _sqlite_triggers() -> list[tuple[str, str]]:
    """Return the names of the triggers, and what each of them refuses."""
    return [
        (f"retired_{table}_{operation}", f"{operation.upper()} ON {table}")
        for table in metadata.tables
        for operation in _SQLITE_OPERATIONS
    ]
