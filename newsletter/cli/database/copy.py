"""``newsletter db copy``: move everything into another database."""

import datetime
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.options import json_option, yes_option
from newsletter.cli.output import confirm_count, echo, echo_err, print_json
from newsletter.cli.progress import progress_bar
from newsletter.cli.signals import interrupt_on_stop_signals
from newsletter.cli.table import align_rows
from newsletter.wording import format_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from newsletter.backup.copied_rows import TableDigest
    from newsletter.backup.copy_database import DatabasePlace

CHECKSUM_LENGTH = 12


@click.command("copy", short_help="Move everything into another database.")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@yes_option
@json_option
def copy_command(source: str, target: str, *, yes: bool, as_json: bool) -> None:
    """Copy everything from the database FROM into the empty database TO.

    Both are URLs, as in newsletter.yml: from SQLite to PostgreSQL or back. The readers, their
    consent, the record of sends, the events and the settings are copied and compared, table by
    table. While that takes, nothing can write to FROM; afterwards FROM is retired: nothing can
    be sent from it or written to it any more, so that nobody gets an issue twice. Then set
    database: in newsletter.yml to TO.

    If it is stopped or killed, FROM stays in use; run the same command again to go on.

    \b
    Examples:
      newsletter db copy sqlite:///newsletter.db postgresql://me@db.example/notes
      newsletter db copy postgresql://me@db.example/notes sqlite:///notes.db
    """
    from newsletter.backup.copy_database import copy_database, count_copied_rows
    from newsletter.project import open_project

    interrupt_on_stop_signals()
    project = open_project()
    with _open_source(source, project.root) as origin:
        readers, rows = count_copied_rows(origin.engine)
        if not yes:
            _confirm_copy(readers, origin.url, _redact(target, "TO"))
        with (
            _open_target(target, project.root) as destination,
            progress_bar(2 * rows, "Copying") as advance,
        ):
            try:
                digests = copy_database(
                    origin,
                    destination,
                    project.config.id,
                    datetime.datetime.now(datetime.UTC),
                    advance,
                )
            except KeyboardInterrupt:
                echo_err("Stopped. Run the same command again to go on.")
                raise SystemExit(1) from None
    if as_json:
        print_json(
            {
                "from": origin.url,
                "to": destination.url,
                "tables": {name: digest._asdict() for name, digest in digests.items()},
            }
        )
    else:
        _print_result(digests, origin.url)
        # An environment variable, or an earlier edit of newsletter.yml.
        step = "" if project.config.database == target else f"set database: {destination.url}"
        echo(f"Next: {step and step + ' in newsletter.yml, then run: '}newsletter doctor")


def _confirm_copy(readers: int, source: str, target: str) -> None:
    echo_err(f"Everything in {source}, with {format_count(readers, 'reader')},")
    echo_err(f"will be copied to {target}. Afterwards,")
    echo_err(f"nothing can be sent from {source}.")
    confirm_count(readers, "copy")


def _redact(url: str, argument: str) -> str:
    import sqlalchemy as sa

    from newsletter.db.engine import sqlite_file
    from newsletter.db.errors import redact_database_url, url_from_argument

    with url_from_argument(argument):
        sqlite_file(url, Path())  # an error if it is no URL of a database
    return redact_database_url(sa.make_url(url))


@contextmanager
def _open_source(url: str, root: Path) -> "Iterator[DatabasePlace]":
    """Open the database FROM, which must exist."""
    from newsletter.backup.copy_database import DatabasePlace
    from newsletter.db.engine import open_copy_source, sqlite_file
    from newsletter.db.errors import database_error, url_from_argument
    from newsletter.errors import Location

    shown = _redact(url, "FROM")
    file = sqlite_file(url, root)
    if file and not file.is_file():
        raise database_error(
            "there is no such database",
            Location(shown),
            "Name the one that is in newsletter.yml, as database:.",
        )
    with url_from_argument("FROM"):
        engine = open_copy_source(url, root)
    try:
        yield DatabasePlace(engine, shown)
    finally:
        engine.dispose()


@contextmanager
def _open_target(url: str, root: Path) -> "Iterator[DatabasePlace]":
    """Open the database TO, or make a new file, which is deleted if nothing is copied into it."""
    from newsletter.backup.copy_database import DatabasePlace
    from newsletter.backup.unused_target import delete_unused_target
    from newsletter.db import open_database
    from newsletter.db.engine import sqlite_file
    from newsletter.db.errors import url_from_argument

    shown = _redact(url, "TO")
    file = sqlite_file(url, root)
    is_new = file is not None and not file.exists()
    try:
        with url_from_argument("TO"):
            engine = open_database(url, root, is_copied=True)
        try:
            yield DatabasePlace(engine, shown)
        finally:
            engine.dispose()
    except BaseException:
        if file and is_new:
            delete_unused_target(file)
        raise


def _print_result(digests: "Mapping[str, TableDigest]", source: str) -> None:
    rows = [("table", "rows", "checksum")]
    rows += [
        (name, f"{digest.rows:,}", digest.checksum[:CHECKSUM_LENGTH])
        for name, digest in digests.items()
        if digest.rows
    ]
    for line in align_rows(rows, numeric_columns=(1,)):
        echo(line)
    count = format_count(sum(digest.rows for digest in digests.values()), "row")
    echo(f"Copied {count}; all tables are the same in both databases.", color="green")
    echo(f"{source} is retired: nothing can be sent from it.")
