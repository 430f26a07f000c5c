"""Let an issue have several sends, of which nobody is a recipient twice."""

import sqlalchemy as sa
from alembic import op

from newsletter.db.schema import BigIntKey

revision = "0005"
down_revision = "0004"

_COLUMNS = "send_id, subscriber_id, address_key, batch_id, state, variant, error"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "ALTER TABLE send ADD COLUMN parent_id INTEGER "
            "CONSTRAINT fk_send_parent_id REFERENCES send (id)"
        )
        _replace_send_recipient()
    else:
        op.add_column("send", sa.Column("parent_id", BigIntKey))
        op.create_foreign_key(op.f("fk_send_parent_id"), "send", "send", ["parent_id"], ["id"])
        _extend_send_recipient()


def _extend_send_recipient() -> None:
    op.add_column("send_recipient", sa.Column("root_id", BigIntKey))
    op.execute("UPDATE send_recipient SET root_id = send_id")
    op.alter_column("send_recipient", "root_id", nullable=False)
    op.drop_constraint("uq_send_recipient_send_id_address_key", "send_recipient")
    op.create_unique_constraint(
        op.f("uq_send_recipient_root_id_address_key"), "send_recipient", ["root_id", "address_key"]
    )


def _replace_send_recipient() -> None:
    """Make the table anew: SQLite can't change a constraint."""
    op.create_table(
        "new_send_recipient",
        sa.Column("send_id", BigIntKey, nullable=False),
        sa.Column("subscriber_id", BigIntKey, nullable=False),
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("batch_id", BigIntKey, nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("variant", sa.Text(), server_default="", nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("root_id", BigIntKey, nullable=False),
        _state_constraint(),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batch.id"], name=op.f("fk_send_recipient_batch_id")
        ),
        sa.ForeignKeyConstraint(["send_id"], ["send.id"], name=op.f("fk_send_recipient_send_id")),
        sa.PrimaryKeyConstraint("send_id", "subscriber_id", name=op.f("pk_send_recipient")),
        sa.UniqueConstraint(
            "root_id", "address_key", name=op.f("uq_send_recipient_root_id_address_key")
        ),
    )
    op.execute(
        f"INSERT INTO new_send_recipient ({_COLUMNS}, root_id) "  # noqa: S608 - names of ours
        f"SELECT {_COLUMNS}, send_id FROM send_recipient"
    )
    op.drop_table("send_recipient")
    op.execute("ALTER TABLE new_send_recipient RENAME TO send_recipient")
    op.create_index(
        "ix_send_recipient_batch_id_subscriber_id",
        "send_recipient",
        ["batch_id", "subscriber_id"],
    )


def _state_constraint() -> sa.CheckConstraint:
    states = "pending accepted skipped_late rejected dropped unknown"
    listed = " OR ".join(f"state = '{state}'" for state in states.split())
    return sa.CheckConstraint(listed, name=op.f("ck_send_recipient_state"))
