"""Check that the next large send can have a table of its own."""

import sqlalchemy as sa

from newsletter.db.postgresql.recipient_partitions import count_partitions, get_max_partitions
from newsletter.sending.doctor_check import DoctorCheck, warn
from newsletter.wording import format_count


def check_partitions(connection: sa.Connection) -> list[DoctorCheck]:
    """Return a warning if there are as many tables of large sends as the server can lock."""
    count = count_partitions(connection)
    if not count or count < get_max_partitions(connection):
        return []
    return [
        warn(
            "database",
            f"there are the tables of {format_count(count, 'large send')}, as many as this server "
            "can lock",
            "The next ones are planned and sent more slowly.",
            "Double max_locks_per_transaction in postgresql.conf, and restart PostgreSQL.",
        )
    ]
