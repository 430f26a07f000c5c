"""Compare the connections that a program opens with those of the server."""

from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.transaction import read_transaction


class ConnectionBudget(NamedTuple):
    """How many connections a program may open, and how many the server has.

    Attributes:
        own: how many this program opens at most.
        others: how many are open now, without this program's.
        limit: ``max_connections`` of the server, less those kept for superusers.
    """

    own: int
    others: int
    limit: int

    @property
    def is_enough(self) -> bool:
        """Whether the server has as many as this program and the others need."""
        return self.own + self.others <= self.limit


def load_connection_budget(engine: sa.Engine, own: int) -> ConnectionBudget:
    """Return how many connections there are for a program that opens at most ``own``."""
    query = sa.text(
        "SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' "
        "AND pid <> pg_backend_pid()), current_setting('max_connections')::int "
        "- current_setting('superuser_reserved_connections')::int"
    )
    with read_transaction(engine) as connection:
        others, limit = connection.execute(query).one()
    return ConnectionBudget(own, others, limit)
