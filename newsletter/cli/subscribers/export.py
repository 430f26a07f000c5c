"""``newsletter subscribers export``: write the list to a file."""

import datetime
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from newsletter.cli.options import json_option
from newsletter.cli.output import echo, echo_err, print_json
from newsletter.cli.progress import progress_bar
from newsletter.cli.project_database import open_project_database
from newsletter.errors import Location, SubscriberListError, display_path
from newsletter.wording import format_count

_STDOUT = Path("-")


@click.command("export", short_help="Write the readers to a file.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default=_STDOUT)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "jsonl"]),
    help="CSV, or JSON lines.  [default: by FILE's extension, else csv]",
)
@click.option("--segment", metavar="NAME|QUERY", help="Only the readers of a segment.")
@click.option("--journal", is_flag=True, help="With the consent journal; JSON lines only.")
@click.option("--raw", is_flag=True, help="Don't escape cells that Excel would run.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@json_option
def export_command(  # noqa: PLR0913 - click passes each option as a parameter
    file: Path,
    kind: str | None,
    segment: str | None,
    journal: bool,  # noqa: FBT001
    raw: bool,  # noqa: FBT001
    force: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Write the readers, with all their data, to FILE or to standard output.

    Importing the file into an empty list gives an equal list. The file contains the secret of
    each reader's unsubscribe link, so that links in emails that were sent still work
    afterwards: keep it private (it is readable only by you).

    A spreadsheet would run a cell that begins with = + - or @ as a formula; such cells get an
    apostrophe in front, which an import removes again.

    \b
    Example:
      newsletter subscribers export readers.jsonl --journal
    """
    from newsletter.db import read_transaction
    from newsletter.project import open_project
    from newsletter.subscribers import ALL_SUBSCRIBERS, count_subscribers
    from newsletter.subscribers.export import ExportOptions, export_subscribers
    from newsletter.subscribers.segments import find_segment

    is_jsonl = (kind or ("jsonl" if file.suffix.lower() == ".jsonl" else "csv")) == "jsonl"
    if journal and not is_jsonl:
        raise click.UsageError("--journal needs JSON lines: --format jsonl")
    if raw and is_jsonl:
        raise click.UsageError("--raw is for CSV: JSON lines are never escaped")
    if as_json and file == _STDOUT:
        raise click.UsageError("--json needs FILE: the readers go to standard output")
    project = open_project()
    with (
        open_project_database(project) as engine,
        read_transaction(engine) as connection,
        _open_output(file, force=force) as out,
    ):
        condition = ALL_SUBSCRIBERS
        if segment is not None:
            now = datetime.datetime.now(datetime.UTC)
            condition = find_segment(connection, segment, project.config, now).condition
        with progress_bar(count_subscribers(connection, condition), "Exporting") as advance:
            options = ExportOptions("jsonl" if is_jsonl else "csv", condition, journal, raw)
            count = export_subscribers(connection, out, options, advance)
    if as_json:
        print_json({"file": str(file), "format": options.kind, "readers": count})
    elif file == _STDOUT:
        echo_err(format_count(count, "reader"))
    else:
        echo(f"{file}: {format_count(count, 'reader')}, readable only by you", color="green")


@contextmanager
def _open_output(file: Path, *, force: bool) -> Iterator[BinaryIO]:
    """Open an output file that is replaced atomically, mode 0600; or standard output for ``-``.

    Raises:
        SubscriberListError: the file exists, and ``force`` is false.
    """
    from newsletter.private_files import replace_privately

    if file == _STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if file.exists() and not force:
        raise SubscriberListError(
            "this file exists already",
            where=Location(display_path(file)),
            remedy="Name another file, or overwrite this one with --force.",
        )
    with replace_privately(file) as out:
        yield out
