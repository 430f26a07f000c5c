"""Rows of a table in a form that SQLite and PostgreSQL share.

A value is as SQLite stores it: text, integer, float, bytes or NULL; a time is ISO 8601 text in UTC
with microseconds, a boolean is 0 or 1, JSON is text. PostgreSQL takes them in this form.
"""

import datetime
import decimal
import functools
import hashlib
import json
from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from newsletter.db.bulk import insert_rows
from newsletter.db.errors import redact_database_url
from newsletter.db.identity import HEARTBEAT_PREFIX, IDENTITY_KEYS, MOVE_KEYS
from newsletter.db.schema import UtcDateTime, metadata, setting
from newsletter.errors import DatabaseError, Location

Row = tuple[Any, ...]

_CHUNK_ROWS = 2_000
# Of tables with whole emails, or what was posted to us, in a row.
_CHUNK_ROWS_OF_LARGE = {"send_content": 20, "unreadable_event": 50}
_TIME_LENGTH = len("2026-11-24T08:00:00.000000+00:00")
_POSTGRESQL_TIME = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')"""
# Enough for every number that PostgreSQL can store.
_NUMBERS = decimal.Context(prec=150_000)


class TableDigest(NamedTuple):
    """What is compared of two tables: the number of rows, and a SHA-256 over all of them."""

    rows: int
    checksum: str


class TableHasher:
    """Computes the digest of a table's rows, in the order of the primary key.

    Args:
        table: the table whose rows are added.
    """

    def __init__(self, table: sa.Table) -> None:
        self._hash = hashlib.sha256()
        self._rows = 0
        self._normalizers = [
            (index, normalize)
            for index, column in enumerate(table.columns)
            if (normalize := _find_normalizer(column))
        ]

    def add(self, rows: Sequence[Row]) -> None:
        """Add the next rows."""
        self._rows += len(rows)
        for row in rows:
            values = list(row)
            for index, normalize in self._normalizers:
                if values[index] is not None:
                    values[index] = normalize(values[index])
            self._hash.update(ascii(values).encode())

    def digest(self) -> TableDigest:
        """Return the digest of all rows that were added."""
        return TableDigest(self._rows, self._hash.hexdigest())


def read_row_chunks(connection: sa.Connection, table: sa.Table) -> Generator[list[Row], None, None]:
    """Yield the rows that are copied, in the order of the primary key, some at a time.

    Close it if it is not read to its end: on PostgreSQL it has a cursor on the server.
    Of ``setting``, what is about the place of a database and not about its content is left out.
    """
    size = _CHUNK_ROWS_OF_LARGE.get(table.name, _CHUNK_ROWS)
    with connection.exec_driver_sql(
        _select_statement(connection, table),
        execution_options={"stream_results": True, "max_row_buffer": size},
    ) as result:
        for partition in result.partitions(size):
            yield [tuple(row) for row in partition]


def count_rows(connection: sa.Connection, table: sa.Table) -> int:
    """Return the number of rows that are copied."""
    count = f"SELECT count(*) FROM {table.name}{_where_clause(table)}"  # noqa: S608 - our own identifiers
    return int(connection.exec_driver_sql(count).scalar_one())


