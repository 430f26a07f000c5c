"""Each thread gets the result of its own write; a failing write doesn't fail the others."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import setting
from newsletter.db.write_batcher import WriteBatcher

WRITERS = 24


def test_failing_write_does_not_fail_the_others(engine: sa.Engine) -> None:
    batcher = WriteBatcher(engine)
    ready = threading.Barrier(WRITERS)

    def write(number: int) -> int:
        def insert_row(connection: sa.Connection) -> int:
            connection.execute(sa.insert(setting).values(key=f"test {number % 20}", value="1"))
            return number

        ready.wait()
        return batcher.run(insert_row)

    with ThreadPoolExecutor(WRITERS) as pool:
        futures = [pool.submit(write, number) for number in range(WRITERS)]
    failed = [future for future in futures if future.exception()]
    written = {future.result() % 20 for future in futures if not future.exception()}
    # Four keys are inserted twice: the database rejects one of each two.
    assert len(failed) == WRITERS - 20
    assert written == set(range(20))
    with pytest.raises(sa.exc.IntegrityError):
        failed[0].result()
    with read_transaction(engine) as connection:
        count = sa.select(sa.func.count()).where(setting.c.key.like("test %"))
        assert connection.scalar(count) == 20
