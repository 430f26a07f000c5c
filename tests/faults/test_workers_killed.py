"""kill -9 of one of three workers at random points: nobody twice or lost."""

import os
import random
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
from sender_process import PER_BATCH, READERS, SenderProject
from worker_process import running_worker, watch_send

from newsletter.sending.rehearsal.fake_sendgrid import faults

# The full number is for `make faults`; each kill costs a few seconds.
KILLS = int(os.environ.get("FAULTS_KILLS", "2"))
CONCURRENCY = 2
BATCHES = READERS // PER_BATCH
OPTIONS = ("--concurrency", str(CONCURRENCY))


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


def test_a_killed_worker_never_duplicates_or_loses_an_email(
    sender_project: SenderProject, tmp_path: Path
) -> None:
    rng = random.Random(20261202)
    with ExitStack() as stack:
        workers = [stack.enter_context(running_worker(sender_project, *OPTIONS)) for _ in range(3)]
        for number in range(KILLS):
            watch = stack.enter_context(watch_send(sender_project, f"2026-12-01-{number:03}"))
            killed = workers.pop(rng.randrange(3))
            request_count = len(sender_project.double.requests)
            sender_project.double.inject_faults(
                *(faults.slow_response(rng.random() / 10) for _ in range(rng.randrange(BATCHES)))
            )
            watch.start()
            # The last may arrive only after the kill.
            sender_project.double.wait_for_requests(request_count + rng.randrange(BATCHES - 4))
            threading.Event().wait(rng.random() / 20)
            killed.kill()
            workers.append(stack.enter_context(running_worker(sender_project, *OPTIONS)))
            watch.finish(workers)
            watch.check_copies()
            assert sender_project.states(watch.issue)["unknown"] <= CONCURRENCY * PER_BATCH
            watch.resolve_unknown(tmp_path / "events.jsonl")
            assert sender_project.states(watch.issue) == {"accepted": READERS}
            watch.check_copies()
            sender_project.double.clear_faults()
            watch.engine.dispose()
