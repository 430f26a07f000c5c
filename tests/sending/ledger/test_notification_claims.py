"""Of several processes, one notifies: on both databases, in any order of transactions."""

import threading
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from newsletter.sending.ledger.notification_claims import (
    claim_no_events_notification,
    claim_run_notification,
)

PROCESSES = 8


def test_one_of_many_claims_each_new_state(engine: sa.Engine) -> None:
    barrier = threading.Barrier(PROCESSES)

    def claim(kind: str) -> bool:
        barrier.wait(60)
        with engine.begin() as connection:
            return claim_run_notification(connection, 7, kind)

    with ThreadPoolExecutor(PROCESSES) as pool:
        for kind in ("started", "blocked", "started", "finished"):
            assert sum(pool.map(claim, [kind] * PROCESSES)) == 1


def test_no_events_is_claimed_once_by_one(engine: sa.Engine) -> None:
    barrier = threading.Barrier(PROCESSES)

    def claim(_: int) -> bool:
        barrier.wait(60)
        with engine.begin() as connection:
            return claim_no_events_notification(connection, 7)

    with ThreadPoolExecutor(PROCESSES) as pool:
        assert sum(pool.map(claim, range(PROCESSES))) == 1
        assert sum(pool.map(claim, range(PROCESSES))) == 0


def test_claim_is_undone_with_its_transaction_and_of_its_send_only(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        claim_run_notification(connection, 7, "blocked")
        connection.rollback()
    with engine.begin() as connection:
        assert claim_run_notification(connection, 7, "blocked")
        assert claim_run_notification(connection, 8, "blocked")
        assert claim_no_events_notification(connection, 7)
