"""Column types, check constraints, order of text, metadata of all tables.

Times are UTC; ``UtcDateTime`` stores them as ISO 8601 text on SQLite, as timestamptz on PostgreSQL.
"""

import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)

BigIntKey = sa.BigInteger().with_variant(sa.Integer, "sqlite")
JsonType = sa.JSON().with_variant(JSONB, "postgresql")


class UtcDateTime(TypeDecorator[datetime.datetime]):
    """A column of aware datetimes in UTC; rejects naive ones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        """Return text on SQLite, which has no time type; it sorts chronologically."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.String(32))
        return dialect.type_descriptor(sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime.datetime | None, dialect: sa.Dialect) -> Any:
        """Convert an aware datetime to UTC for the database.

        Raises:
            ValueError: the datetime is naive.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("cannot store a datetime without a time zone")
        value = value.astimezone(datetime.UTC)
        return value.isoformat(timespec="microseconds") if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime.datetime | None:  # noqa: ARG002
        """Convert the stored value to an aware datetime in UTC."""
        if value is None:
            return None
        if isinstance(value, str):
            value = datetime.datetime.fromisoformat(value)
        moment: datetime.datetime = value
        return moment.astimezone(datetime.UTC)


class ByCodePoint(FunctionElement[str]):
    """Text that is compared and sorted by its code points, as SQLite and Python do.

    PostgreSQL sorts by the language that the database was created with, unless told otherwise.
    """

    type = sa.Text()
    inherit_cache = True


@compiles(ByCodePoint)
def _render_plain(element: ByCodePoint, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(ByCodePoint, "postgresql")
def _render_collation(element: ByCodePoint, compiler: SQLCompiler, **options: Any) -> str:
    return f'(({compiler.process(element.clauses, **options)}) COLLATE "C")'


def check_one_of(column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    """Return a check constraint that ``column`` is one of ``values``."""
    return sa.CheckConstraint(one_of_text(column, values), name=column)


def one_of_text(column: str, values: tuple[str, ...]) -> str:
    """Return the SQL of a check that ``column`` is one of ``values``."""
    # SQLite rebuilds the list of an IN for each row, which takes longer than writing the row.
    return " OR ".join(f"{column} = '{value}'" for value in values)
