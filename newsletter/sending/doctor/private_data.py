"""Check that readers' data is neither open to others nor left behind."""

import stat
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from newsletter.errors import display_path
from newsletter.project import Project
from newsletter.sending.doctor_check import DoctorCheck, warn
from newsletter.subscribers.consent.dry_run_erasure import find_outdated_dry_runs


def check_private_data(
    connection: sa.Connection, project: Project, database: Path | None
) -> Iterator[DoctorCheck]:
    """Yield a warning for each file with readers' data that is open to others or outdated.

    Args:
        connection: a connection in a transaction.
        project: the editor's folder.
        database: the file of a SQLite database.
    """
    if database and database.stat().st_mode & stat.S_IRWXO:
        yield warn(
            "database",
            f"every user of this machine may open {display_path(database)}",
            "It holds your readers' addresses and the secrets of their links.",
            f"Let only its owner and its group: chmod o= {display_path(database)}*",
        )
    outdated, unreadable = find_outdated_dry_runs(connection, project.build_dir)
    for folder in outdated:
        yield warn(
            "dry runs",
            f"{display_path(folder)} mentions readers who have been erased since",
            "A reader's erasure has to cover every copy of their data.",
            f"Delete it: rm -r {display_path(folder)}",
        )
    for folder in unreadable:
        yield warn(
            "dry runs",
            f"{display_path(folder)} can't be read",
            "It may mention readers who have been erased since.",
            "Check it as the user who created it, or delete it.",
        )
