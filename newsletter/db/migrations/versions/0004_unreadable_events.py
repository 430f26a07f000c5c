"""Keep what is received as an event and can't be understood."""

import sqlalchemy as sa
from alembic import op

from newsletter.db.schema import BigIntKey, UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "unreadable_event",
        sa.Column("id", BigIntKey, nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unreadable_event")),
        sa.UniqueConstraint("sha256", name=op.f("uq_unreadable_event_sha256")),
        sqlite_autoincrement=True,
    )
