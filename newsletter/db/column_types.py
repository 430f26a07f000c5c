"""Metadata, column types and check constraints of all tables.

Times are UTC, stored as ISO 8601 text on SQLite and timestamptz on PostgreSQL by ``UtcTime``.
"""

import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class UtcDateTime(TypeDecorator[datetime.datetime]):
    """An aware datetime in UTC; refuses naive ones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        """Text on SQLite, which has no time type; it sorts as time."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.String(32))
        return dialect.type_descriptor(sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime.datetime | None, dialect: sa.Dialect) -> Any:
        """To the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone can't be stored")
        value = value.astimezone(datetime.UTC)
        return value.isoformat(timespec="microseconds") if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime.datetime | None:  # noqa: ARG002
        """From the database."""
        if value is None:
            return None
        if isinstance(value, str):
            value = datetime.datetime.fromisoformat(value)
        time: datetime.datetime = value
        return time.astimezone(datetime.UTC)


BigIntKey = sa.BigInteger().with_variant(sa.Integer, "sqlite")
JsonType = sa.JSON().with_variant(JSONB, "postgresql")


def check_one_of(column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    """A check that ``column`` holds one of ``values``."""
    # SQLite builds the list of an IN anew for each row: that takes longer than writing the row.
    listed = " OR ".join(f"{column} = '{value}'" for value in values)
    return sa.CheckConstraint(listed, name=column)
