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
# Each runs with the rights of the tables' owner, so it finds nothing by its name alone but what is
# PostgreSQL's own: whoever may make something in the schema, as everybody might in "public" before
# PostgreSQL 15, could make an operator that suits the arguments better
# (https://www.postgresql.org/docs/current/sql-createfunction.html, "Writing SECURITY DEFINER
# Functions Safely").
_DEFINER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
# With the rights that there are on the table of all other sends.
_CREATE_PARTITION = f"""\
CREATE FUNCTION newsletter_create_partition(send_id bigint) RETURNS void
{_DEFINER} AS $newsletter$
DECLARE
  home text := {{schema}};
  partition text := 'send_recipient_' || send_id;
  granted record;
BEGIN
  EXECUTE format(
    'CREATE TABLE %1$I.%2$I '
    '(LIKE %1$I.send_recipient INCLUDING DEFAULTS INCLUDING CONSTRAINTS) '
    'WITH ({_RECIPIENT_STORAGE})', home, partition);
  FOR granted IN
    SELECT grantee, privilege_type FROM pg_class, aclexplode(relacl)
    WHERE oid = format('%I.send_recipient', home)::regclass AND grantee NOT IN (0, relowner)
  LOOP
    EXECUTE format('GRANT %s ON %I.%I TO %s',
      granted.privilege_type, home, partition, granted.grantee::regrole);
  END LOOP;
END $newsletter$"""  # noqa: S608 - our own names
# Without foreign keys: to add one would lock all other sends out of the table of batches.
_ATTACH_PARTITION = f"""\
CREATE FUNCTION newsletter_attach_partition(send_id bigint) RETURNS void
{_DEFINER} SET maintenance_work_mem = '256MB' AS $newsletter$
DECLARE
  home text := {{schema}};
  partition text := format('%I.%I', home, 'send_recipient_' || send_id);
BEGIN
  EXECUTE format('ALTER TABLE %s ADD PRIMARY KEY (send_id, subscriber_id)', partition);
  EXECUTE format('ALTER TABLE %s ADD UNIQUE (root_id, address_key)', partition);
  EXECUTE format('CREATE INDEX ON %s (batch_id, subscriber_id)', partition);
  EXECUTE format('ALTER TABLE %s INHERIT %I.send_recipient', partition, home);
  EXECUTE format('ANALYZE %s', partition);
END $newsletter$"""
# Not if a catch-up of the send has recipients in it, or if somebody goes on reading recipients:
# while this waited for them, all others that read or update recipients would wait behind it.
_DROP_PARTITION = f"""\
CREATE FUNCTION newsletter_drop_partition(send_id bigint) RETURNS boolean
{_DEFINER} SET lock_timeout = '500ms' AS $newsletter$
DECLARE
  partition text := format('%I.%I', {{schema}}, 'send_recipient_' || send_id);
  has_others boolean;
BEGIN
  EXECUTE format('SELECT EXISTS (SELECT FROM %s r WHERE r.send_id < $1 OR r.send_id > $1)',
    partition) INTO has_others USING send_id;
  IF NOT has_others THEN
    EXECUTE format('DROP TABLE %s', partition);
  END IF;
  RETURN NOT has_others;
EXCEPTION WHEN lock_not_available THEN
  RETURN false;
END $newsletter$"""  # noqa: S608 - our own names
# Before PostgreSQL 17, only its owner may analyze a table.
_ANALYZE = f"""\
CREATE FUNCTION newsletter_analyze(table_name text) RETURNS void
{_DEFINER} AS $newsletter$
BEGIN
  IF table_name NOT IN ('batch', 'event', 'send_recipient', 'subscriber', 'subscriber_tag') THEN
    RAISE EXCEPTION 'not a table of newsletter that is analyzed: %', table_name;
  END IF;
  EXECUTE format('ANALYZE %I.%I', {{schema}}, table_name);
END $newsletter$"""
_FUNCTIONS = {
    "newsletter_create_partition(bigint)": _CREATE_PARTITION,
    "newsletter_attach_partition(bigint)": _ATTACH_PARTITION,
    "newsletter_drop_partition(bigint)": _DROP_PARTITION,
    "newsletter_analyze(text)": _ANALYZE,
}

# A superuser may upgrade tables of another role, which are to be all that the functions can change.
_HOME = """\
SELECT quote_literal(nspname), replace(relowner::regrole::text, '%', '%%')
FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE pg_class.oid = 'send_recipient'::regclass"""


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
    home, owner = connection.execute(sa.text(_HOME)).one()
    for signature, definition in _FUNCTIONS.items():
        # A dump of an older version may have been restored over this one.
        op.execute(f"DROP FUNCTION IF EXISTS {signature}")
        text = definition.replace("{schema}", home)
        connection.exec_driver_sql(text.replace("%", "%%"))
        connection.exec_driver_sql(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        connection.exec_driver_sql(f"ALTER FUNCTION {signature} OWNER TO {owner}")
