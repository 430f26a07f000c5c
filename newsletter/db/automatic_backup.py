"""Back up a SQLite database by itself: before a send, before an upgrade.

The last few copies are kept in ``backups/`` beside the database; ``newsletter restore`` reads them.
PostgreSQL has its own tools for that.
"""

import datetime
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from newsletter.db.errors import database_error
from newsletter.db.sqlite_copy import back_up, delete_leftovers
from newsletter.errors import Location, display_path
from newsletter.private_files import make_private_folder

FOLDER_NAME = "backups"
KEPT_COUNT = 5
_TIME_FORMAT = "%Y%m%d-%H%M%S"
_FILE_NAME = re.compile(r"(\d{8}-\d{6})\.backup")
# A backup dated later than this from now was made by a clock that was wrong.
_MAX_CLOCK_SKEW = datetime.timedelta(days=1)


class AutomaticBackup(NamedTuple):
    """A backup that was made automatically.

    Attributes:
        path: the file.
        orphan_rows: from ``newsletter.db.sqlite_copy.find_orphan_rows``.
    """

    path: Path
    orphan_rows: list[str]


def back_up_automatically(
    database: Path, now: datetime.datetime, progress: Callable[[int], None] = lambda _: None
) -> AutomaticBackup:
    """Copy a SQLite database into its folder of backups; delete all but the last few there.

    Only files that are named as this function names them are deleted.

    Args:
        database: the file of the database.
        now: aware; it becomes the name.
        progress: called with the percentage points copied since the last call.

    Raises:
        DatabaseError: the database is damaged, or the copy can't be written.
    """
    folder = database.parent / FOLDER_NAME
    try:
        make_private_folder(folder, exist_ok=True)
    except FileExistsError as error:
        raise database_error(
            "is a file, or a link that leads to no folder; backups are made there",
            Location(display_path(folder)),
            "Move it away, or let it link to a folder.",
        ) from error
    except OSError as error:
        raise database_error(
            f"could not create the folder: {(error.strerror or str(error)).lower()}",
            Location(display_path(folder)),
            "Check the permissions of the folder above it.",
        ) from error
    name = re.escape(database.name)
    delete_leftovers(folder, rf"{name}-{_FILE_NAME.pattern}")
    delete_leftovers(database.parent, rf"{name}(\.mark)?")
    copy = folder / f"{database.name}-{now.astimezone(datetime.UTC):{_TIME_FORMAT}}.backup"
    orphan_rows = back_up(database, copy, progress)
    latest = f"{now.astimezone(datetime.UTC) + _MAX_CLOCK_SKEW:{_TIME_FORMAT}}"
    # One that is dated in the future was made before, at an unknown time: it counts as the oldest.
    # This one is the newest, also if the clock was set back since the last.
    by_age = sorted(
        _iter_backups(database), key=lambda item: (item[1] == copy, item[0] <= latest, item)
    )
    for _, old in by_age[:-KEPT_COUNT]:
        old.unlink(missing_ok=True)
    return AutomaticBackup(copy, orphan_rows)


def list_automatic_backups(database: Path) -> list[Path]:
    """Return the automatic backups of a database, sorted by the time in their names."""
    return [path for _, path in sorted(_iter_backups(database))]


def _iter_backups(database: Path) -> Iterator[tuple[str, Path]]:
    """Yield the automatic backups of a database with the time in their names."""
    # With its suffix: list.db and list.sqlite may be in one folder.
    prefix = f"{database.name}-"
    for path in (database.parent / FOLDER_NAME).glob("*.backup"):
        match = _FILE_NAME.fullmatch(path.name.removeprefix(prefix))
        if match and path.name.startswith(prefix):
            yield match[1], path
