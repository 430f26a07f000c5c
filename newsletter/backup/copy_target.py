"""Target of a copy: empty, half-done or complete.

It is loaded a table at a time. What is copied so far is noted in the target itself, in the same
transaction as the rows. So a copy that was killed at any moment can go on, and no command uses the
database until it is complete.
"""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from newsletter.backup.copied_rows import (
    TableDigest,
    TableHasher,
    count_rows,
    insert_copied_rows,
    read_row_chunks,
    write_last_ids,
)
from newsletter.backup.retired_database import read_moved_to
from newsletter.db.bulk import tune_for_bulk_writes
from newsletter.db.errors import database_error
from newsletter.db.identity import (
    MOVED_FROM_KEY,
    other_owner_error,
    read_owner,
    retired_error,
    set_identity,
)
from newsletter.db.schema import journal, metadata, setting, subscriber, worker
from newsletter.db.stored_settings import read_setting, write_setting
from newsletter.db.transaction import lift_statement_timeout
from newsletter.errors import DatabaseError, Location, NothingToDoError
from newsletter.wording import format_count

ProgressCallback = Callable[[int], None]

# In the order in which rows can be inserted: each after those that it refers to. The workers of the
# source don't send from the target: if they counted as running there, sends would be left to them.
COPIED_TABLES = tuple(table for table in metadata.sorted_tables if table is not worker)


@dataclass(frozen=True, slots=True)
class CopyRecord:
    """What the target of a copy notes about it.

    Attributes:
        url: the source, as it is displayed.
        target_url: the target, as it is displayed.
        newsletter_id: the owner of the source; empty if it has none.
        token: random; the source that was retired for this copy has it, too.
        is_complete: whether the target can be used.
        tables: name -> digest of the tables that are copied.
    """

    url: str
    target_url: str
    newsletter_id: str
    token: str = ""
    is_complete: bool = False
    tables: dict[str, TableDigest] = field(default_factory=dict)


def read_copy_record(connection: sa.Connection) -> CopyRecord | None:
    """Return what the database notes about the copy of which it is the target."""
    value = read_setting(connection, MOVED_FROM_KEY)
    if value is None:
        return None
    record = CopyRecord(**json.loads(value))
    return replace(
        record, tables={name: TableDigest(*digest) for name, digest in record.tables.items()}
    )


def digest_table(
    connection: sa.Connection, table: sa.Table, progress: ProgressCallback
) -> TableDigest:
    """Return the digest of a table as it is stored now."""
    hasher = TableHasher(table)
    with closing(read_row_chunks(connection, table)) as chunks:
        for rows in chunks:
            hasher.add(rows)
            progress(len(rows))
    return hasher.digest()


