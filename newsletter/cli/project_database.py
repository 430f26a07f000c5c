"""Open the database of the newsletter that a command works on."""

from contextlib import contextmanager
from typing import TYPE_CHECKING

from newsletter.cli.output import echo_err, print_error
from newsletter.wording import format_count

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa

    from newsletter.project import Project


# Connections to PostgreSQL that a command opens at most; it uses one or two at a time.
COMMAND_CONNECTIONS = 4


@contextmanager
def open_project_database(
    project: "Project", pool_size: int = COMMAND_CONNECTIONS
) -> "Iterator[sa.Engine]":
    """Yield the engine of a project's database; it is closed behind the context.

    Behind it, a warning is printed if ``newsletter db copy`` has retired the database.

    Args:
        project: the project.
        pool_size: how many connections to PostgreSQL it opens at most.

    Raises:
        DatabaseError: it can't be opened, or belongs to another newsletter.
    """
    from newsletter.backup.erasure_record import renew_erasures
    from newsletter.db import database_engine
    from newsletter.db.identity import find_retirement
    from newsletter.private_files import delete_leftover_folders

    delete_leftover_folders()
    config = project.config
    with database_engine(config.database, project.root, config.id, pool_size=pool_size) as engine:
        if retired := find_retirement(engine):
            yield engine
            print_error(retired, color="yellow")
            return
        if renewed := renew_erasures(engine, project.root):
            readers = format_count(renewed, "reader")
            echo_err(
                f"An older copy of the database had brought back {readers} who had asked to be "
                "erased: they were erased again.",
                color="yellow",
            )
        yield engine
        renew_erasures(engine, project.root)
