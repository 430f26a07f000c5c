"""All tables as SQLAlchemy Core metadata: subscribers, ledger, events.

The migrations must add up to exactly this schema. What is not certain in the ledger (send,
send_recipient, batch, attempt) is stored as ``unknown``, never guessed: see docs/explanation.
"""

import sqlalchemy as sa

from newsletter.db.column_types import (
    BigIntKey,
    JsonType,
    UtcDateTime,
    check_one_of,
    metadata,
    one_of_text,
)
from newsletter.db.journal_triggers import create_journal_triggers
from newsletter.db.web_tables import (
    TRANSACTIONAL_EMAIL_KINDS,
    TRANSACTIONAL_EMAIL_STATES,
    address_change,
    rate_limit,
    refused_signup,
    transactional_email,
    unsubscribe_reason,
)

__all__ = [
    "ATTEMPT_OUTCOMES",
    "ATTRIBUTE_TYPES",
    "BATCH_STATES",
    "CHANGE_KINDS",
    "CHANGE_METHODS",
    "HAS_REASON",
    "MAYBE_SENT_BATCH_STATES",
    "OPEN_BATCH_STATES",
    "RECIPIENT_STATES",
    "SEND_STATES",
    "STATUSES",
    "TRANSACTIONAL_EMAIL_KINDS",
    "TRANSACTIONAL_EMAIL_STATES",
    "VERSION_TABLE",
    "BigIntKey",
    "JsonType",
    "UtcDateTime",
    "address_change",
    "attempt",
    "attribute",
    "batch",
    "erased",
    "event",
    "journal",
    "metadata",
    "provider_pause",
    "rate_bucket",
    "rate_limit",
    "refused_signup",
    "send",
    "send_content",
    "send_recipient",
    "setting",
    "subscriber",
    "subscriber_tag",
    "suppression",
    "transactional_email",
    "unreadable_event",
    "unsubscribe_reason",
    "worker",
]

# Of the migrations. Not Alembic's own name: in a schema that is shared with another program that
# uses Alembic, that program's version would be taken for ours.
VERSION_TABLE = "newsletter_version"
STATUSES = ("pending", "active", "unsubscribed", "bounced", "complained")
CHANGE_KINDS = (
    "subscribed", "confirmed", "imported", "unsubscribed", "bounced", "complained", "resubscribed",
    "soft_bounced", "delivered",
    "opens_allowed", "opens_refused", "clicks_allowed", "clicks_refused",
)  # fmt: skip
CHANGE_METHODS = ("form", "import", "cli", "one_click", "webhook", "api", "sync")
ATTRIBUTE_TYPES = ("text", "number", "boolean", "date")
SEND_STATES = (
    "draft", "frozen", "running", "paused", "done", "cancelled", "blocked", "needs_review",
)  # fmt: skip
BATCH_STATES = (
    "ready", "claimed", "in_flight", "accepted", "split", "rejected", "unknown", "dropped",
)  # fmt: skip
# Of a batch that is not completed yet; and of one that readers may have, or are about to get.
OPEN_BATCH_STATES = ("ready", "claimed", "in_flight")
MAYBE_SENT_BATCH_STATES = ("in_flight", "unknown", "accepted")
RECIPIENT_STATES = ("pending", "accepted", "skipped_late", "rejected", "dropped", "unknown")
ATTEMPT_OUTCOMES = ("accepted", "not_sent", "rejected", "unknown")


subscriber = sa.Table(
    "subscriber",
    metadata,
    sa.Column("id", BigIntKey, primary_key=True),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("address_key", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False, server_default=""),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attributes", JsonType, nullable=False),
    sa.Column("token", sa.Text, nullable=False, unique=True),
    sa.Column("source", sa.Text, nullable=False, server_default=""),
    sa.Column("joined_at", UtcDateTime, nullable=False),
    sa.Column("confirmed_at", UtcDateTime),
    # Soft bounces since the last delivery.
    sa.Column("soft_bounces", sa.Integer, nullable=False, server_default="0"),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    # Until when the subscriber asked to receive nothing; the status stays active.
    sa.Column("paused_until", UtcDateTime),
    # Whether they have agreed that opens, or clicks, are recorded; null if they were not asked.
    sa.Column("opens_consent", sa.Boolean),
    sa.Column("clicks_consent", sa.Boolean),
    check_one_of("status", STATUSES),
    # An id is never reused, not even after the newest row was erased: the ledger keeps ids.
    sqlite_autoincrement=True,
)
sa.Index("ix_subscriber_status_id", subscriber.c.status, subscriber.c.id)
sa.Index("ix_subscriber_joined_at", subscriber.c.joined_at)
_has_pause = subscriber.c.paused_until.is_not(None)
sa.Index(
    "ix_subscriber_paused_until",
    subscriber.c.paused_until,
    sqlite_where=_has_pause,
    postgresql_where=_has_pause,
)

