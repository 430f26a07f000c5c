"""``newsletter subscribers import``: fills the list from a file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import fields, note, progress, say
from newsletter.cli.subscribers.words import by_status, count_of

if TYPE_CHECKING:
    from newsletter.subscribers.importing import ImportReport

REMARKS_SHOWN = 10


@click.command("import", short_help="Add the readers of a CSV file.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--map", "mapping", multiple=True, metavar="COLUMN=FIELD",
    help="What a column holds: email, name, first_name, last_name, status or any attribute.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, for scripts.")
def import_file(file: Path, mapping: tuple[str, ...], dry_run: bool, as_json: bool) -> int:  # noqa: FBT001
    """Add the readers of FILE to the list, and update those who are there.

    FILE is CSV with commas, semicolons or tabs, in any encoding; its first row names the
    columns. Columns that are no address, name or status become attributes, which posts
    can use: 'Home town' is {{ subscriber.home_town }}.

    Nobody who has left comes back by an import. Rows that can't be taken are written to
    FILE.refused.csv with the reason, to be corrected and imported; the exit code is then 1.
    Importing a file again changes nothing.

    \b
    Example:
      newsletter subscribers import readers.csv --map 'Contact=email'
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    import datetime

    from newsletter.db import database
    from newsletter.project import open_project
    from newsletter.subscribers import importing

    fields_by_column = _mapping(mapping)
    project = open_project()
    with (
        database(project.config.database, project.root) as engine,
        progress(file.stat().st_size, "Importing") as advance,
    ):
        report = importing.import_file(
            engine,
            file,
            mapping=fields_by_column,
            now=datetime.datetime.now(datetime.UTC),
            dry_run=dry_run,
            progress=advance,
        )
    if as_json:
        say(json.dumps(_as_data(report, dry_run=dry_run)))
    else:
        _show(report, dry_run=dry_run)
    return 1 if report.refused else 0


def _mapping(options: tuple[str, ...]) -> dict[str, str]:
    """``Email Address=email`` as column and field."""
    import re

    mapping = {}
    for option in options:
        column, equals, name = option.rpartition("=")
        if not equals or not column or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise click.BadParameter(
                f"'{option}' is not COLUMN=FIELD, like 'Email Address=email'", param_hint="--map"
            )
        mapping[column] = name
    return mapping


def _show(report: "ImportReport", *, dry_run: bool) -> None:
    guess = " (a guess: save it as UTF-8 if names look wrong)" if report.encoding.guessed else ""
    say(f"{report.file}: {count_of(report.rows, 'row')}, {report.encoding.name}{guess}")
    held = f"{by_status(report.held)} in the list, and an import brings nobody back"
    rows = [
        ("columns", True, _columns(report)),
        ("new", report.new, by_status(report.new)),
        ("updated", report.updated, f"{report.updated:,}"),
        ("unchanged", report.unchanged, f"{report.unchanged:,}"),
        ("repeated", report.repeated, f"{report.repeated:,}, the first of an address counts"),
        ("kept out", report.held, held),
        ("refused", report.refused, f"{report.refused:,}"),
    ]
    say(fields((label, value) for label, there, value in rows if there))
    for line, reason in report.remarks[:REMARKS_SHOWN]:
        note(f"    row {line:,}: {reason}", colour="yellow")
    more = report.refused + report.repeated - REMARKS_SHOWN
    if more > 0:
        note(f"    and {more:,} more", colour="yellow")
    if dry_run:
        say("Nothing was changed: this was a dry run.")
    elif report.refused_file:
        from newsletter.errors import shown

        say(f"Next: correct {shown(report.refused_file)} and import it.")
    else:
        say("Next: newsletter subscribers list", colour="green")


def _columns(report: "ImportReport") -> str:
    columns = report.columns
    if not columns.header:
        return "addresses alone"
    header = columns.header
    parts = [f"address from '{header[columns.address]}'"]
    if columns.names:
        parts.append("name from " + " and ".join(f"'{header[index]}'" for index in columns.names))
    status = sorted((*columns.status, *columns.consent, *columns.left))
    if status:
        parts.append("status from " + " and ".join(f"'{header[index]}'" for index in status))
    if columns.attributes:
        parts.append("attributes " + ", ".join(columns.attributes.values()))
    return "; ".join(parts)


def _as_data(report: "ImportReport", *, dry_run: bool) -> dict[str, Any]:
    return {
        "file": report.file,
        "dry_run": dry_run,
        "encoding": report.encoding.name,
        "encoding_guessed": report.encoding.guessed,
        "delimiter": report.delimiter,
        "rows": report.rows,
        "new": dict(report.new),
        "updated": report.updated,
        "unchanged": report.unchanged,
        "repeated": report.repeated,
        "kept_out": dict(report.held),
        "refused": report.refused,
        "refused_file": str(report.refused_file) if report.refused_file else None,
        "remarks": [{"row": line, "reason": reason} for line, reason in report.remarks],
    }
