"""Triggers that keep the consent journal append-only.

They hold whatever program has the database open.

A subscriber's journal goes when the subscriber's row has gone: by the foreign key's cascade,
which both databases run after the row's own deletion.
"""

import sqlalchemy as sa

_SQLITE_TRIGGERS = (
    """\
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
    """\
CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal
WHEN EXISTS (SELECT 1 FROM subscriber WHERE id = OLD.subscriber_id)
BEGIN SELECT RAISE(ABORT, 'a journal goes only with its subscriber'); END""",
)
_POSTGRESQL_TRIGGERS = (
    """\
CREATE OR REPLACE FUNCTION journal_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    RAISE EXCEPTION 'the journal is append-only';
  ELSIF TG_OP = 'TRUNCATE' THEN
    RAISE EXCEPTION 'a journal goes only with its subscriber';
  ELSIF EXISTS (SELECT 1 FROM subscriber WHERE id = OLD.subscriber_id) THEN
    RAISE EXCEPTION 'a journal goes only with its subscriber';
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


def create_journal_triggers(connection: sa.Connection) -> None:
    """Make the triggers of the table ``journal``, which is there already."""
    for statement in (
        _SQLITE_TRIGGERS if connection.dialect.name == "sqlite" else _POSTGRESQL_TRIGGERS
    ):
        connection.exec_driver_sql(statement)
