"""Whatever happened before a backup and after it, and wherever a restore is cut short."""

import datetime
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.backup import restore
from newsletter.backup.sqlite_copy import back_up, find_corruption
from newsletter.db import database_engine, open_database, read_transaction
from newsletter.db.schema import subscriber
from newsletter.errors import SubscriberListError
from newsletter.subscribers import iter_audience
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes, erasure
from newsletter.subscribers.consent.journal import ChangeOrigin, load_journal
from newsletter.subscribers.consent.journal import to_changes as as_changes
from newsletter.subscribers.consent.transitions import replay_status

START = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
URL = "sqlite:///newsletter.db"
NAMES = ("ada", "bo", "cy")
WORDS = ("join", "confirm", "return", "erase", *changes.SUPPRESSION_ACTIONS)

Step = tuple[str, str]
steps = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(NAMES)), max_size=12)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty")
    open_database(URL, folder).dispose()
    return folder / "newsletter.db"


def take(engine: sa.Engine, step: Step, at: datetime.datetime) -> None:
    word, name = step
    address = parse_address(f"{name}@example.com")
    origin = ChangeOrigin(at, "form", wording="yes please")
    if word == "erase":
        erasure.erase_address(engine, address.key, at)
        return
    with engine.begin() as connection:
        if word == "join":
            try:
                changes.subscribe(connection, address, "pending", origin)
            except SubscriberListError:
                assert erasure.find_erased(connection, [address.key])
        elif word == "return":
            changes.resubscribe(connection, address, "active", origin)
        elif word == "confirm":
            changes.confirm(connection, address.key, origin)
        else:
            changes.SUPPRESSION_ACTIONS[word](connection, address.key, origin)


def mailed(engine: sa.Engine) -> set[str]:
    with read_transaction(engine) as connection:
        return {reader.address_key for reader in iter_audience(connection)}


def gone(engine: sa.Engine) -> set[str]:
    """Who must not be mailed: they have left, or were erased."""
    keys = [f"{name}@example.com" for name in NAMES]
    left = sa.select(subscriber.c.address_key).where(
        subscriber.c.status.in_(tuple(changes.SUPPRESSION_ACTIONS))
    )
    with read_transaction(engine) as connection:
        return {*connection.scalars(left), *erasure.find_erased(connection, keys)}


@settings(max_examples=15, deadline=None)
@given(before=steps, after=steps)
def test_nobody_who_is_gone_is_mailed(empty: Path, before: list[Step], after: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(empty, folder)
        path, copy = folder / "newsletter.db", folder / "copy"
        with database_engine(URL, folder) as engine:
            for hour, step in enumerate(before):
                take(engine, step, START + datetime.timedelta(hours=hour))
            back_up(path, copy)
            then = mailed(engine)
            for hour, step in enumerate(after, 100):
                take(engine, step, START + datetime.timedelta(hours=hour))
            away = gone(engine)
        with restore.open_backup(copy, path) as backup:
            restore.restore_backup(backup, START + datetime.timedelta(days=30))
        with database_engine(URL, folder) as engine:
            assert mailed(engine) == then - away
            with read_transaction(engine) as connection:
                rows = connection.execute(sa.select(subscriber.c.id, subscriber.c.status)).all()
                for id_, status in rows:
                    assert replay_status(as_changes(load_journal(connection, id_))) == status
        assert find_corruption(path) == []


KILLED = """
import datetime, os, signal, sqlite3, sys
from pathlib import Path
from newsletter.backup import restore

def overwrite(live, source):
    def die(status, left, total):
        if left < total / 2:
            os.kill(os.getpid(), signal.SIGKILL)
    live.execute("PRAGMA cache_size = 10")  # so that the disk has it, and not memory alone
    sqlite3.connect(source).backup(live, pages=3, progress=die)

restore.overwrite_database = overwrite
folder = Path(sys.argv[1])
with restore.open_backup(folder / "copy", folder / "newsletter.db") as backup:
    restore.restore_backup(backup, datetime.datetime.now(datetime.UTC))
"""


def test_a_restore_that_is_killed_has_changed_nothing(empty: Path, tmp_path: Path) -> None:
    shutil.copy(empty, tmp_path)
    path = tmp_path / "newsletter.db"
    back_up(path, tmp_path / "copy")
    with database_engine(URL, tmp_path) as engine:
        for number in range(50):
            take(engine, ("join", f"r{number}"), START)
    run = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    assert run.returncode == -signal.SIGKILL
    assert (tmp_path / "newsletter.db-journal").stat().st_size > 512
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM subscriber").fetchone() == (50,)
    assert find_corruption(path) == []
