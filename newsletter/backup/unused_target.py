"""Delete the new file of a copy that was refused or failed at once."""

import json
import sqlite3
from contextlib import suppress
from pathlib import Path

from newsletter.backup.copy_target import COPIED_TABLES
from newsletter.db.identity import MOVED_FROM_KEY
from newsletter.db.schema import setting
from newsletter.db.sqlite_copy import database_files, open_exclusive
from newsletter.errors import DatabaseError


def delete_unused_target(file: Path) -> None:
    """Delete a new SQLite file if nothing was copied into it, so that nobody takes it for a copy.

    Another copy may have been begun into it meanwhile: a file that others have open is left.
    """
    if not file.exists():
        return
    with suppress(DatabaseError), open_exclusive(file) as connection:
        if _find_copied_rows(connection):
            return
        for path in database_files(file):
            path.unlink(missing_ok=True)


def _find_copied_rows(connection: sqlite3.Connection) -> bool:
    made = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    for table in COPIED_TABLES:
        query = f"SELECT EXISTS (SELECT 1 FROM {table.name})"  # noqa: S608 - our own name
        # Commands write settings into a database that holds nothing yet.
        is_read = table is not setting and table.name in made
        if is_read and connection.execute(query).fetchone()[0]:
            return True
    if setting.name not in made:
        return False
    query = "SELECT value FROM setting WHERE key = ?"
    record = connection.execute(query, (MOVED_FROM_KEY,)).fetchone()
    return bool(record and json.loads(record[0])["tables"])
