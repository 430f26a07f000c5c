"""What the role of a connection may do."""

import sqlalchemy as sa

from newsletter.db.errors import database_error
from newsletter.db.transaction import read_transaction
from newsletter.errors import Location


def may_insert(connection: sa.Connection, table: sa.TableClause) -> bool:
    """Return whether the role may insert rows; always on SQLite, which has no roles."""
    if connection.dialect.name != "postgresql":
        return True
    may = sa.func.has_table_privilege(table.name, "INSERT")
    return bool(connection.scalar(sa.select(may)))


def may_execute(connection: sa.Connection, signature: str) -> bool:
    """Return whether the role may execute a function of PostgreSQL.

    Args:
        connection: a connection to PostgreSQL, in a transaction.
        signature: its name and the types of its arguments, such as ``f(bigint)``.
    """
    may = sa.func.has_function_privilege(signature, "EXECUTE")
    return bool(connection.scalar(sa.select(may)))


def require_insert(
    engine: sa.Engine, table: sa.Table, where: Location, purpose: str, remedy: str
) -> None:
    """Refuse a role that may not insert rows, before it fails at the first one.

    Args:
        engine: the database.
        table: the table.
        where: the database, for the message.
        purpose: what the role would do, as in ``the role may not …``.
        remedy: which role may.

    Raises:
        DatabaseError: the role may not.
    """
    with read_transaction(engine) as connection:
        if not may_insert(connection, table):
            raise database_error(f"the role may not {purpose}", where, remedy)
