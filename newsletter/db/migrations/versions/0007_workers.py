"""Record the workers; on PostgreSQL, add procrastinate's tables."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

from newsletter.db.schema import BigIntKey, UtcDateTime
from newsletter.errors import DatabaseError

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "worker",
        sa.Column("id", BigIntKey, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("does_periodic_jobs", sa.Boolean(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("requests", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("recipients", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("request_seconds", sa.Float(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker")),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "postgresql":
        _create_job_queue(op.get_bind())


def _create_job_queue(connection: sa.Connection) -> None:
    """Create procrastinate's tables as the installed version has them, and note which it is.

    Its schema is the sum of numbered files; the last one's number is the schema's version
    (https://procrastinate.readthedocs.io/en/stable/howto/production/migrations.html).
    """
    try:
        from procrastinate.schema import SchemaManager
    except ModuleNotFoundError as error:
        raise DatabaseError(
            "the job queue of PostgreSQL is not installed",
            remedy="Install it with: pip install 'newsletter[postgres]'",
        ) from error
    if sa.inspect(connection).has_table("procrastinate_jobs"):
        raise DatabaseError(
            "another program uses procrastinate in the same schema of the database",
            remedy="Give this newsletter a database of its own, or a schema: "
            "add ?options=-csearch_path%3Dnewsletter to the URL.",
        )
    # Several statements, which only a query without parameters may have.
    connection.connection.cursor().execute(SchemaManager.get_schema())
    last = max(path.name for path in Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    op.execute(f"COMMENT ON TABLE procrastinate_jobs IS 'schema {last[:11]}'")
