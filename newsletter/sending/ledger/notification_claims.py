"""Claim a notification, so that of several processes only one sends it."""

import sqlalchemy as sa

from newsletter.db.bulk import insert_for_upsert
from newsletter.db.schema import setting
from newsletter.db.stored_settings import read_setting

# Followed by the id of the send. The value is the kind of the last notification.
_RUN_PREFIX = "notified.send."
_NO_EVENTS_PREFIX = "notified.no_events."


def claim_run_notification(connection: sa.Connection, send_id: int, kind: str) -> bool:
    """Record the state of a send's run; return whether it is new, for one caller only.

    Args:
        connection: in a transaction that writes.
        send_id: the send.
        kind: what its run is notified as.
    """
    return _claim(connection, f"{_RUN_PREFIX}{send_id}", kind)


def claim_no_events_notification(connection: sa.Connection, send_id: int) -> bool:
    """Record that a send has no events; return whether that is new, for one caller only."""
    return _claim(connection, f"{_NO_EVENTS_PREFIX}{send_id}", "no_events")


def delete_notification_claims(connection: sa.Connection, send_id: int) -> None:
    """Forget what was notified of a send that gets another time, or is deleted.

    SQLite gives the id of a deleted send to the next one.
    """
    keys = [f"{prefix}{send_id}" for prefix in (_RUN_PREFIX, _NO_EVENTS_PREFIX)]
    connection.execute(sa.delete(setting).where(setting.c.key.in_(keys)))


def load_run_kind(connection: sa.Connection, send_id: int) -> str | None:
    """Return the kind of the last notification about the run of a send."""
    return read_setting(connection, f"{_RUN_PREFIX}{send_id}")


def no_events_claimed(send_id: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """Return a condition: the notification that a send has no events was claimed."""
    key = sa.literal(_NO_EVENTS_PREFIX).concat(sa.cast(send_id, sa.Text))
    return sa.exists().where(setting.c.key == key)


def _claim(connection: sa.Connection, key: str, value: str) -> bool:
    statement = insert_for_upsert(connection, setting).values(key=key, value=value)
    # One statement, which waits for another transaction's claim and then sees it.
    claim = statement.on_conflict_do_update(
        index_elements=["key"],
        set_={"value": statement.excluded.value},
        where=setting.c.value != statement.excluded.value,
    )
    return connection.scalar(claim.returning(setting.c.key)) is not None
