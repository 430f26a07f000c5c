"""Tables behind the public pages: transactional emails, rate limits.

Also requested address changes, and counts of refused sign-ups and of reasons for unsubscribing.
"""

import sqlalchemy as sa

from newsletter.db.column_types import BigIntKey, JsonType, UtcDateTime, check_one_of, metadata

TRANSACTIONAL_EMAIL_KINDS = ("confirm", "welcome", "move_from", "move_to", "download", "erase")
TRANSACTIONAL_EMAIL_STATES = ("ready", "in_flight", "accepted", "unknown", "rejected", "dropped")

# An email to one subscriber about their subscription: to confirm, to welcome, to change an address,
# to download or erase their data.
# One per address, kind and window; like a batch, it is sent again only if it certainly was not.
transactional_email = sa.Table(
    "transactional_email",
    metadata,
    sa.Column("id", BigIntKey, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("address_key", sa.Text, nullable=False),
    sa.Column("window", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="ready"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("data", JsonType, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("started_at", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("retry_at", UtcDateTime),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sa.UniqueConstraint("address_key", "kind", "window"),
    check_one_of("kind", TRANSACTIONAL_EMAIL_KINDS),
    check_one_of("state", TRANSACTIONAL_EMAIL_STATES),
    # The link in an email contains this id, so ids are never reused.
    sqlite_autoincrement=True,
)
sa.Index("ix_transactional_email_state_id", transactional_email.c.state, transactional_email.c.id)

# A requested change of address; it takes effect once both addresses have confirmed.
address_change = sa.Table(
    "address_change",
    metadata,
    sa.Column(
        "subscriber_id",
        BigIntKey,
        sa.ForeignKey("subscriber.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("address_key", sa.Text, nullable=False),
    sa.Column("requested_at", UtcDateTime, nullable=False),
    sa.Column("old_confirmed_at", UtcDateTime),
    sa.Column("new_confirmed_at", UtcDateTime),
)

# Counters of rate limits, shared by all processes; keys are hashed.
rate_limit = sa.Table(
    "rate_limit",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("hits", sa.Integer, nullable=False),
    # Seconds since the epoch.
    sa.Column("expires", sa.Float, nullable=False),
)
sa.Index("ix_rate_limit_expires", rate_limit.c.expires)

# The stated reasons for unsubscribing: anonymous counts per month.
unsubscribe_reason = sa.Table(
    "unsubscribe_reason",
    metadata,
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, primary_key=True),
    sa.Column("subscribers", sa.Integer, nullable=False),
)

# The sign-ups that were refused, or never confirmed: anonymous counts per month.
refused_signup = sa.Table(
    "refused_signup",
    metadata,
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, primary_key=True),
    sa.Column("signups", sa.Integer, nullable=False),
)
