"""Several sender processes for one issue: one send, every batch once."""

from collections import Counter

import pytest
import sqlalchemy as sa
from sender_process import PER_BATCH, READERS, SenderProject

from newsletter.db import database_engine
from newsletter.db.schema import attempt, batch, send

ISSUE = "2026-12-01-letter"


@pytest.mark.parametrize("sender_count", [2, 8])
def test_concurrent_senders_make_one_send_and_claim_each_batch_once(
    sender_project: SenderProject, sender_count: int
) -> None:
    sender_project.write_issue(ISSUE)
    code, output = sender_project.run("plan", ISSUE)
    assert code == 0, output
    senders = [sender_project.start("send", ISSUE, "--yes", "--json") for _ in range(sender_count)]
    outputs = [process.communicate(timeout=120) for process in senders]
    assert any(process.returncode == 0 for process in senders), outputs
    counts = Counter(email.address for email in sender_project.double.accepted)
    assert set(counts.values()) == {1}
    assert len(counts) == READERS
    assert sender_project.states(ISSUE) == {"accepted": READERS}
    with (
        database_engine(sender_project.url, sender_project.folder) as engine,
        engine.connect() as connection,
    ):
        assert connection.scalars(sa.select(send.c.state)).all() == ["done"]
        fences = Counter(connection.scalars(sa.select(batch.c.fence)))
        attempts = connection.scalars(sa.select(attempt.c.number)).all()
    assert sum(fences.values()) == len(attempts) == READERS // PER_BATCH
    assert set(fences) == set(attempts) == {1}


def test_two_senders_starting_without_a_plan_make_one_send(sender_project: SenderProject) -> None:
    sender_project.write_issue(ISSUE)
    senders = [sender_project.start("send", ISSUE, "--yes", "--json") for _ in range(2)]
    outputs = [process.communicate(timeout=120) for process in senders]
    assert any(process.returncode == 0 for process in senders), outputs
    addresses = [email.address for email in sender_project.double.accepted]
    assert len(addresses) == len(set(addresses))
    assert sender_project.states(ISSUE) == {"accepted": READERS}
