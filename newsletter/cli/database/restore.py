"""``newsletter restore``: a backup takes the database's place."""

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.database.backup import use_postgresqls_own
from newsletter.cli.output import by_status, confirm_count, count_of, fields, note, say

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from newsletter.backup.restore import Backup, Contents, Restored

HALF_READ = (
    "The database was damaged: what could be read of it was taken over, which may not be all. "
    "Before the next send, run newsletter subscribers sync --since 2000-01-01."
)
UNREAD = (
    "Nothing could be taken over: readers who left after the backup was made would be mailed "
    "again, and an issue that was sent after it could be sent twice. Before the next send, run "
    "newsletter subscribers sync --since 2000-01-01, and see what SendGrid has sent."
)


@click.command(short_help="Put a backup in the database's place.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Don't ask for the count to be typed.")
def restore(file: Path, *, yes: bool) -> None:
    """Put FILE, which newsletter backup has made, in the database's place.

    It shows what would be replaced and waits until you have typed the number of readers in
    the backup. Whoever has left since the backup stays away, and what was sent since then
    stays sent. The present database is kept as newsletter.db.before-restore.

    \b
    Example:
      newsletter restore harbour-notes.backup
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from zoneinfo import ZoneInfo

    from newsletter.backup import restore
    from newsletter.db.engine import sqlite_file
    from newsletter.errors import DatabaseError, Location, shown
    from newsletter.project import open_project

    project = open_project()
    database = sqlite_file(project.config.database, project.root)
    if database is None:
        raise use_postgresqls_own(
            f"pg_restore --clean --if-exists --no-owner --single-transaction {file}",
            project.config.database,
            " and then, so that whoever left since stays away: newsletter subscribers sync",
        )
    if database.exists() and file.samefile(database):
        raise DatabaseError(
            "this is the database itself", where=Location(shown(file)), remedy="Name a backup."
        )
    with restore.opened(file, database) as backup:
        readers = _show(backup, file, ZoneInfo(project.config.timezone))
        if not yes:
            confirm_count(readers, "restore")
        done = restore.restore(backup, datetime.datetime.now(datetime.UTC))
    say(f"Restored {shown(database)} from {shown(file)}.", colour="green")
    _report(done)
    if done.carried is None:
        note(UNREAD, colour="yellow")
    elif backup.damaged:
        note(HALF_READ, colour="yellow")
    else:
        say("Next: newsletter subscribers stats")


def _show(backup: "Backup", file: Path, zone: "ZoneInfo") -> int:
    """Say what would be replaced by what; returns the readers in the backup."""
    from newsletter.backup.restore import contents
    from newsletter.errors import shown

    ours, theirs, gone = contents(backup)
    rows = [("backup", _in_words(ours, zone))]
    if theirs:
        rows.append(("now", _in_words(theirs, zone)))
    elif backup.damaged:
        rows.append(("now", f"damaged: {backup.damaged}"))
    if gone:
        rows.append(("gone", f"{count_of(gone, 'reader')} whom the backup doesn't have"))
    say(f"{shown(file)} would take the place of {shown(backup.database)}.")
    say(fields(rows))
    return sum(ours.readers.values())


def _in_words(found: "Contents", zone: "ZoneInfo") -> str:
    readers = by_status(found.readers) or "nobody"
    text = f"{readers}; {count_of(found.sends, 'send')}"
    if found.latest:
        latest = found.latest.astimezone(zone)
        text += f"; last change {latest.day} {latest:%b %Y %H:%M}"
    return text


def _report(done: "Restored") -> None:
    """Say what was taken over, and where the present database is now."""
    from newsletter.errors import shown

    rows = []
    if done.carried:
        carried = done.carried
        taken = [f"{count:,} now {status}" for status, count in carried.left.items()]
        if carried.erased:
            taken.append(f"{carried.erased:,} erased")
        if carried.kept_out:
            taken.append(f"{carried.kept_out:,} not in the list and kept out of it")
        if taken:
            rows.append(("left since", ", ".join(taken)))
        if carried.sends:
            rows.append(("sent since", ", ".join(carried.sends)))
    if done.kept:
        rows.append(("kept", f"{shown(done.kept)}, the database as it was"))
    if rows:
        say(fields(rows))
