"""Print how many connections to PostgreSQL a program may open."""

from typing import TYPE_CHECKING

from newsletter.cli.output import echo

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa


def print_connection_budget(engine: "sa.Engine", own: int, warn: "Callable[[str], object]") -> None:
    """Print how many connections there are, and warn if they may not be enough.

    Args:
        engine: of PostgreSQL.
        own: how many this program opens at most.
        warn: prints or logs a warning.

    Raises:
        DatabaseError: the database can't be reached.
    """
    from newsletter.db.postgresql.connection_budget import load_connection_budget

    budget = load_connection_budget(engine, own)
    echo(
        f"It opens up to {budget.own} connections; the server has {budget.limit}, of which "
        f"others use {budget.others}."
    )
    if not budget.is_enough:
        warn(
            "The server may run out of connections. Raise max_connections in postgresql.conf, or "
            "start fewer workers and servers."
        )
