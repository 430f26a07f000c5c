"""Check that the next large send can have a table of its own."""

import sqlalchemy as sa

from newsletter.db.postgresql.owner_functions import OWNER_FUNCTIONS
from newsletter.db.postgresql.privileges import may_execute, may_insert
from newsletter.db.postgresql.recipient_partitions import count_partitions, get_max_partitions
from newsletter.db.schema import send
from newsletter.sending.doctor_check import DoctorCheck, warn
from newsletter.wording import format_count


def check_partitions(connection: sa.Connection) -> list[DoctorCheck]:
    """Return a warning for each reason why large sends are slower than they could be."""
    if connection.dialect.name != "postgresql":
        return []
    return [*_check_rights(connection), *_check_locks(connection)]


def _check_rights(connection: sa.Connection) -> list[DoctorCheck]:
    """Return a warning if a role that plans sends was not given the rights of a later version."""
    if not may_insert(connection, send):
        return []
    missing = [
        signature.partition("(")[0]
        for signature in OWNER_FUNCTIONS
        if not may_execute(connection, signature)
    ]
    if not missing:
        return []
    return [
        warn(
            "database",
            f"the role may not execute {', '.join(missing)}",
            "Large sends and imports are slower: its rights were not renewed after an update.",
            "As the owner of the tables, give the roles their rights again: newsletter db roles "
            "| psql NAME",
        )
    ]


def _check_locks(connection: sa.Connection) -> list[DoctorCheck]:
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
