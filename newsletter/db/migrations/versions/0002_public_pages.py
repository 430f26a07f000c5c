"""Public pages: letters to one reader, changes of address, limits; pauses; machines' events."""

import sqlalchemy as sa
from alembic import op

from newsletter.db.schema import BigIntKey, JsonType, UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("subscriber", sa.Column("paused_until", UtcDateTime()))
    waiting = sa.text("paused_until IS NOT NULL")
    op.create_index(
        "ix_subscriber_paused_until",
        "subscriber",
        ["paused_until"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.add_column(
        "event", sa.Column("machine", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column("send", sa.Column("allowed", JsonType, server_default="{}", nullable=False))
    op.create_index("ix_event_send_id_type", "event", ["send_id", "type"])
    op.drop_index("ix_send_recipient_batch_id", "send_recipient")
    op.create_index(
        "ix_send_recipient_batch_id_subscriber_id", "send_recipient", ["batch_id", "subscriber_id"]
    )
    op.create_table(
        "notice",
        sa.Column("id", BigIntKey, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("window", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="ready", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("data", JsonType, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime()),
        sa.Column("ended_at", UtcDateTime()),
        sa.Column("retry_at", UtcDateTime()),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        _one_of("ck_notice_kind", "kind", "confirm welcome move_from move_to"),
        _one_of("ck_notice_state", "state", "ready in_flight accepted unknown rejected dropped"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint(
            "address_key", "kind", "window", name=op.f("uq_notice_address_key_kind_window")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notice_state_id", "notice", ["state", "id"])
    op.create_table(
        "address_change",
        sa.Column("subscriber_id", BigIntKey, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("old_agreed_at", UtcDateTime()),
        sa.Column("new_agreed_at", UtcDateTime()),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_address_change_subscriber_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscriber_id", name=op.f("pk_address_change")),
    )
    op.create_table(
        "rate_limit",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("expires", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_limit")),
    )
    op.create_index("ix_rate_limit_expires", "rate_limit", ["expires"])
    op.create_table(
        "leaving",
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("readers", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("month", "reason", name=op.f("pk_leaving")),
    )


def _one_of(name: str, column: str, values: str) -> sa.CheckConstraint:
    listed = " OR ".join(f"{column} = '{value}'" for value in values.split())
    return sa.CheckConstraint(listed, name=op.f(name))
