"""Back up a SQLite database by itself: before a send, before an upgrade.

The last few copies are kept in ``backups/`` beside the database; ``newsletter restore`` reads them.
PostgreSQL has its own tools for that.
"""

import datetime
import re
from collections.abc import Callable
from pathlib import Path

from newsletter.db.errors import database_error
from newsletter.db.sqlite_copy import back_up
from newsletter.errors import Location, display_path

FOLDER_NAME = "backups"
KEPT_COUNT = 5
_FILE_NAME = re.compile(r"\d{8}-\d{6}\.backup")


def back_up_automatically(
    database: Path, now: datetime.datetime, progress: Callable[[int], None] = lambda _: None
) -> Path:
    """Copy a SQLite database into its folder of backups; delete all but the last few there.

    Only files that are named as this function names them are deleted.

    Args:
        database: the file of the database.
        now: aware; it becomes the name.
        progress: called with the percentage points copied since the last call.

    Returns:
        The copy.

    Raises:
        DatabaseError: the database is damaged, or the copy can't be written.
    """
    folder = database.parent / FOLDER_NAME
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise database_error(
            f"could not create the folder: {(error.strerror or str(error)).lower()}",
            Location(display_path(folder)),
            "Check the permissions of the folder above it.",
        ) from error
    copy = folder / f"{database.stem}-{now.astimezone(datetime.UTC):%Y%m%d-%H%M%S}.backup"
    back_up(database, copy, progress)
    for old in list_automatic_backups(database)[:-KEPT_COUNT]:
        old.unlink(missing_ok=True)
    return copy


def list_automatic_backups(database: Path) -> list[Path]:
    """Return the automatic backups of a database, the oldest first."""
    prefix = f"{database.stem}-"
    return sorted(
        path
        for path in (database.parent / FOLDER_NAME).glob(f"{prefix}*.backup")
        if _FILE_NAME.fullmatch(path.name.removeprefix(prefix))
    )
