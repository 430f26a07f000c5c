"""Update only what this sender still owns: compare-and-set with a fence.

Each write checks that its rows are still in the state in which this sender left them; if not,
another sender owns them, and this one stops.
"""

import datetime
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from newsletter.db.schema import batch, send_recipient
from newsletter.errors import SendRefusedError
from newsletter.sending.delivery.claim import ClaimedBatch

# The ledger holds a reason for everybody who was left out, even if the provider names none.
NO_REASON = "no reason was given"
_IS_OWNED = sa.and_(
    batch.c.id == sa.bindparam("b_id"),
    batch.c.fence == sa.bindparam("b_fence"),
    batch.c.state == sa.bindparam("b_expected"),
)
_UPDATE_BATCH = sa.update(batch).where(_IS_OWNED)
_UPDATE_RECIPIENT = (
    sa.update(send_recipient)
    .where(
        send_recipient.c.send_id == sa.bindparam("r_send"),
        send_recipient.c.subscriber_id == sa.bindparam("r_subscriber"),
        send_recipient.c.batch_id == sa.bindparam("r_batch"),
        send_recipient.c.state == "pending",
    )
    .values(state=sa.bindparam("r_state"), error=sa.bindparam("r_error"))
)


def update_batches(
    connection: sa.Connection,
    claimed_batches: Sequence[ClaimedBatch],
    expected_state: str,
    **values: str | datetime.datetime | None,
) -> int:
    """Update batches in the expected state that this sender owns; return how many were updated."""
    rows = [
        {"b_id": claimed.id, "b_fence": claimed.fence, "b_expected": expected_state}
        for claimed in claimed_batches
    ]
    return connection.execute(_UPDATE_BATCH.values(**values), rows).rowcount if rows else 0


def update_recipients(
    connection: sa.Connection, claimed_batch: ClaimedBatch, state: str, reasons: Mapping[int, str]
) -> None:
    """Set the state of single pending recipients of a batch.

    Args:
        connection: in a transaction.
        claimed_batch: the batch.
        state: their new state.
        reasons: subscriber id -> why.

    Raises:
        SendRefusedError: another sender has taken over the batch.
    """
    rows = [
        {
            "r_send": claimed_batch.send_id,
            "r_subscriber": subscriber_id,
            "r_batch": claimed_batch.id,
            "r_state": state,
            "r_error": reason or NO_REASON,
        }
        for subscriber_id, reason in reasons.items()
    ]
    if rows:
        require_owned(
            connection.execute(_UPDATE_RECIPIENT, rows).rowcount, len(rows), claimed_batch
        )


def require_owned(row_count: int, expected: int, claimed_batch: ClaimedBatch) -> None:
    """Reject a write that did not update every row: some are no longer as this sender left them.

    Raises:
        SendRefusedError: another sender has taken over the batch.
    """
    if row_count != expected:
        raise SendRefusedError(
            f"batch {claimed_batch.number} was taken over by another sender",
            remedy="Another sender runs, or the send was stopped. Run newsletter send again.",
        )
