"""Find the recipients that a send left out by an index, since each has a reason."""

from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from alembic import op

from newsletter.db.schema import BigIntKey

revision = "0009"
down_revision = "0008"

_COLUMNS = "send_id, subscriber_id, address_key, batch_id, state, variant, error, root_id"
_HAS_REASON = "state = 'pending' OR state = 'accepted' OR state = 'unknown' OR error <> ''"
# As in 0008, with an index more, and statistics of all sends' recipients together: without them,
# PostgreSQL expects two hundred readers in a large send.
_ATTACH_PARTITION = """\
CREATE OR REPLACE FUNCTION newsletter_attach_partition(send_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET maintenance_work_mem = '256MB' AS $newsletter$
DECLARE
  home text := {schema};
  partition text := format('%I.%I', home, 'send_recipient_' || send_id);
BEGIN
  EXECUTE format('ALTER TABLE %s ADD PRIMARY KEY (send_id, subscriber_id)', partition);
  EXECUTE format('ALTER TABLE %s ADD UNIQUE (root_id, address_key)', partition);
  EXECUTE format('CREATE INDEX ON %s (batch_id, subscriber_id)', partition);
  EXECUTE format('CREATE INDEX ON %s (send_id) WHERE error <> ''''', partition);
  EXECUTE format('ALTER TABLE %s INHERIT %I.send_recipient', partition, home);
  EXECUTE format('ANALYZE %s', partition);
  EXECUTE format('ANALYZE %I.send_recipient', home);
END $newsletter$"""
_HOME = """\
SELECT quote_literal(nspname) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE pg_class.oid = 'send_recipient'::regclass"""
_PARTITIONS = """\
SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'send_recipient'::regclass"""

_SQLITE_TRIGGERS = """\
SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'send_recipient'"""
_POSTGRESQL_TRIGGERS = """\
SELECT quote_ident(tgname), replace(pg_get_triggerdef(oid), '%', '%%') FROM pg_trigger
WHERE tgrelid = 'send_recipient'::regclass AND NOT tgisinternal"""


def upgrade() -> None:
    connection = op.get_bind()
    # Those of a database that "db copy" has retired; it can still be read, and used again.
    triggers = _drop_triggers(connection)
    # An erased reader's reasons were erased as well.
    op.execute(
        f"UPDATE send_recipient SET error = 'the reason was erased' WHERE NOT ({_HAS_REASON})"  # noqa: S608 - our own names
    )
    if connection.dialect.name == "sqlite":
        _replace_send_recipient()
    else:
        op.create_check_constraint(
            op.f("ck_send_recipient_reason"), "send_recipient", sa.text(_HAS_REASON)
        )
        for partition in connection.execute(sa.text(_PARTITIONS)).scalars().all():
            op.execute(f"CREATE INDEX ON {partition} (send_id) WHERE error <> ''")
        home = connection.execute(sa.text(_HOME)).scalar_one()
        text = _ATTACH_PARTITION.replace("{schema}", home)
        connection.exec_driver_sql(text.replace("%", "%%"))
    has_reason = sa.text("error != ''")
    op.create_index(
        "ix_send_recipient_send_id",
        "send_recipient",
        ["send_id"],
        sqlite_where=has_reason,
        postgresql_where=has_reason,
    )
    for trigger in triggers:
        connection.exec_driver_sql(trigger)


def _drop_triggers(connection: sa.Connection) -> Sequence[str]:
    """Drop the triggers of the table; return the statements that create them."""
    query = _SQLITE_TRIGGERS if connection.dialect.name == "sqlite" else _POSTGRESQL_TRIGGERS
    found = connection.execute(sa.text(query)).all()
    for name, _ in found:
        of_table = "" if connection.dialect.name == "sqlite" else " ON send_recipient"
        connection.exec_driver_sql(f"DROP TRIGGER {name}{of_table}")
    return [statement for _, statement in found]


def _replace_send_recipient() -> None:
    """Make the table anew: SQLite can't add a constraint."""
    connection = op.get_bind()
    # With less, pages of the unique index are written many times, since addresses have no order.
    # Not from then on: a send on the same connection would take a quarter more time.
    cache_size = connection.exec_driver_sql("PRAGMA cache_size").scalar_one()
    connection.exec_driver_sql("PRAGMA cache_size = -64000")
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
        *_iter_constraints(),
    )
    op.execute(
        f"INSERT INTO new_send_recipient ({_COLUMNS}) "  # noqa: S608 - our own names
        f"SELECT {_COLUMNS} FROM send_recipient"
    )
    connection.exec_driver_sql(f"PRAGMA cache_size = {int(cache_size)}")
    op.drop_table("send_recipient")
    op.execute("ALTER TABLE new_send_recipient RENAME TO send_recipient")
    op.create_index(
        "ix_send_recipient_batch_id_subscriber_id",
        "send_recipient",
        ["batch_id", "subscriber_id"],
    )


def _iter_constraints() -> Iterator[sa.Constraint]:
    states = "pending accepted skipped_late rejected dropped unknown"
    listed = " OR ".join(f"state = '{state}'" for state in states.split())
    yield sa.CheckConstraint(listed, name=op.f("ck_send_recipient_state"))
    yield sa.CheckConstraint(_HAS_REASON, name=op.f("ck_send_recipient_reason"))
    for table in ("batch", "send"):
        name = op.f(f"fk_send_recipient_{table}_id")
        yield sa.ForeignKeyConstraint([f"{table}_id"], [f"{table}.id"], name=name)
    yield sa.PrimaryKeyConstraint("send_id", "subscriber_id", name=op.f("pk_send_recipient"))
    name = op.f("uq_send_recipient_root_id_address_key")
    yield sa.UniqueConstraint("root_id", "address_key", name=name)
