"""On PostgreSQL: room for updates, statistics, a table of its own for each large send."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

# By default, the statistics of a table are renewed after a tenth of it has changed. The rows of a
# new send are less than that of all sends, and are those that are asked for.
_STATISTICS = "autovacuum_analyze_scale_factor = 0.01"
# A recipient is inserted once and updated once. In a page that is half free, the update finds room
# beside the old row, so that no index has to point to a new place.
_RECIPIENT_STORAGE = f"fillfactor = 50, {_STATISTICS}"
# Each runs with the rights of the tables' owner, so its names mean those of their schema, and never
# a temporary table (https://www.postgresql.org/docs/current/sql-createfunction.html, "Writing
# SECURITY DEFINER Functions Safely").
_DEFINER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp"
# With the rights that there are on the table of all other sends.
_CREATE_PARTITION = f"""\
CREATE FUNCTION newsletter_create_partition(send_id bigint) RETURNS void
{_DEFINER} AS $$
DECLARE
  partition text := 'send_recipient_' || send_id;
  granted record;
BEGIN
  EXECUTE format(
    'CREATE TABLE %I (LIKE send_recipient INCLUDING DEFAULTS INCLUDING CONSTRAINTS) '
    'WITH ({_RECIPIENT_STORAGE})', partition);
  FOR granted IN
    SELECT grantee, privilege_type FROM pg_class, aclexplode(relacl)
    WHERE oid = 'send_recipient'::regclass AND grantee NOT IN (0, relowner)
  LOOP
    EXECUTE format('GRANT %s ON %I TO %s',
      granted.privilege_type, partition, granted.grantee::regrole);
  END LOOP;
END $$"""  # noqa: S608 - our own names
# Without foreign keys: to add one would lock all other sends out of the table of batches.
_ATTACH_PARTITION = f"""\
CREATE FUNCTION newsletter_attach_partition(send_id bigint) RETURNS void
{_DEFINER} SET maintenance_work_mem = '256MB' AS $$
DECLARE
  partition text := 'send_recipient_' || send_id;
BEGIN
  EXECUTE format('ALTER TABLE %I ADD PRIMARY KEY (send_id, subscriber_id)', partition);
  EXECUTE format('ALTER TABLE %I ADD UNIQUE (root_id, address_key)', partition);
  EXECUTE format('CREATE INDEX ON %I (batch_id, subscriber_id)', partition);
  EXECUTE format('ALTER TABLE %I INHERIT send_recipient', partition);
  EXECUTE format('ANALYZE %I', partition);
END $$"""
# Not if a catch-up of the send has recipients in it.
_DROP_PARTITION = f"""\
CREATE FUNCTION newsletter_drop_partition(send_id bigint) RETURNS boolean
{_DEFINER} AS $$
DECLARE
  partition text := 'send_recipient_' || send_id;
  has_others boolean;
BEGIN
  EXECUTE format('SELECT EXISTS (SELECT FROM %I r WHERE r.send_id < $1 OR r.send_id > $1)',
    partition) INTO has_others USING send_id;
  IF NOT has_others THEN
    EXECUTE format('DROP TABLE %I', partition);
  END IF;
  RETURN NOT has_others;
END $$"""  # noqa: S608 - our own names
# Before PostgreSQL 17, only its owner may analyze a table.
_ANALYZE = f"""\
CREATE FUNCTION newsletter_analyze(table_name text) RETURNS void
{_DEFINER} AS $$
BEGIN
  IF table_name NOT IN ('batch', 'event', 'send_recipient', 'subscriber', 'subscriber_tag') THEN
    RAISE EXCEPTION 'not a table of newsletter that is analyzed: %', table_name;
  END IF;
  EXECUTE format('ANALYZE %I', table_name);
END $$"""
_FUNCTIONS = {
    "newsletter_create_partition(bigint)": _CREATE_PARTITION,
    "newsletter_attach_partition(bigint)": _ATTACH_PARTITION,
    "newsletter_drop_partition(bigint)": _DROP_PARTITION,
    "newsletter_analyze(text)": _ANALYZE,
}


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for table, storage in {
        "batch": _STATISTICS,
        "event": _STATISTICS,
        "send_recipient": _RECIPIENT_STORAGE,
    }.items():
        op.execute(f"ALTER TABLE {table} SET ({storage})")
    quote = connection.dialect.identifier_preparer.quote_identifier
    schema = quote(connection.execute(sa.select(sa.func.current_schema())).scalar_one())
    for signature, definition in _FUNCTIONS.items():
        text = definition.replace("{schema}", schema)
        connection.exec_driver_sql(text.replace("%", "%%"))
        connection.exec_driver_sql(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
