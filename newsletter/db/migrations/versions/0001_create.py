"""Create the list, the ledger and the events."""

import sqlalchemy as sa
from alembic import op

from newsletter.db.schema import BigIntKey, JsonType, UtcDateTime

revision = "0001"
down_revision = None

_SQLITE_TRIGGERS = (
    """\
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
    """\
CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal
WHEN EXISTS (SELECT 1 FROM subscriber WHERE id = OLD.subscriber_id)
BEGIN SELECT RAISE(ABORT, 'journal entries are deleted only with their subscriber'); END""",
)
_POSTGRESQL_TRIGGERS = (
    """\
CREATE OR REPLACE FUNCTION journal_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    RAISE EXCEPTION 'the journal is append-only';
  ELSIF TG_OP = 'TRUNCATE' THEN
    RAISE EXCEPTION 'journal entries are deleted only with their subscriber';
  ELSIF EXISTS (SELECT 1 FROM subscriber WHERE id = OLD.subscriber_id) THEN
    RAISE EXCEPTION 'journal entries are deleted only with their subscriber';
  END IF;
  RETURN OLD;
END $$""",
    """\
CREATE TRIGGER journal_append_only BEFORE UPDATE OR DELETE ON journal
FOR EACH ROW EXECUTE FUNCTION journal_is_append_only()""",
    """\
CREATE TRIGGER journal_no_truncate BEFORE TRUNCATE ON journal
FOR EACH STATEMENT EXECUTE FUNCTION journal_is_append_only()""",
)


def _create_journal_triggers(connection: sa.Connection) -> None:
    """Create the triggers as they were in this version, whatever the schema has now."""
    for statement in (
        _SQLITE_TRIGGERS if connection.dialect.name == "sqlite" else _POSTGRESQL_TRIGGERS
    ):
        connection.exec_driver_sql(statement)


def upgrade() -> None:
    op.create_table(
        "event",
        sa.Column("sg_event_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("address_key", sa.Text(), server_default="", nullable=False),
        sa.Column("send_id", BigIntKey),
        sa.Column("batch_id", BigIntKey),
        sa.Column("attempt_n", sa.Integer()),
        sa.Column("raw", JsonType, nullable=False),
        sa.PrimaryKeyConstraint("sg_event_id", name=op.f("pk_event")),
    )
    op.create_index("ix_event_address_key_type", "event", ["address_key", "type"])
    op.create_table(
        "send",
        sa.Column("id", BigIntKey, nullable=False),
        sa.Column("issue", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("content_sha", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("frozen_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime()),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("excluded", JsonType, nullable=False),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("segment", sa.Text(), server_default="", nullable=False),
        sa.Column("scheduled_at", UtcDateTime()),
        sa.Column("vendor_batch_id", sa.Text(), server_default="", nullable=False),
        sa.Column("recalled_at", UtcDateTime()),
        sa.Column("undo_seconds", sa.Integer(), server_default="0", nullable=False),
        sa.Column("limit_per_hour", sa.Integer(), server_default="0", nullable=False),
        sa.Column("plan_sha", sa.Text(), server_default="", nullable=False),
        sa.Column("app_version", sa.Text(), server_default="", nullable=False),
        _one_of(
            "ck_send_state",
            "state",
            "draft frozen running paused done cancelled blocked needs_review",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_send")),
        sa.UniqueConstraint("issue", name=op.f("uq_send_issue")),
    )
    op.create_table(
        "send_content",
        sa.Column("send_id", BigIntKey, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("preheader", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sender", JsonType, nullable=False),
        sa.Column("reply_to", JsonType, nullable=False),
        sa.Column("headers", JsonType, nullable=False),
        sa.Column("merge_tags", JsonType, nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("view_online_url", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["send_id"],
            ["send.id"],
            name=op.f("fk_send_content_send_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("send_id", name=op.f("pk_send_content")),
    )
    op.create_table(
        "vendor_pause",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("paused_until", UtcDateTime(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_vendor_pause_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vendor_pause")),
    )
    op.create_table(
        "rate_bucket",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("latest", UtcDateTime(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_rate_bucket_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rate_bucket")),
    )
    op.create_table(
        "subscriber",
        sa.Column("id", BigIntKey, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attributes", JsonType, nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("joined_at", UtcDateTime(), nullable=False),
        sa.Column("confirmed_at", UtcDateTime()),
        sa.Column("soft_bounces", sa.Integer(), server_default="0", nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        _one_of("ck_subscriber_status", "status", "pending active unsubscribed bounced complained"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriber")),
        sa.UniqueConstraint("address_key", name=op.f("uq_subscriber_address_key")),
        sa.UniqueConstraint("token", name=op.f("uq_subscriber_token")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_subscriber_status_id", "subscriber", ["status", "id"])
    op.create_index("ix_subscriber_joined_at", "subscriber", ["joined_at"])
    op.create_table(
        "subscriber_tag",
        sa.Column("subscriber_id", BigIntKey, nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_subscriber_tag_subscriber_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "tag", name=op.f("pk_subscriber_tag")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_subscriber_tag_tag", "subscriber_tag", ["tag", "subscriber_id"])
    op.create_table(
        "attribute",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        _one_of("ck_attribute_type", "type", "text number boolean date"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_attribute")),
    )
    op.create_table(
        "journal",
        sa.Column("subscriber_id", BigIntKey, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("wording", sa.Text(), server_default="", nullable=False),
        _one_of(
            "ck_journal_change",
            "change",
            "subscribed confirmed imported unsubscribed bounced complained resubscribed "
            "soft_bounced delivered",
        ),
        _one_of("ck_journal_status", "status", "pending active unsubscribed bounced complained"),
        _one_of("ck_journal_how", "how", "form import cli one_click webhook api sync"),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_journal_subscriber_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "n", name=op.f("pk_journal")),
        sqlite_with_rowid=False,
    )
    _create_journal_triggers(op.get_bind())
    op.create_table(
        "erased",
        sa.Column("address_hash", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("address_hash", name=op.f("pk_erased")),
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )
    op.create_table(
        "suppression",
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), server_default="all", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("address_key", "scope", name=op.f("pk_suppression")),
    )
    op.create_table(
        "batch",
        sa.Column("id", BigIntKey, nullable=False),
        sa.Column("send_id", BigIntKey, nullable=False),
        sa.Column("parent_id", BigIntKey),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_until", UtcDateTime()),
        sa.Column("retry_at", UtcDateTime()),
        sa.Column("not_before", UtcDateTime()),
        sa.Column("variant", sa.Text(), server_default="", nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        _one_of(
            "ck_batch_state",
            "state",
            "ready claimed in_flight accepted split rejected unknown dropped",
        ),
        sa.ForeignKeyConstraint(["parent_id"], ["batch.id"], name=op.f("fk_batch_parent_id")),
        sa.ForeignKeyConstraint(["send_id"], ["send.id"], name=op.f("fk_batch_send_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
    )
    op.create_index("ix_batch_send_id_state_id", "batch", ["send_id", "state", "id"])
    op.create_table(
        "attempt",
        sa.Column("batch_id", BigIntKey, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("body_sha", sa.Text(), nullable=False),
        sa.Column("started", UtcDateTime(), nullable=False),
        sa.Column("ended", UtcDateTime()),
        sa.Column("http_status", sa.Integer()),
        sa.Column("message_id", sa.Text(), server_default="", nullable=False),
        sa.Column("outcome", sa.Text()),
        _one_of("ck_attempt_outcome", "outcome", "accepted not_sent rejected unknown"),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_attempt_batch_id")),
        sa.PrimaryKeyConstraint("batch_id", "n", name=op.f("pk_attempt")),
    )
    op.create_table(
        "send_recipient",
        sa.Column("send_id", BigIntKey, nullable=False),
        sa.Column("subscriber_id", BigIntKey, nullable=False),
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("batch_id", BigIntKey, nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("variant", sa.Text(), server_default="", nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        _one_of(
            "ck_send_recipient_state",
            "state",
            "pending accepted skipped_late rejected dropped unknown",
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batch.id"], name=op.f("fk_send_recipient_batch_id")
        ),
        sa.ForeignKeyConstraint(["send_id"], ["send.id"], name=op.f("fk_send_recipient_send_id")),
        sa.PrimaryKeyConstraint("send_id", "subscriber_id", name=op.f("pk_send_recipient")),
        sa.UniqueConstraint(
            "send_id", "address_key", name=op.f("uq_send_recipient_send_id_address_key")
        ),
    )
    op.create_index("ix_send_recipient_batch_id", "send_recipient", ["batch_id"])


def _one_of(name: str, column: str, values: str) -> sa.CheckConstraint:
    listed = " OR ".join(f"{column} = '{value}'" for value in values.split())
    return sa.CheckConstraint(listed, name=op.f(name))
