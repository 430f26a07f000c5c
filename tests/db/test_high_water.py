"""The number beside a SQLite database never gets lower, whichever sender writes last."""

import random
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.identity import (
    advance_high_water,
    compare_identity,
    mark_as_moved,
    set_identity,
)
from newsletter.db.identity_mark import mark_path, read_mark, save_high_water

ROUNDS = 40
SENDERS = 8


@pytest.fixture
def database_url() -> str:
    return "sqlite:///newsletter.db"


def test_overlapping_senders_never_write_a_lower_number(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        set_identity(connection)
    rng = random.Random(20261201)
    for round_number in range(ROUNDS):
        numbers = [SENDERS * round_number + sender + 1 for sender in range(SENDERS)]
        rng.shuffle(numbers)
        barrier = threading.Barrier(SENDERS)

        def save(number: int, barrier: threading.Barrier = barrier) -> None:
            barrier.wait(timeout=60)
            save_high_water(engine, number)

        threads = [threading.Thread(target=save, args=(number,)) for number in numbers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        mark = read_mark(engine)
        assert mark is not None
        assert mark.high_water == max(numbers)


def test_sender_does_not_write_an_old_mark_over_a_new_one(engine: sa.Engine) -> None:
    """Otherwise the database, which another process has just recognized, would be a copy again."""
    with engine.begin() as connection:
        set_identity(connection)
    for number in range(ROUNDS):
        barrier = threading.Barrier(SENDERS + 1)

        def save(high_water: int, barrier: threading.Barrier = barrier) -> None:
            barrier.wait(timeout=60)
            save_high_water(engine, high_water)

        with engine.begin() as connection:
            advance_high_water(connection)
        threads = [threading.Thread(target=save, args=(number + 1,)) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        barrier.wait(timeout=60)
        with engine.begin() as connection:
            set_identity(connection)
        for thread in threads:
            thread.join()
        with read_transaction(engine) as connection:
            assert compare_identity(connection, read_mark(engine)) == "same"


def test_number_that_is_behind_does_not_make_the_database_a_copy(engine: sa.Engine) -> None:
    """As after a sender was killed between its commit and its note; it has sent nothing yet."""
    with engine.begin() as connection:
        set_identity(connection)
    with engine.begin() as connection:
        assert advance_high_water(connection) == 1
    with read_transaction(engine) as connection:
        assert compare_identity(connection, read_mark(engine)) == "same"


def test_restored_file_is_a_copy_even_with_the_inode_of_the_deleted_one(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        set_identity(connection)
        mark_as_moved(connection)
    with read_transaction(engine) as connection:
        assert compare_identity(connection, read_mark(engine)) == "different"


def test_nothing_is_noted_without_a_mark(engine: sa.Engine) -> None:
    save_high_water(engine, 5)
    save_high_water(engine, None)
    assert not mark_path(Path(str(engine.url.database))).exists()
