"""Name tables and columns in the field's words; nothing else changes."""

import sqlalchemy as sa
from alembic import op

from newsletter.db.schema import BigIntKey, JsonType, UtcDateTime

revision = "0003"
down_revision = "0002"

COLUMNS = (
    ("address_change", "asked_at", "requested_at"),
    ("address_change", "old_agreed_at", "old_confirmed_at"),
    ("address_change", "new_agreed_at", "new_confirmed_at"),
    ("attempt", "n", "number"),
    ("attempt", "started", "started_at"),
    ("attempt", "ended", "ended_at"),
    ("batch", "not_before", "available_at"),
    ("event", "attempt_n", "attempt_number"),
    ("event", "machine", "is_bot"),
    ("send", "vendor_batch_id", "provider_batch_id"),
)
TABLES = {
    "leaving": "unsubscribe_reason",
    "meta": "setting",
    "notice": "transactional_email",
    "vendor_pause": "provider_pause",
}
_SQLITE_TRIGGERS = (
    """\
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
    """\
CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal
WHEN EXISTS (SELECT 1 FROM subscriber WHERE id = OLD.subscriber_id)
BEGIN SELECT RAISE(ABORT, 'journal entries are deleted only with their subscriber'); END""",
)


def upgrade() -> None:
    for table, old, new in COLUMNS:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
    if op.get_bind().dialect.name == "sqlite":
        _upgrade_sqlite()
    else:
        _upgrade_postgresql()


def _upgrade_postgresql() -> None:
    op.execute("ALTER TABLE journal RENAME COLUMN n TO seq")
    op.execute("ALTER TABLE journal RENAME COLUMN how TO method")
    op.execute("ALTER TABLE journal RENAME CONSTRAINT ck_journal_how TO ck_journal_method")
    op.execute("ALTER TABLE leaving RENAME COLUMN readers TO subscribers")
    constraints = {
        "leaving": ("pk_leaving",),
        "meta": ("pk_meta",),
        "notice": (
            "pk_notice",
            "ck_notice_kind",
            "ck_notice_state",
            "uq_notice_address_key_kind_window",
        ),
        "vendor_pause": ("pk_vendor_pause", "ck_vendor_pause_one_row"),
    }
    for old, new in TABLES.items():
        for name in constraints[old]:
            renamed = name.replace(f"_{old}", f"_{new}")
            op.execute(f"ALTER TABLE {old} RENAME CONSTRAINT {name} TO {renamed}")
        op.execute(f"ALTER TABLE {old} RENAME TO {new}")
    op.execute("ALTER INDEX ix_notice_state_id RENAME TO ix_transactional_email_state_id")
    op.execute("ALTER SEQUENCE notice_id_seq RENAME TO transactional_email_id_seq")


def _upgrade_sqlite() -> None:
    """Make the tables anew: SQLite can't rename a constraint (sqlite.org/lang_altertable.html)."""
    _replace_journal()
    op.create_table(
        "setting",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_setting")),
    )
    op.create_table(
        "provider_pause",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("paused_until", UtcDateTime(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_provider_pause_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_pause")),
    )
    op.create_table(
        "unsubscribe_reason",
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("subscribers", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("month", "reason", name=op.f("pk_unsubscribe_reason")),
    )
    _create_transactional_email()
    for old, new in TABLES.items():
        op.execute(f"INSERT INTO {new} SELECT * FROM {old}")  # noqa: S608 - names of ours
    # An id that was given is never given again, not even that of a row that is gone.
    op.execute("DELETE FROM sqlite_sequence WHERE name = 'transactional_email'")
    op.execute(
        "INSERT INTO sqlite_sequence (name, seq) "
        "SELECT 'transactional_email', seq FROM sqlite_sequence WHERE name = 'notice'"
    )
    for old in TABLES:
        op.drop_table(old)
    op.create_index("ix_transactional_email_state_id", "transactional_email", ["state", "id"])


def _replace_journal() -> None:
    op.create_table(
        "new_journal",
        sa.Column("subscriber_id", BigIntKey, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("wording", sa.Text(), server_default="", nullable=False),
        _one_of(
            "ck_journal_change",
            "change",
            "subscribed confirmed imported unsubscribed bounced complained resubscribed "
            "soft_bounced delivered",
        ),
        _one_of("ck_journal_status", "status", "pending active unsubscribed bounced complained"),
        _one_of("ck_journal_method", "method", "form import cli one_click webhook api sync"),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_journal_subscriber_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscriber_id", "seq", name=op.f("pk_journal")),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO new_journal SELECT * FROM journal")
    # Dropping a table runs no trigger, so the old journal may go although its subscribers stay.
    op.drop_table("journal")
    op.execute("ALTER TABLE new_journal RENAME TO journal")
    for statement in _SQLITE_TRIGGERS:
        op.execute(statement)


def _create_transactional_email() -> None:
    op.create_table(
        "transactional_email",
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
        _one_of("ck_transactional_email_kind", "kind", "confirm welcome move_from move_to"),
        _one_of(
            "ck_transactional_email_state",
            "state",
            "ready in_flight accepted unknown rejected dropped",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transactional_email")),
        sa.UniqueConstraint(
            "address_key",
            "kind",
            "window",
            name=op.f("uq_transactional_email_address_key_kind_window"),
        ),
        sqlite_autoincrement=True,
    )


def _one_of(name: str, column: str, values: str) -> sa.CheckConstraint:
    listed = " OR ".join(f"{column} = '{value}'" for value in values.split())
    return sa.CheckConstraint(listed, name=op.f(name))
