"""The migrations add up to the schema, on both databases."""

import ast
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine.interfaces import ReflectedForeignKeyConstraint, ReflectedIndex

from newsletter.db import read_transaction
from newsletter.db.schema import VERSION_TABLE, metadata

VERSIONS = Path(__file__).parents[2] / "newsletter" / "db" / "migrations" / "versions"


def test_alembic_finds_no_difference_from_the_metadata(engine: sa.Engine) -> None:
    with read_transaction(engine) as connection:
        options = {
            "compare_type": True,
            "version_table": VERSION_TABLE,
            "include_name": is_ours,
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_migrated_and_created_schema_reflect_the_same(engine: sa.Engine) -> None:
    """Alembic compares neither checks nor defaults, so compare all that reflection returns."""
    migrated = reflect_tables(engine)
    triggers = trigger_definitions(engine)
    with engine.begin() as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
    assert reflect_tables(engine) == migrated
    assert trigger_definitions(engine) == triggers != set()


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Leave out the tables of the job queue, which are procrastinate's own."""
    return kind != "table" or not str(name).startswith("procrastinate_")


def trigger_definitions(engine: sa.Engine) -> set[str]:
    sqlite = "SELECT sql FROM sqlite_master WHERE type = 'trigger'"
    postgresql = """\
SELECT pg_get_triggerdef(t.oid) || pg_get_functiondef(t.tgfoid) FROM pg_trigger t
WHERE NOT t.tgisinternal"""
    with read_transaction(engine) as connection:
        query = sqlite if engine.dialect.name == "sqlite" else postgresql
        return set(connection.exec_driver_sql(query).scalars())


def test_migrations_use_no_code_that_may_change() -> None:
    """A migration that has been applied must do the same for ever: it has its own statements."""
    imported = {
        (node.module, name.name)
        for path in VERSIONS.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("newsletter")
        for name in node.names
    }
    allowed = {"BigIntKey", "DatabaseError", "JsonType", "UtcDateTime"}
    assert {name for _, name in imported} <= allowed


def index_options(index: ReflectedIndex) -> dict[str, str]:
    """Return options as text: the condition of a partial index compares equal only as text."""
    return {name: str(option) for name, option in index.get("dialect_options", {}).items()}


def without_added_name(key: ReflectedForeignKeyConstraint) -> dict[str, object]:
    """Leave the name out if SQLite has added the key with its column: then SQLAlchemy misses it."""
    return {**key, "name": "" if key["constrained_columns"] == ["parent_id"] else key["name"]}


def without_storage(options: Mapping[str, object]) -> list[tuple[str, object]]:
    """Leave out how PostgreSQL stores a table, which SQLAlchemy 2.0 can't describe."""
    return sorted((name, value) for name, value in options.items() if name != "postgresql_with")


def reflect_tables(engine: sa.Engine) -> dict[str, list[str]]:
    with read_transaction(engine) as connection:
        inspector = sa.inspect(connection)
        return {
            table: sorted(
                str(sorted(item.items()) if isinstance(item, dict) else item)
                for item in (
                    *inspector.get_columns(table),
                    *inspector.get_check_constraints(table),
                    *inspector.get_unique_constraints(table),
                    *map(without_added_name, inspector.get_foreign_keys(table)),
                    *(
                        {**index, "dialect_options": index_options(index)}
                        for index in inspector.get_indexes(table)
                    ),
                    inspector.get_pk_constraint(table),
                    str(without_storage(inspector.get_table_options(table))),
                )
            )
            for table in metadata.tables
        }
