"""What the role of a connection may do."""

import sqlalchemy as sa


def may_insert(connection: sa.Connection, table: sa.Table) -> bool:
    """Return whether the role may insert rows; always on SQLite, which has no roles."""
    if connection.dialect.name != "postgresql":
        return True
    may = sa.func.has_table_privilege(table.name, "INSERT")
    return bool(connection.scalar(sa.select(may)))
