"""Replace a restored database's record of sends by that of the present one."""

import sqlalchemy as sa

from newsletter.backup.carry_over import attached_table, different_list_error, insert_missing_rows
from newsletter.db.identity import IDENTITY_KEYS
from newsletter.db.schema import MAYBE_SENT_BATCH_STATES, attempt, batch, metadata, send, setting
from newsletter.subscribers.send_names import RECALLED_MARK
from newsletter.subscribers.topics import SEND_TOPIC_KEY_PREFIX
from newsletter.subscribers.tracking_record import TRACKING_KEY_PREFIX


def carry_over_sends(connection: sa.Connection) -> list[str]:
    """Replace the backup's ledger by the present one, of which it must be an earlier state.

    Returns:
        The issues whose send was missing from the backup, or was in another state there.
    """
    present = attached_table(send)
    same_send = sa.and_(
        present.c.id == send.c.id,
        # A recalled send may have been renamed since.
        sa.or_(
            present.c.issue == send.c.issue,
            present.c.issue.startswith(send.c.issue.concat(RECALLED_MARK)),
        ),
        present.c.frozen_at == send.c.frozen_at,
    )
    in_mailed_batch = sa.and_(
        batch.c.send_id == send.c.id, batch.c.state.in_(MAYBE_SENT_BATCH_STATES)
    )
    is_lost = sa.or_(
        sa.and_(sa.exists().where(in_mailed_batch), ~sa.exists().where(same_send)),
        # The present database may know the send, and not that it has gone on: it is the older one.
        sa.exists().where(in_mailed_batch, batch.c.id == attempt.c.batch_id, _request_lost()),
    )
    lost = connection.scalars(sa.select(send.c.issue).where(is_lost))
    if issues := sorted(lost):
        raise different_list_error(
            f"the latter has no record that {', '.join(issues[:3])} was sent"
        )
    unchanged = sa.exists().where(same_send, present.c.state == send.c.state)
    changed = connection.scalars(
        sa.select(present.c.issue).where(~unchanged).order_by(present.c.id)
    ).all()
    for table in reversed(LEDGER_TABLES):
        connection.execute(sa.delete(table))
    for table in LEDGER_TABLES:
        insert_missing_rows(connection, table)
    return list(changed)


def _request_lost() -> sa.ColumnElement[bool]:
    """Return the condition that the present database lacks an attempt that may be with readers."""
    present = attached_table(attempt)
    same_attempt = (
        present.c[name] == attempt.c[name] for name in ("batch_id", "number", "body_sha")
    )
    return sa.and_(
        attempt.c.body_sha != "",  # not of a copy that held the batch: it made no request
        sa.or_(attempt.c.outcome.is_(None), attempt.c.outcome.in_(("accepted", "unknown"))),
        ~sa.exists().where(*same_attempt),
    )


def carry_over_settings(connection: sa.Connection) -> None:
    """Replace by the present ones the settings that belong to the ledger.

    The identity, since with the present ledger the restored database is no more a copy than the
    present one is; which sends were tracked, and their topics.
    """
    present = attached_table(setting)
    is_carried, was_carried = (
        sa.or_(
            table.c.key.in_(IDENTITY_KEYS),
            *(
                table.c.key.startswith(prefix, autoescape=True)
                for prefix in (TRACKING_KEY_PREFIX, SEND_TOPIC_KEY_PREFIX)
            ),
        )
        for table in (present, setting)
    )
    connection.execute(sa.delete(setting).where(was_carried))
    columns = list(present.c.keys())
    rows = sa.select(present).where(is_carried)
    connection.execute(sa.insert(setting).from_select(columns, rows))


def _find_ledger_tables() -> list[sa.Table]:
    """Return ``send`` and all tables whose rows refer to a send, in the order to fill them in."""
    tables = [send]
    for table in metadata.sorted_tables:
        parents = {key.column.table for key in table.foreign_keys}
        if table is not send and parents & set(tables):
            tables.append(table)
    return tables


LEDGER_TABLES = _find_ledger_tables()
