"""``newsletter restore``: replace the database with a backup."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.database.backup import postgresql_tools_error
from newsletter.cli.options import json_option, yes_option
from newsletter.cli.output import (
    confirm_count,
    echo,
    echo_err,
    format_fields,
    format_status_counts,
    print_json,
)
from newsletter.cli.project_database import open_project_database
from newsletter.errors import DatabaseError, Location, display_path
from newsletter.wording import format_count

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from newsletter.backup.restore import DatabaseContents, RestoreResult
    from newsletter.backup.verified_backup import VerifiedBackup

PARTIAL_CARRY_OVER_WARNING = (
    "The database was damaged: only what could be read of it was carried over, which may be "
    "incomplete. Before the next send, run newsletter subscribers sync --since 2000-01-01."
)
NO_CARRY_OVER_WARNING = (
    "Nothing could be carried over: readers who unsubscribed after the backup was made would be "
    "mailed again, and an issue that was sent after it could be sent twice. Before the next send, "
    "run newsletter subscribers sync --since 2000-01-01, and check at SendGrid what was sent."
)


@click.command("restore", short_help="Restore the database from a backup.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@yes_option
@json_option
def restore_command(file: Path, *, yes: bool, as_json: bool) -> None:
    """Restore the database from FILE, which newsletter backup has made.

    It shows what would be replaced and waits until you have typed the number of readers in
    the backup. Anyone who has unsubscribed since the backup stays unsubscribed, and what was sent
    since then stays sent. The current database is kept as newsletter.db.before-restore.

    \b
    Example:
      newsletter restore harbour-notes.backup
    """
    from zoneinfo import ZoneInfo

    from newsletter.backup.restore import restore_backup
    from newsletter.backup.verified_backup import open_backup
    from newsletter.db.engine import sqlite_file
    from newsletter.project import open_project
    from newsletter.sending.ledger.copied_database import hold_if_copied

    project = open_project()
    database = sqlite_file(project.config.database, project.root)
    if database is None:
        raise postgresql_tools_error(
            [
                "pg_restore",
                "--clean",
                "--if-exists",
                "--no-owner",
                "--single-transaction",
                "--",
                str(file),
            ],
            project.config.database,
            "Afterwards run newsletter subscribers sync, so that readers who unsubscribed since "
            "stay unsubscribed. If it stops because a table send_recipient_… depends on another, "
            "which is of a send since the backup, restore into a new, empty database. ",
        )
    if database.exists() and file.samefile(database):
        raise DatabaseError(
            "this is the database itself",
            where=Location(display_path(file)),
            remedy="Name a backup.",
        )
    with open_backup(file, database, project.config.id) as backup:
        zone = ZoneInfo(project.config.timezone)
        readers = _print_comparison(backup, file, zone, echo_err if as_json else echo)
        if not yes:
            confirm_count(readers, "restore")
        result = restore_backup(backup, datetime.datetime.now(datetime.UTC))
    if as_json:
        print_json({"database": str(database), "file": str(file), **_to_dict(result, readers)})
    else:
        echo(f"Restored {display_path(database)} from {display_path(file)}.", color="green")
        _print_result(result)
    with open_project_database(project) as engine:
        if copied := hold_if_copied(engine, datetime.datetime.now(datetime.UTC)):
            echo_err(f"newsletter: {copied.as_problem()}", color="yellow")
    if result.carried_over is None:
        echo_err(NO_CARRY_OVER_WARNING, color="yellow")
    elif backup.live_damage:
        echo_err(PARTIAL_CARRY_OVER_WARNING, color="yellow")
    elif not as_json:
        echo("Next: newsletter subscribers stats")


def _to_dict(restored: "RestoreResult", readers: int) -> dict[str, Any]:
    carried = restored.carried_over
    return {
        "readers": readers,
        "carried_over": carried
        and {
            "suppressed": dict(carried.suppressed),
            "suppressions_added": carried.suppressions_added,
            "erased": carried.erased,
            "tracking_refused": carried.tracking_refused,
            "sends": carried.sends,
        },
        "kept": str(restored.replaced_path) if restored.replaced_path else None,
    }


def _print_comparison(
    backup: "VerifiedBackup", file: Path, zone: "ZoneInfo", show: Callable[[str], None]
) -> int:
    """Print what the backup would replace; return the number of readers in the backup."""
    from newsletter.backup.restore import compare_contents

    backup_contents, live_contents, lost_count = compare_contents(backup)
    rows = [("backup", _format_contents(backup_contents, zone))]
    if live_contents:
        rows.append(("now", _format_contents(live_contents, zone)))
    elif backup.live_damage:
        rows.append(("now", f"damaged: {backup.live_damage}"))
    if lost_count:
        rows.append(("gone", f"{format_count(lost_count, 'reader')} not in the backup"))
    show(f"{display_path(file)} would replace {display_path(backup.database)}.")
    show(format_fields(rows))
    return sum(backup_contents.subscribers.values())


def _format_contents(summary: "DatabaseContents", zone: "ZoneInfo") -> str:
    readers = format_status_counts(summary.subscribers) or "nobody"
    text = f"{readers}; {format_count(summary.sends, 'send')}"
    if summary.last_change_at:
        latest = summary.last_change_at.astimezone(zone)
        text += f"; last change {latest.day} {latest:%b %Y %H:%M}"
    return text


def _print_result(restored: "RestoreResult") -> None:
    """Print what was carried over, and where the previous database is kept."""
    rows = []
    if restored.carried_over:
        carried = restored.carried_over
        parts = [f"{count:,} now {status}" for status, count in carried.suppressed.items()]
        if carried.erased:
            parts.append(f"{carried.erased:,} erased")
        if carried.tracking_refused:
            parts.append(f"{carried.tracking_refused:,} refused to be tracked")
        if carried.suppressions_added:
            parts.append(f"{carried.suppressions_added:,} not in the list and kept out of it")
        if parts:
            rows.append(("left since", ", ".join(parts)))
        if carried.sends:
            # Planned, sent, stopped or recalled since: all are as they were.
            rows.append(("sends kept", ", ".join(carried.sends)))
    if restored.replaced_path:
        rows.append(("kept", f"{display_path(restored.replaced_path)}, the database as it was"))
    if rows:
        echo(format_fields(rows))
