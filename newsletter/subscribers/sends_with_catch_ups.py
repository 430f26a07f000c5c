"""Load the sends that were not recalled, each with its catch-ups."""

from typing import Any

import sqlalchemy as sa

from newsletter.db.schema import send
from newsletter.subscribers.recalled_sends import is_recalled


def load_sends_with_catch_ups(
    connection: sa.Connection, query: sa.Select[Any]
) -> list[list[sa.Row[Any]]]:
    """Return the sends that a query selects, the newest first, each followed by its catch-ups.

    Args:
        connection: in a transaction.
        query: selects columns of ``send``, the id among them.
    """
    query = query.add_columns(send.c.parent_id, send.c.scheduled_at, send.c.recalled_at)
    rows = [
        row
        for row in connection.execute(query.order_by(send.c.frozen_at.desc(), send.c.id.desc()))
        if not is_recalled(row.scheduled_at, row.recalled_at)
    ]
    groups = {row.id: [row] for row in rows if row.parent_id is None}
    for row in rows:
        if row.parent_id in groups:
            groups[row.parent_id].append(row)
    return [*groups.values()]