class CopyTarget:
    """The database into which another one is copied.

    Args:
        engine: opened with ``is_copied``.
        where: the database, in a form that may be displayed.
        wanted: the copy that is to be made, or continued.
    """

    def __init__(self, engine: sa.Engine, where: Location, wanted: CopyRecord) -> None:
        self.engine = engine
        self._where = where
        self._record = wanted

    @property
    def token(self) -> str:
        """The token of the copy, once it was begun."""
        return self._record.token

    def begin(self, moved_to: dict[str, Any] | None) -> None:
        """Note that a copy is made into the database, or find the one that was begun.

        Args:
            moved_to: from ``read_moved_to`` of the source.

        Raises:
            DatabaseError: the database is not empty, is of another newsletter, or is the target of
                another copy; or the source is retired for another copy.
            NothingToDoError: the copy is complete.
        """
        with self._write_transaction() as connection:
            found = read_copy_record(connection)
            if moved_to is not None and (found is None or found.token != moved_to["token"]):
                raise retired_error(moved_to, Location(self._record.url))
            if found and moved_to is not None and found.is_complete:
                raise NothingToDoError(f"{found.url} was copied here before", where=self._where)
            if found and not found.is_complete:
                self._require_same_copy(found)
                self._record = found
                return
            self._require_empty(connection)
            self._record = replace(self._record, token=secrets.token_hex(8))
            self._save_record(connection)

    def load(self, source: sa.Connection, progress: ProgressCallback) -> dict[str, TableDigest]:
        """Copy all tables that are not copied yet, or differ; return the digests of all.

        Args:
            source: in a transaction in which nothing changes.
            progress: called with the number of rows just read, of each row twice.

        Raises:
            DatabaseError: a row can't be stored, or a table is not the same afterwards.
        """
        kept = self._count_kept(source, progress)
        self._empty_tables(COPIED_TABLES[kept:])
        for table in COPIED_TABLES[kept:]:
            self._load_table(source, table, progress)
        return self._record.tables

    def complete(self, last_ids: dict[str, int]) -> None:
        """Make the database one that can be used, as its source was.

        Args:
            last_ids: from ``read_last_ids``.

        Raises:
            DatabaseError: another program has written to it meanwhile.
        """
        with self._write_transaction() as connection:
            self._require_own_record(connection)
            for table in COPIED_TABLES:
                if count_rows(connection, table) != self._record.tables[table.name].rows:
                    raise self._changed_error(table)
            write_last_ids(connection, last_ids)
            self._record = replace(self._record, is_complete=True)
            self._save_record(connection)
            set_identity(connection)
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("ANALYZE")  # or its first queries read whole tables

    def _count_kept(self, source: sa.Connection, progress: ProgressCallback) -> int:
        """Return how many of the tables, from the first on, are copied and have not changed."""
        done = self._record.tables
        kept = 0
        for kept, table in enumerate(COPIED_TABLES):  # noqa: B007
            if table.name not in done:
                break
            is_same = digest_table(source, table, progress) == done[table.name]
            with self._write_transaction() as connection:
                is_same = is_same and digest_table(connection, table, progress) == done[table.name]
            if not is_same:
                break
        else:
            return len(COPIED_TABLES)
        # Journal entries can be deleted only together with their subscribers.
        if kept <= COPIED_TABLES.index(journal):
            kept = min(kept, COPIED_TABLES.index(subscriber))
        return kept

    def _empty_tables(self, tables: tuple[sa.Table, ...]) -> None:
        with self._write_transaction() as connection:
            self._require_own_record(connection)
            for table in reversed(tables):
                if table is setting:
                    connection.execute(sa.delete(table).where(setting.c.key != MOVED_FROM_KEY))
                elif table is not journal:  # deleted by the foreign key's cascade
                    connection.execute(sa.delete(table))
            names = {table.name for table in tables}
            self._record = replace(
                self._record,
                tables={
                    name: digest
                    for name, digest in self._record.tables.items()
                    if name not in names
                },
            )
            self._save_record(connection)

    def _load_table(
        self, source: sa.Connection, table: sa.Table, progress: ProgressCallback
    ) -> None:
        with self._write_transaction() as connection:
            self._require_own_record(connection)
            hasher = TableHasher(table)
            with closing(read_row_chunks(source, table)) as chunks:
                for rows in chunks:
                    insert_copied_rows(connection, table, rows)
                    hasher.add(rows)
                    progress(len(rows))
            expected = hasher.digest()
            if digest_table(connection, table, progress) != expected:
                raise self._changed_error(table)
            self._record = replace(
                self._record, tables=self._record.tables | {table.name: expected}
            )
            self._save_record(connection)

    @contextmanager
    def _write_transaction(self) -> Iterator[sa.Connection]:
        with self.engine.begin() as connection:
            tune_for_bulk_writes(connection)
            if connection.dialect.name == "postgresql":
                disable_idle_timeout(connection)  # it waits for the source
            yield connection

    def _save_record(self, connection: sa.Connection) -> None:
        write_setting(connection, MOVED_FROM_KEY, json.dumps(asdict(self._record)))

    def _require_own_record(self, connection: sa.Connection) -> None:
        """Refuse to go on if another copy was begun, since two were at the same time."""
        found = read_copy_record(connection)
        if found is None or found.token != self._record.token:
            raise database_error(
                "another newsletter db copy writes to this database",
                self._where,
                "Let it end, or name another database.",
            )

    def _require_same_copy(self, found: CopyRecord) -> None:
        wanted = self._record
        if (found.url, found.newsletter_id) != (wanted.url, wanted.newsletter_id):
            raise database_error(
                f"the copy of {found.url} into this database is not finished",
                self._where,
                "Finish it, or name an empty database or a new file.",
            )

    def _require_empty(self, connection: sa.Connection) -> None:
        if moved_to := read_moved_to(connection):
            raise retired_error(moved_to, self._where, "Name an empty database or a new file.")
        owner = read_owner(connection)
        if owner and owner != self._record.newsletter_id:
            raise other_owner_error(owner, self._where)
        for table in COPIED_TABLES:
            # Commands write settings into a database that holds nothing yet.
            if table is not setting and (count := count_rows(connection, table)):
                raise database_error(
                    f"the database is not empty: {format_count(count, 'row')} in {table.name}",
                    self._where,
                    "Name an empty database or a new file.",
                )

    def _changed_error(self, table: sa.Table) -> DatabaseError:
        return database_error(
            f"the table {table.name} is not the same as in the database that is copied",
            self._where,
            "Another program may have written to it: stop it, and run this again.",
        )


def disable_idle_timeout(connection: sa.Connection) -> None:
    """Let a transaction on PostgreSQL wait for the other database as long as that takes."""
    connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
    lift_statement_timeout(connection)
