"""Check that the workers that run do all that workers are for."""

from collections.abc import Iterator

import sqlalchemy as sa

from newsletter.sending.doctor_check import DoctorCheck, ok, warn
from newsletter.sending.lanes.worker_records import find_missing_workers, list_workers
from newsletter.sending.ledger.record import Ledger


def check_workers(engine: sa.Engine) -> Iterator[DoctorCheck]:
    """Yield a check for each thing that no worker does; none if no worker is running."""
    workers = list_workers(Ledger(engine))
    problems = list(find_missing_workers(workers))
    for problem in problems:
        yield warn("workers", problem.message, "", problem.remedy)
    live = [record.name for record in workers if record.takes_jobs]
    if live and not problems:
        yield ok("workers", f"running: {', '.join(live)}")