subscriber_tag = sa.Table(
    "subscriber_tag",
    metadata,
    sa.Column(
        "subscriber_id",
        BigIntKey,
        sa.ForeignKey("subscriber.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("tag", sa.Text, primary_key=True),
    sqlite_with_rowid=False,
)
sa.Index("ix_subscriber_tag_tag", subscriber_tag.c.tag, subscriber_tag.c.subscriber_id)

# The type of each attribute, fixed when it is first used; all values in subscriber.attributes
# have that type.
attribute = sa.Table(
    "attribute",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
    check_one_of("type", ATTRIBUTE_TYPES),
)

# Each change of a subscriber's status or consent, in order; ``status`` is that after the change.
journal = sa.Table(
    "journal",
    metadata,
    sa.Column(
        "subscriber_id",
        BigIntKey,
        sa.ForeignKey("subscriber.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("change", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False, server_default=""),
    sa.Column("wording", sa.Text, nullable=False, server_default=""),
    check_one_of("change", CHANGE_KINDS),
    check_one_of("status", STATUSES),
    check_one_of("method", CHANGE_METHODS),
    sqlite_with_rowid=False,
)
sa.event.listen(
    journal, "after_create", lambda _, connection, **__: create_journal_triggers(connection)
)

# Erased addresses: an HMAC-SHA256 of the address key, keyed by a salt in ``setting``.
erased = sa.Table(
    "erased",
    metadata,
    sa.Column("address_hash", sa.Text, primary_key=True),
    sa.Column("at", UtcDateTime, nullable=False),
)

setting = sa.Table(
    "setting",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

suppression = sa.Table(
    "suppression",
    metadata,
    sa.Column("address_key", sa.Text, primary_key=True),
    sa.Column("scope", sa.Text, primary_key=True, server_default="all"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("since", UtcDateTime, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
)

send = sa.Table(
    "send",
    metadata,
    sa.Column("id", BigIntKey, primary_key=True),
    sa.Column("issue", sa.Text, nullable=False, unique=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("content_sha", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("frozen_at", UtcDateTime, nullable=False),
    sa.Column("finished_at", UtcDateTime),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("excluded", JsonType, nullable=False),
    sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    # The query that selects the audience; '' for the whole list.
    sa.Column("segment", sa.Text, nullable=False, server_default=""),
    sa.Column("scheduled_at", UtcDateTime),
    # SendGrid's batch id for the scheduled requests, and when they were cancelled there.
    sa.Column("provider_batch_id", sa.Text, nullable=False, server_default=""),
    sa.Column("recalled_at", UtcDateTime),
    sa.Column("undo_seconds", sa.Integer, nullable=False, server_default="0"),
    # Rule id of `newsletter check` -> the editor's reason for allowing its findings.
    sa.Column("allowed", JsonType, nullable=False, server_default="{}"),
    # Recipients per hour; 0 for no limit.
    sa.Column("limit_per_hour", sa.Integer, nullable=False, server_default="0"),
    # Checksum of the plan; and the version of newsletter that created it.
    sa.Column("plan_sha", sa.Text, nullable=False, server_default=""),
    sa.Column("app_version", sa.Text, nullable=False, server_default=""),
    # Of a catch-up, the send of the same issue that it adds to.
    sa.Column("parent_id", BigIntKey, sa.ForeignKey("send.id")),
    check_one_of("state", SEND_STATES),
)

# The frozen email: this is what is sent, and what a changed issue is compared with.
send_content = sa.Table(
    "send_content",
    metadata,
    sa.Column("send_id", BigIntKey, sa.ForeignKey("send.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("preheader", sa.Text, nullable=False),
    sa.Column("html", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("sender", JsonType, nullable=False),
    sa.Column("reply_to", JsonType, nullable=False),
    sa.Column("headers", JsonType, nullable=False),
    sa.Column("merge_tags", JsonType, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("view_online_url", sa.Text, nullable=False),
)

batch = sa.Table(
    "batch",
    metadata,
    sa.Column("id", BigIntKey, primary_key=True),
    sa.Column("send_id", BigIntKey, sa.ForeignKey("send.id"), nullable=False),
    sa.Column("parent_id", BigIntKey, sa.ForeignKey("batch.id")),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
    sa.Column("lease_until", UtcDateTime),
    sa.Column("retry_at", UtcDateTime),
    sa.Column("available_at", UtcDateTime),
    sa.Column("variant", sa.Text, nullable=False, server_default=""),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    check_one_of("state", BATCH_STATES),
)
sa.Index("ix_batch_send_id_state_id", batch.c.send_id, batch.c.state, batch.c.id)

send_recipient = sa.Table(
    "send_recipient",
    metadata,
    sa.Column("send_id", BigIntKey, sa.ForeignKey("send.id"), primary_key=True),
    sa.Column("subscriber_id", BigIntKey, primary_key=True),
    sa.Column("address_key", sa.Text, nullable=False),
    sa.Column("batch_id", BigIntKey, sa.ForeignKey("batch.id"), nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="pending"),
    sa.Column("variant", sa.Text, nullable=False, server_default=""),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    # The send itself or, of a catch-up, its parent: nobody may be a recipient of an issue twice.
    sa.Column("root_id", BigIntKey, nullable=False),
    sa.UniqueConstraint("root_id", "address_key"),
    check_one_of("state", RECIPIENT_STATES),
    # Whoever was left out is found by that.
    sa.CheckConstraint(
        f"{one_of_text('state', ('pending', 'accepted', 'unknown'))} OR error <> ''", name="reason"
    ),
)
# Not by the state: on PostgreSQL, an update of a column that an index names changes all indexes.
HAS_REASON = send_recipient.c.error != sa.literal_column("''")
sa.Index(
    "ix_send_recipient_send_id",
    send_recipient.c.send_id,
    sqlite_where=HAS_REASON,
    postgresql_where=HAS_REASON,
)
# In the order in which the recipients of a batch are read, which avoids a sort.
sa.Index(
    "ix_send_recipient_batch_id_subscriber_id",
    send_recipient.c.batch_id,
    send_recipient.c.subscriber_id,
)

attempt = sa.Table(
    "attempt",
    metadata,
    sa.Column("batch_id", BigIntKey, sa.ForeignKey("batch.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("body_sha", sa.Text, nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("http_status", sa.Integer),
    sa.Column("message_id", sa.Text, nullable=False, server_default=""),
    sa.Column("outcome", sa.Text),
    check_one_of("outcome", ATTEMPT_OUTCOMES),
)

# One row each, shared by all workers of all processes.
provider_pause = sa.Table(
    "provider_pause",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("paused_until", UtcDateTime, nullable=False),
    sa.CheckConstraint("id = 1", name="one_row"),
)
rate_bucket = sa.Table(
    "rate_bucket",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    # Recipients sent to since the last hour in which nothing was sent, and the latest time.
    sa.Column("used", sa.Integer, nullable=False),
    sa.Column("latest", UtcDateTime, nullable=False),
    sa.CheckConstraint("id = 1", name="one_row"),
)

# One per program that runs as a worker. One that was killed has not been seen for a while.
worker = sa.Table(
    "worker",
    metadata,
    # In the name of its queue, so never used again.
    sa.Column("id", BigIntKey, primary_key=True),
    # The machine and the process.
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    # Requests in flight at once for each send; 0 for one that takes no sends.
    sa.Column("concurrency", sa.Integer, nullable=False),
    sa.Column("does_periodic_jobs", sa.Boolean, nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("seen_at", UtcDateTime, nullable=False),
    # Since its start: requests that were responded to, their recipients, and how long they took.
    sa.Column("requests", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("recipients", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("request_seconds", sa.Float, nullable=False, server_default="0"),
    sqlite_autoincrement=True,
)

event = sa.Table(
    "event",
    metadata,
    sa.Column("sg_event_id", sa.Text, primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("address_key", sa.Text, nullable=False, server_default=""),
    sa.Column("send_id", BigIntKey),
    sa.Column("batch_id", BigIntKey),
    sa.Column("attempt_number", sa.Integer),
    # Whether a bot caused it (a mail client's prefetch, a link scanner), not the recipient.
    sa.Column("is_bot", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("raw", JsonType, nullable=False),
)
sa.Index("ix_event_address_key_type", event.c.address_key, event.c.type)
sa.Index("ix_event_send_id_type", event.c.send_id, event.c.type)

# What SendGrid has posted, or a file contained, that this version does not understand as an event:
# as it was received, until a later version understands it or it is too old.
unreadable_event = sa.Table(
    "unreadable_event",
    metadata,
    sa.Column("id", BigIntKey, primary_key=True),
    sa.Column("received_at", UtcDateTime, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    # The webhook, or a file and its line.
    sa.Column("source", sa.Text, nullable=False),
    # Its beginning if it is long; bytes, since PostgreSQL can't store NUL in text.
    sa.Column("body", sa.LargeBinary, nullable=False),
    # The length and the SHA-256 of the whole.
    sa.Column("length", sa.Integer, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False, unique=True),
    # Deleted ids are not used again: the highest is the latest.
    sqlite_autoincrement=True,
)
