"""Record erasures outside of the database, so that no copy undoes them.

A dump that was restored by hand, or an older file put back, knows nothing of whom readers have
asked to erase since it was made. The record has what the database has: a keyed hash of each erased
address, and the key. It is one file for each database and folder from which it is used: a folder
that never saw the database after an erasure can't know of it.
"""

import datetime
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.bulk import insert_or_ignore
from newsletter.db.schema import erased, journal, setting, subscriber, suppression
from newsletter.db.stored_settings import read_setting
from newsletter.private_files import replace_privately
from newsletter.subscribers.consent.erasure import SALT_KEY, erase_address, hash_address_key

RECORD_SUFFIX = ".erased"
PAGE_SIZE = 5_000


@dataclass(frozen=True, slots=True)
class ErasureRecord:
    """The erasures of a database.

    Attributes:
        salt: the key of the hashes, in hexadecimal; ``""`` if nobody was ever erased.
        erased_at: hash of an address -> when it was erased, in ISO 8601.
    """

    salt: str = ""
    erased_at: Mapping[str, str] = field(default_factory=dict)


def renew_erasures(engine: sa.Engine, root: Path) -> int:
    """Erase again whom an older copy of the database has brought back; update the record.

    Whoever has joined again since their erasure stays.

    Args:
        engine: the engine of the database.
        root: the project's folder.

    Returns:
        How many addresses were erased again.
    """
    path = record_path(engine, root)
    try:
        record = _load_record(path)
    except OSError:  # it may have what the database lacks, so it isn't overwritten either
        return 0
    with read_transaction(engine) as connection:
        count, latest = connection.execute(
            sa.select(sa.func.count(), sa.func.max(erased.c.at))
        ).one()
        recorded = len(record.erased_at), max(record.erased_at.values(), default=None)
        if recorded == (count, latest and latest.isoformat()):
            return 0
        present = _read_record(connection)
    missing = {
        hashed: datetime.datetime.fromisoformat(at)
        for hashed, at in record.erased_at.items()
        if hashed not in present.erased_at
    }
    renewed = _erase_again(engine, record.salt, missing) if missing else 0
    with read_transaction(engine) as connection:
        present = _read_record(connection)
    with suppress(OSError), replace_privately(path) as file:  # the folder may be read-only
        file.write(json.dumps({"salt": present.salt, "erased_at": present.erased_at}).encode())
    return renewed


def record_path(engine: sa.Engine, root: Path) -> Path:
    """Return the file of the record: beside a SQLite database, else in the project's folder."""
    url = engine.url
    if engine.dialect.name == "sqlite":
        return Path(f"{url.database}{RECORD_SUFFIX}")
    place = json.dumps([url.host, url.port, url.query.get("host"), url.database])
    digest = hashlib.sha256(place.encode()).hexdigest()[:8]
    return root / f"postgresql-{digest}.db{RECORD_SUFFIX}"


def _load_record(path: Path) -> ErasureRecord:
    """Return what is recorded; nothing if the file is missing or no record.

    Raises:
        OSError: there is a file that can't be read.
    """
    try:
        data = json.loads(path.read_bytes())
        bytes.fromhex(data["salt"])
        for at in data["erased_at"].values():
            datetime.datetime.fromisoformat(at)
        return ErasureRecord(data["salt"], dict(data["erased_at"]))
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ErasureRecord()


def _read_record(connection: sa.Connection) -> ErasureRecord:
    rows = connection.execute(sa.select(erased.c.address_hash, erased.c.at))
    return ErasureRecord(
        read_setting(connection, SALT_KEY) or "",
        {hashed: at.isoformat() for hashed, at in rows},
    )


def _erase_again(engine: sa.Engine, salt: str, missing: Mapping[str, datetime.datetime]) -> int:
    """Erase those of the missing erasures who are in the database, and record the others in it."""
    found: dict[str, datetime.datetime] = {}
    unresolved, salt_bytes = dict(missing), bytes.fromhex(salt)
    with read_transaction(engine) as connection:
        for key, known_since in _iter_known_addresses(connection):
            hashed = hash_address_key(salt_bytes, key)
            if (at := unresolved.pop(hashed, None)) and known_since < at:
                found[key] = at
    with engine.begin() as connection:
        row = {"key": SALT_KEY, "value": salt}
        connection.execute(insert_or_ignore(connection, setting).values(row))
        if unresolved and read_setting(connection, SALT_KEY) == salt:
            rows = [{"address_hash": hashed, "at": at} for hashed, at in unresolved.items()]
            connection.execute(insert_or_ignore(connection, erased), rows)
    return sum(erase_address(engine, key, at) is not None for key, at in found.items())


def _iter_known_addresses(
    connection: sa.Connection,
) -> Iterator[tuple[str, datetime.datetime]]:
    """Yield the address keys of the list and of the suppressions, and since when each is known."""
    joined = sa.select(subscriber.c.address_key, journal.c.at).join(
        journal, sa.and_(journal.c.subscriber_id == subscriber.c.id, journal.c.seq == 1)
    )
    for query in (joined, sa.select(suppression.c.address_key, suppression.c.since)):
        rows = connection.execute(query.execution_options(yield_per=PAGE_SIZE))
        yield from ((key, since) for key, since in rows)
