"""Triggers that make the consent journal append-only for every program.

A subscriber's journal entries are deleted only together with the subscriber: by the foreign key's
cascade, which both databases run after the deletion of the subscriber's row.
"""

import sqlalchemy as sa

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


def create_journal_triggers(connection: sa.Connection) -> None:
    """Create the triggers of the existing table ``journal``."""
    for statement in (
        _SQLITE_TRIGGERS if connection.dialect.name == "sqlite" else _POSTGRESQL_TRIGGERS
    ):
        connection.exec_driver_sql(statement)