def insert_copied_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Insert rows as ``read_row_chunks`` has yielded them.

    Raises:
        DatabaseError: the database can't store one of them; the message has the table and the key.
    """
    try:
        _try_insert(connection, table, rows)
    except (sa.exc.DBAPIError, connection.dialect.loaded_dbapi.Error) as error:
        row, reason = _find_refused_row(connection, table, rows) or (None, error)
        raise _refused_row_error(connection, table, row, reason) from error


def read_last_ids(connection: sa.Connection) -> dict[str, int]:
    """Return the highest id that each table has given out, also to rows that were deleted.

    Links and the ledger keep ids, so that none may be given out again.
    """
    last_ids = {}
    for table, column in _tables_with_ids():
        highest = f"SELECT coalesce(max({column}), 0) FROM {table}"  # noqa: S608 - our own identifiers
        if connection.dialect.name == "sqlite":
            query = f"SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = '{table}'"  # noqa: S608
        else:
            sequence = connection.exec_driver_sql(
                f"SELECT pg_get_serial_sequence('{table}', '{column}')"
            ).scalar_one()
            query = f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}"  # noqa: S608
        numbers = (connection.exec_driver_sql(text).scalar_one() for text in (highest, query))
        last_ids[table] = max(map(int, numbers))
    return last_ids


def write_last_ids(connection: sa.Connection, last_ids: dict[str, int]) -> None:
    """Let the next id of each table be higher than the last one of the other database."""
    for table, column in _tables_with_ids():
        last_id = last_ids[table]
        if not last_id:
            continue
        if connection.dialect.name == "postgresql":
            sequence = f"pg_get_serial_sequence('{table}', '{column}')"
            connection.exec_driver_sql(f"SELECT setval({sequence}, {last_id})")
        elif metadata.tables[table].dialect_options["sqlite"]["autoincrement"]:
            # Has no unique key; the row is made by the first insert into the table.
            connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            connection.exec_driver_sql(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last_id)
            )


def _tables_with_ids() -> list[tuple[str, str]]:
    """Return the tables whose ids the database gives out, and the columns of the ids."""
    return [
        (table.name, table.autoincrement_column.name)
        for table in metadata.sorted_tables
        if table.autoincrement_column is not None
    ]


def _try_insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    quote = connection.dialect.identifier_preparer.quote
    names = [quote(column.name) for column in table.columns]
    with connection.begin_nested():
        insert_rows(connection, table, names, rows)


def _find_refused_row(
    connection: sa.Connection, table: sa.Table, rows: Sequence[Row]
) -> tuple[Row, Exception] | None:
    for row in rows:
        try:
            _try_insert(connection, table, [row])
        except (sa.exc.DBAPIError, connection.dialect.loaded_dbapi.Error) as error:
            return row, error
    return None


def _refused_row_error(
    connection: sa.Connection, table: sa.Table, row: Row | None, error: Exception
) -> DatabaseError:
    keys = "?"
    columns: list[str] = []
    if row:
        values = dict(zip(table.columns.keys(), row, strict=True))
        keys = ", ".join(f"{column.name} {values[column.name]}" for column in table.primary_key)
        columns = [name for name, value in values.items() if _has_nul(value)]
    original = getattr(error, "orig", error)
    diagnosis = getattr(original, "diag", None)
    reason = (diagnosis and diagnosis.message_primary) or " ".join(str(original).split())
    if columns:
        reason = f"it can't store the character U+0000, which is in {' and '.join(columns)}"
    return DatabaseError(
        f"a row of {table.name} was refused, {keys}: {reason}",
        where=Location(redact_database_url(connection.engine.url)),
        remedy="Correct it in the database that is copied, and run this again: the tables before "
        "it are kept.",
    )


def _has_nul(value: object) -> bool:
    return isinstance(value, str) and ("\0" in value or "\\u0000" in value)


def _select_statement(connection: sa.Connection, table: sa.Table) -> str:
    is_postgresql = connection.dialect.name == "postgresql"
    quote = connection.dialect.identifier_preparer.quote
    expressions = []
    for column in table.columns:
        expression = quote(column.name)
        if is_postgresql and isinstance(column.type, sa.JSON):
            expression = f"CAST({expression} AS text)"
        elif is_postgresql and isinstance(column.type, UtcDateTime):
            expression = _POSTGRESQL_TIME.format(expression)
        elif is_postgresql and isinstance(column.type, sa.Boolean):
            expression = f"CAST({expression} AS integer)"
        expressions.append(expression)
    order = [
        # The order of SQLite: by bytes, whatever the language of the database is.
        f'{column.name} COLLATE "C"'
        if is_postgresql and isinstance(column.type, sa.Text)
        else column.name
        for column in table.primary_key
    ]
    columns = ", ".join(expressions)
    return (
        f"SELECT {columns} FROM {table.name}{_where_clause(table)} "  # noqa: S608 - our own identifiers
        f"ORDER BY {', '.join(order)}"
    )


def _where_clause(table: sa.Table) -> str:
    if table is not setting:
        return ""
    keys = ", ".join(f"'{key}'" for key in (*IDENTITY_KEYS, *MOVE_KEYS))
    length = len(HEARTBEAT_PREFIX)
    return f" WHERE key NOT IN ({keys}) AND substr(key, 1, {length}) <> '{HEARTBEAT_PREFIX}'"


def _find_normalizer(column: sa.Column[Any]) -> Callable[[Any], Any] | None:
    if isinstance(column.type, sa.JSON):
        return _normalize_json
    return _normalize_time if isinstance(column.type, UtcDateTime) else None


def _normalize_time(text: str) -> str:
    if len(text) == _TIME_LENGTH:
        return text
    moment = datetime.datetime.fromisoformat(text)
    return moment.astimezone(datetime.UTC).isoformat(timespec="microseconds")


@functools.lru_cache(maxsize=1_000)
def _normalize_json(text: str) -> str:
    """Return JSON as it is in both databases: PostgreSQL keeps the value of it, not the text.

    The order of keys, spaces, escapes and the way a number is written may differ.
    """
    try:
        value = json.loads(text, parse_float=_normalize_number, parse_int=_normalize_number)
    except (ValueError, RecursionError, decimal.DecimalException):
        return text
    return json.dumps(value, sort_keys=True)


def _normalize_number(text: str) -> str:
    """Return a number as text that no string in JSON has, since PostgreSQL refuses U+0000."""
    number = decimal.Decimal(text).normalize(_NUMBERS)
    return f"\0{number or 0}"
