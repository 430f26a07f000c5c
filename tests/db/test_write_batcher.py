"""Writes of many threads: each gets its own result, and one that fails takes nobody along."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import setting
from newsletter.db.write_batcher import WriteBatcher

WRITERS = 24


def test_whoever_fails_fails_alone(engine: sa.Engine) -> None:
    together = WriteBatcher(engine)
    ready = threading.Barrier(WRITERS)

    def write(number: int) -> int:
        def row(connection: sa.Connection) -> int:
            connection.execute(sa.insert(setting).values(key=f"test {number % 20}", value="1"))
            return number

        ready.wait()
        return together.run(row)

    with ThreadPoolExecutor(WRITERS) as pool:
        futures = [pool.submit(write, number) for number in range(WRITERS)]
    failed = [one for one in futures if one.exception()]
    done = {one.result() % 20 for one in futures if not one.exception()}
    # Four keys are wanted twice: one of each two is refused by the database.
    assert len(failed) == WRITERS - 20
    assert done == set(range(20))
    with pytest.raises(sa.exc.IntegrityError):
        failed[0].result()
    with read_transaction(engine) as connection:
        mine = sa.select(sa.func.count()).where(setting.c.key.like("test %"))
        assert connection.scalar(mine) == 20
