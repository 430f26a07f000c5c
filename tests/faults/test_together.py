"""Several senders of one issue at once, each a process: one send, every batch once."""

from collections import Counter

import pytest
import sqlalchemy as sa
from sender_process import PER_BATCH, READERS, Desk

from newsletter.db import database_engine
from newsletter.db.schema import attempt, batch, send

ISSUE = "2026-12-01-letter"


@pytest.mark.parametrize("senders", [2, 8])
def test_senders_at_once_make_one_send_and_claim_each_batch_once(desk: Desk, senders: int) -> None:
    desk.write_issue(ISSUE)
    code, words = desk.run("plan", ISSUE)
    assert code == 0, words
    together = [desk.start("send", ISSUE, "--yes", "--json") for _ in range(senders)]
    said = [process.communicate(timeout=120) for process in together]
    assert any(process.returncode == 0 for process in together), said
    copies = Counter(one.address for one in desk.double.accepted)
    assert set(copies.values()) == {1}
    assert len(copies) == READERS
    assert desk.states(ISSUE) == {"accepted": READERS}
    with database_engine(desk.url, desk.folder) as engine, engine.connect() as connection:
        assert connection.scalars(sa.select(send.c.state)).all() == ["done"]
        fences = Counter(connection.scalars(sa.select(batch.c.fence)))
        attempts = connection.scalars(sa.select(attempt.c.number)).all()
    assert sum(fences.values()) == len(attempts) == READERS // PER_BATCH
    assert set(fences) == set(attempts) == {1}


def test_two_who_begin_at_once_without_a_plan_make_one_send(desk: Desk) -> None:
    desk.write_issue(ISSUE)
    together = [desk.start("send", ISSUE, "--yes", "--json") for _ in range(2)]
    said = [process.communicate(timeout=120) for process in together]
    assert any(process.returncode == 0 for process in together), said
    assert len(desk.double.accepted) == len({one.address for one in desk.double.accepted})
    assert desk.states(ISSUE) == {"accepted": READERS}
