"""Record each subscriber's consent to tracking, emails that confirm requests, refused sign-ups."""

import sqlalchemy as sa
from alembic import op

from newsletter.db.schema import BigIntKey, JsonType, UtcDateTime

revision = "0006"
down_revision = "0005"

_CHANGES = (
    "subscribed confirmed imported unsubscribed bounced complained resubscribed soft_bounced "
    "delivered opens_allowed opens_refused clicks_allowed clicks_refused"
)
_KINDS = "confirm welcome move_from move_to download erase"
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
    op.add_column("subscriber", sa.Column("opens_consent", sa.Boolean()))
    op.add_column("subscriber", sa.Column("clicks_consent", sa.Boolean()))
    op.create_table(
        "refused_signup",
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("signups", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("month", "reason", name=op.f("pk_refused_signup")),
    )
    if op.get_bind().dialect.name == "sqlite":
        _replace_journal()
        _replace_transactional_email()
        return
    for table, column, values in (
        ("journal", "change", _CHANGES),
        ("transactional_email", "kind", _KINDS),
    ):
        name = op.f(f"ck_{table}_{column}")
        op.drop_constraint(name, table)
        op.create_check_constraint(name, table, _is_one_of(column, values))


def _replace_journal() -> None:
    """Make the table anew: SQLite can't change a constraint (sqlite.org/lang_altertable.html)."""
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
        _one_of("ck_journal_change", "change", _CHANGES),
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


def _replace_transactional_email() -> None:
    op.create_table(
        "new_transactional_email",
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
        _one_of("ck_transactional_email_kind", "kind", _KINDS),
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
    op.execute("INSERT INTO new_transactional_email SELECT * FROM transactional_email")
    # An id that was given is never given again, not even that of a row that is gone.
    op.execute("DELETE FROM sqlite_sequence WHERE name = 'new_transactional_email'")
    op.execute(
        "INSERT INTO sqlite_sequence (name, seq) "
        "SELECT 'new_transactional_email', seq FROM sqlite_sequence "
        "WHERE name = 'transactional_email'"
    )
    op.drop_table("transactional_email")  # its row of sqlite_sequence goes with it
    op.execute("ALTER TABLE new_transactional_email RENAME TO transactional_email")
    op.create_index("ix_transactional_email_state_id", "transactional_email", ["state", "id"])


def _one_of(name: str, column: str, values: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(_is_one_of(column, values), name=op.f(name))


def _is_one_of(column: str, values: str) -> str:
    return " OR ".join(f"{column} = '{value}'" for value in values.split())
