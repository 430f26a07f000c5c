"""``newsletter backup``: copy the database into one file."""

from collections.abc import Sequence
from pathlib import Path

import click

from newsletter.cli.options import json_option
from newsletter.cli.output import echo, echo_err, print_json
from newsletter.cli.progress import progress_bar
from newsletter.errors import DatabaseError, Location, display_path

MEGABYTE = 1_000_000


@click.command("backup", short_help="Copy the list and the record of sends into a file.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@json_option
def backup_command(file: Path, *, force: bool, as_json: bool) -> None:
    """Copy the database, with the list and the record of sends, into FILE, and check it.

    The copy is a consistent snapshot, even while a send or an import is running. Only you can
    read the file.

    \b
    Example:
      newsletter backup harbour-notes.backup
    """
    from newsletter.db.engine import sqlite_file
    from newsletter.db.sqlite_copy import back_up
    from newsletter.project import open_project

    project = open_project()
    database = sqlite_file(project.config.database, project.root)
    if database is None:
        raise postgresql_tools_error(
            ["pg_dump", "--format=custom", "--no-owner", f"--file={file}"],
            project.config.database,
            makes_file=True,
        )
    where = Location(display_path(file))
    if file.exists() and database.exists() and file.samefile(database):
        raise DatabaseError("this is the database itself", where=where, remedy="Name another file.")
    if file.exists() and not force:
        raise DatabaseError(
            "this file exists already",
            where=where,
            remedy="Name another file, or replace this one with --force.",
        )
    with progress_bar(100, "Copying") as advance:
        orphan_rows = back_up(database, file, advance)
    print_orphan_rows(orphan_rows)
    size = file.stat().st_size
    if as_json:
        data = {"database": str(database), "file": str(file), "bytes": size}
        print_json(data | {"orphan_rows": list(orphan_rows)})
        return
    size_text = f"{size / MEGABYTE:,.1f} MB"
    echo(f"Backed up {display_path(database)} to {where}: {size_text}, checked.", color="green")
    echo("It holds your readers' addresses: keep it where nobody else can read it.")


def print_orphan_rows(orphan_rows: Sequence[str]) -> None:
    """Print that rows refer to others that are missing, if some do.

    Args:
        orphan_rows: from ``newsletter.db.sqlite_copy.back_up``.
    """
    if orphan_rows:
        echo_err(
            f"The database has rows without the row that they belong to ({orphan_rows[0]}). "
            "Another program may have deleted it. The backup is exact: it has them as well.",
            color="yellow",
        )


def postgresql_tools_error(
    command: list[str], url: str, advice: str = "", *, makes_file: bool = False
) -> DatabaseError:
    """Return the error that refers to PostgreSQL's own backup tools.

    Args:
        command: the program and its arguments, without the database.
        url: the database's URL; the password in it is not shown.
        advice: a sentence to put before the command, which comes last so that it can be copied.
        makes_file: whether it makes a file with readers in it, which only its user may read.
    """
    import shlex

    from newsletter.db.engine import libpq_url

    target, has_password = libpq_url(url)
    program, *arguments = command
    line = shlex.join([program, f"--dbname={target}", *arguments])
    line = f"(umask 077; {line})" if makes_file else line
    password = " (the password in PGPASSWORD or ~/.pgpass, or it asks)" if has_password else ""
    return DatabaseError(
        "the list is in PostgreSQL, which has its own tools for this",
        remedy=f"{advice}Run{password}: {line}",
    )
