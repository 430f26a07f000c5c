"""Open the database of the newsletter that a command works on."""

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa

    from newsletter.project import Project


@contextmanager
def open_project_database(project: "Project") -> "Iterator[sa.Engine]":
    """Yield the engine of a project's database; it is closed behind the context.

    Raises:
        DatabaseError: it can't be opened, or belongs to another newsletter.
    """
    from newsletter.db import database_engine
    from newsletter.private_files import delete_leftover_folders

    delete_leftover_folders()
    config = project.config
    with database_engine(config.database, project.root, config.id) as engine:
        yield engine
