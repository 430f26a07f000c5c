"""The migrations add up to the schema, on both databases."""

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine.interfaces import ReflectedIndex

from newsletter.db import read_transaction
from newsletter.db.schema import metadata


def test_alembic_sees_no_difference(engine: sa.Engine) -> None:
    with read_transaction(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_constraints_and_options_are_the_same(engine: sa.Engine) -> None:
    """Alembic compares neither checks nor defaults, so compare all that a database tells."""
    migrated = described(engine)
    triggers = names_of_triggers(engine)
    with engine.begin() as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
    assert described(engine) == migrated
    assert names_of_triggers(engine) == triggers != set()


def names_of_triggers(engine: sa.Engine) -> set[str]:
    sqlite = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    postgresql = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    with read_transaction(engine) as connection:
        listed = sqlite if engine.dialect.name == "sqlite" else postgresql
        return set(connection.exec_driver_sql(listed).scalars())


def options_of(index: ReflectedIndex) -> dict[str, str]:
    """Such as the condition of a partial index, which only looks the same as text."""
    return {name: str(option) for name, option in index.get("dialect_options", {}).items()}


def described(engine: sa.Engine) -> dict[str, list[str]]:
    with read_transaction(engine) as connection:
        inspector = sa.inspect(connection)
        return {
            table: sorted(
                str(sorted(item.items()) if isinstance(item, dict) else item)
                for item in (
                    *inspector.get_columns(table),
                    *inspector.get_check_constraints(table),
                    *inspector.get_unique_constraints(table),
                    *inspector.get_foreign_keys(table),
                    *(
                        {**index, "dialect_options": options_of(index)}
                        for index in inspector.get_indexes(table)
                    ),
                    inspector.get_pk_constraint(table),
                    inspector.get_table_options(table),
                )
            )
            for table in metadata.tables
        }
