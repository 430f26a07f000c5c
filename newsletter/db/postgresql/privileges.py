"""What the role of a connection may do."""

import sqlalchemy as sa


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
