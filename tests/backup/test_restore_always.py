"""Restore after any history before and after the backup, and a restore killed midway."""

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
from newsletter.backup.verified_backup import open_backup
from newsletter.db import database_engine, open_database, read_transaction
from newsletter.db.schema import subscriber
from newsletter.db.sqlite_copy import back_up, find_corruption
from newsletter.errors import SubscriberListError
from newsletter.subscribers import iter_audience
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes, erasure
from newsletter.subscribers.consent.journal import ChangeOrigin, load_journal, to_changes
from newsletter.subscribers.consent.transitions import replay_status

START = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
URL = "sqlite:///newsletter.db"
NAMES = ("ada", "bo", "cy")
ACTIONS = ("join", "confirm", "return", "erase", *changes.SUPPRESSION_ACTIONS)

Step = tuple[str, str]
steps = st.lists(st.tuples(st.sampled_from(ACTIONS), st.sampled_from(NAMES)), max_size=12)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty")
    open_database(URL, folder).dispose()
    return folder / "newsletter.db"


def apply_step(engine: sa.Engine, step: Step, at: datetime.datetime) -> None:
    action, name = step
    address = parse_address(f"{name}@example.com")
    origin = ChangeOrigin(at, "form", wording="yes please")
    if action == "erase":
        erasure.erase_address(engine, address.key, at)
        return
    with engine.begin() as connection:
        if action == "join":
            try:
                changes.subscribe(connection, address, "pending", origin)
            except SubscriberListError:
                assert erasure.find_erased(connection, [address.key])
        elif action == "return":
            changes.resubscribe(connection, address, "active", origin)
        elif action == "confirm":
            changes.confirm(connection, address.key, origin)
        else:
            changes.SUPPRESSION_ACTIONS[action](connection, address.key, origin)


def audience_keys(engine: sa.Engine) -> set[str]:
    with read_transaction(engine) as connection:
        return {member.address_key for member in iter_audience(connection)}


def keys_not_to_mail(engine: sa.Engine) -> set[str]:
    """Return the keys of those who must not be mailed: they are suppressed or were erased."""
    keys = [f"{name}@example.com" for name in NAMES]
    suppressed = sa.select(subscriber.c.address_key).where(
        subscriber.c.status.in_(tuple(changes.SUPPRESSION_ACTIONS))
    )
    with read_transaction(engine) as connection:
        return {*connection.scalars(suppressed), *erasure.find_erased(connection, keys)}


@settings(max_examples=15, deadline=None)
@given(before=steps, after=steps)
def test_suppressed_and_erased_are_never_mailed_after_restore(
    empty: Path, before: list[Step], after: list[Step]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(empty, folder)
        path, copy = folder / "newsletter.db", folder / "copy"
        with database_engine(URL, folder) as engine:
            for hour, step in enumerate(before):
                apply_step(engine, step, START + datetime.timedelta(hours=hour))
            back_up(path, copy)
            backed_up = audience_keys(engine)
            for hour, step in enumerate(after, 100):
                apply_step(engine, step, START + datetime.timedelta(hours=hour))
            not_to_mail = keys_not_to_mail(engine)
        with open_backup(copy, path) as backup:
            restore.restore_backup(backup, START + datetime.timedelta(days=30))
        with database_engine(URL, folder) as engine:
            assert audience_keys(engine) == backed_up - not_to_mail
            with read_transaction(engine) as connection:
                rows = connection.execute(sa.select(subscriber.c.id, subscriber.c.status)).all()
                for id_, status in rows:
                    assert replay_status(to_changes(load_journal(connection, id_))) == status
        assert find_corruption(path) == []


KILLED_RESTORE = """
import datetime, os, signal, sqlite3, sys
from pathlib import Path
from newsletter.backup import restore
from newsletter.backup.verified_backup import open_backup

def overwrite(live, source):
    def kill_halfway(status, remaining, total):
        if remaining < total / 2:
            os.kill(os.getpid(), signal.SIGKILL)
    live.execute("PRAGMA cache_size = 10")  # so that pages reach the disk before the kill
    sqlite3.connect(source).backup(live, pages=3, progress=kill_halfway)

restore.overwrite_database = overwrite
folder = Path(sys.argv[1])
with open_backup(folder / "copy", folder / "newsletter.db") as backup:
    restore.restore_backup(backup, datetime.datetime.now(datetime.UTC))
"""


def test_killed_restore_changes_nothing(empty: Path, tmp_path: Path) -> None:
    shutil.copy(empty, tmp_path)
    path = tmp_path / "newsletter.db"
    back_up(path, tmp_path / "copy")
    with database_engine(URL, tmp_path) as engine:
        for number in range(50):
            apply_step(engine, ("join", f"r{number}"), START)
    run = subprocess.run([sys.executable, "-c", KILLED_RESTORE, tmp_path], check=False)
    assert run.returncode == -signal.SIGKILL
    assert (tmp_path / "newsletter.db-journal").stat().st_size > 512
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM subscriber").fetchone() == (50,)
    assert find_corruption(path) == []
