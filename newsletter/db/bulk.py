"""Many rows in one statement, and many values in one parameter."""

from collections.abc import Collection, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY

from newsletter.db.errors import database_error
from newsletter.errors import Location

_CACHE_KIB = 16_000
_WAL_CHECKPOINT_PAGES = 16_000


class BulkStatement:
    """A statement handed to the driver as it is: half the time of Core's way.

    Its rows are tuples of what the driver takes.

    Args:
        statement: its values are ``sa.bindparam``.
        dialect: the database's.
        names: the bind parameters in the order of the tuples.
    """

    def __init__(self, statement: sa.UpdateBase, dialect: sa.Dialect, names: Sequence[str]) -> None:
        # psycopg's own style names the parameters, which wants a dict a row.
        style = {"paramstyle": "format"} if dialect.name == "postgresql" else {}
        positional: Any = type(dialect)
        if isinstance(statement, sa.Insert):
            # Core asks for the key of a row by RETURNING, which executemany of sqlite3 refuses
            # from Python 3.12 on.
            statement = statement.inline()
        compiled: Any = statement.compile(dialect=positional(**style))
        self._sql = str(compiled)
        self._order = [names.index(name) for name in compiled.positiontup]

    def execute(self, connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run it for every row; no rows, no statement."""
        if not rows:
            return
        if self._order != list(range(len(self._order))):
            rows = [tuple(row[index] for index in self._order) for row in rows]
        connection.exec_driver_sql(self._sql, list(rows))


def tune_for_bulk_writes(connection: sa.Connection) -> None:
    """Make room for long indexes: new keys land all over them, and each page is written once."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint = {_WAL_CHECKPOINT_PAGES}")


def insert_rows(
    connection: sa.Connection,
    table: sa.Table,
    names: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    """Insert many rows the quickest way that the database has; none of their keys may be there.

    Args:
        connection: in a transaction.
        table: where to.
        names: its columns, in the order of the tuples.
        rows: of what the driver takes.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        _copy_rows(connection, f"COPY {table.name} ({', '.join(names)}) FROM STDIN", rows)
        return
    marks = ", ".join("?" * len(names))
    statement = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - names of ours
    connection.exec_driver_sql(statement, list(rows))


def _copy_rows(connection: sa.Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except connection.dialect.loaded_dbapi.OperationalError as error:  # past SQLAlchemy's own eyes
        where = Location(connection.engine.url.render_as_string())
        said = f"PostgreSQL says: {' '.join(str(error).split())}"
        raise database_error(
            said, where, "Check that the server runs, and run this again."
        ) from error


class ValueList(sa.TypeDecorator[Collection[Any]]):
    """Many values in one parameter: an array on PostgreSQL, a JSON text on SQLite.

    Args:
        item_type: of the values.
    """

    impl = sa.Text
    cache_ok = True

    def __init__(self, item_type: Any) -> None:
        super().__init__()
        self.item_type = item_type

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Return the type that the database takes."""
        wanted = ARRAY(self.item_type) if dialect.name == "postgresql" else sa.Text()
        return dialect.type_descriptor(wanted)

    def process_bind_param(self, value: Collection[Any] | None, dialect: sa.Dialect) -> Any:
        """Return the values in that type."""
        values = list(value or ())
        return values if dialect.name == "postgresql" else orjson.dumps(values).decode()


def column_in(
    connection: sa.Connection, column: sa.Column[Any], values: Collection[str] | Collection[int]
) -> sa.ColumnElement[bool]:
    """``column IN values`` as one parameter, however many values there are."""
    return _column_in_list(connection, column, sa.literal(values, ValueList(column.type)))


def column_in_parameter(
    connection: sa.Connection, column: sa.Column[Any], name: str
) -> sa.ColumnElement[bool]:
    """``column IN :name``; unlike an expanding parameter it may be executed for many rows.

    The parameter's value is a collection.
    """
    return _column_in_list(connection, column, sa.bindparam(name, type_=ValueList(column.type)))


def _column_in_list(
    connection: sa.Connection, column: sa.Column[Any], values: sa.BindParameter[Any]
) -> sa.ColumnElement[bool]:
    if connection.dialect.name == "postgresql":
        return column == sa.any_(values)
    return column.in_(sa.select(sa.func.json_each(values).table_valued("value").c.value))


def insert_or_ignore(
    connection: sa.Connection, table: sa.Table
) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that leaves rows as they are whose key is there already."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing()
