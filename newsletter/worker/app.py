"""The worker's jobs, as tasks of procrastinate."""

import asyncio
import datetime
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job, Status

from newsletter.errors import DatabaseChangedError, DatabaseError
from newsletter.sending.lanes.lane_jobs import LANE_TASK
from newsletter.sending.lanes.sweep import sweep
from newsletter.sending.ledger.record import get_ledger_time
from newsletter.web.background_jobs import clean_up, notify_overdue_sends, send_queued_emails
from newsletter.worker.feedback_jobs import SuppressionSync, retry_unreadable_events
from newsletter.worker.lane import run_lane
from newsletter.worker.worker_context import WorkerContext

if TYPE_CHECKING:
    from procrastinate import App
    from procrastinate.connector import BaseAsyncConnector

PERIODIC_QUEUE = "periodic"
# In croniter's order: minute, hour, day, month, weekday, second.
EVERY_FIVE_SECONDS = "* * * * * */5"
EVERY_MINUTE = "* * * * * 30"
EVERY_HOUR = "17 * * * * 0"
EVERY_HOUR_LATER = "47 * * * * 0"
# A job whose worker has given no sign for so long is given up; its worker may still be finishing
# what it does, so nothing relies on it.
STALLED_AFTER_SECONDS = 120
FIRST_LANE_RETRY_SECONDS, LAST_LANE_RETRY_SECONDS = 5, 300
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LaneRetryStrategy(BaseRetryStrategy):
    """Retry a lane that has failed on this worker, less and less often; others may succeed.

    Attributes:
        clock: the time of the database, by which jobs are fetched; this machine's may be wrong.
    """

    clock: Callable[[], datetime.datetime]

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:  # noqa: ARG002 - any
        """Return when it is tried again; ``None`` to leave that to the sweep."""
        seconds = min(FIRST_LANE_RETRY_SECONDS * 2**job.attempts, LAST_LANE_RETRY_SECONDS)
        try:
            return RetryDecision(retry_at=self.clock() + datetime.timedelta(seconds=seconds))
        except DatabaseError:
            return None


def make_job_app(worker: WorkerContext, connector: "BaseAsyncConnector") -> "App":
    """Return procrastinate's app with the jobs of a worker."""
    from procrastinate import App

    app = App(connector=connector)

    lanes = dict[int, asyncio.Future[None]]()

    # Asynchronous, so that it can be cancelled: if the connection is lost, procrastinate fetches
    # nothing more before its jobs are over. The lane itself goes on, and the next job awaits it.
    @app.task(name=LANE_TASK, retry=LaneRetryStrategy(lambda: get_ledger_time(worker.ledger)))
    async def deliver_lane(send_id: int, worker_id: int) -> None:  # noqa: ARG001 - the queue's
        if send_id not in lanes or lanes[send_id].done():
            loop = asyncio.get_running_loop()
            lanes[send_id] = loop.run_in_executor(None, run_lane, worker, send_id)
        await asyncio.shield(lanes[send_id])

    # In a queue of their own: lanes can take hours. One of each at a time, on whatever machine, but
    # without a lock, which a worker that was killed would hold.
    def add_job(name: str, cron: str, run: Callable[[], Any]) -> None:
        @app.periodic(cron=cron)
        @app.task(name=f"newsletter.{name}", queue=PERIODIC_QUEUE, queueing_lock=name)
        def run_periodically(timestamp: int) -> None:  # noqa: ARG001 - procrastinate's
            try:
                run()
            except DatabaseChangedError as error:
                worker.stopping.give_up(error)

    add_job("sweep", EVERY_FIVE_SECONDS, lambda: run_sweep(worker))
    add_job(
        "transactional-emails", EVERY_FIVE_SECONDS,
        lambda: send_queued_emails(worker.site, worker.client),
    )  # fmt: skip
    add_job("cleanup", EVERY_HOUR, lambda: clean_up(worker.site))
    add_job("suppressions", EVERY_HOUR_LATER, SuppressionSync(worker).run)
    add_job("unreadable-events", EVERY_HOUR_LATER, lambda: retry_unreadable_events(worker))
    if worker.site.config.notify.is_set:
        add_job("overdue-sends", EVERY_MINUTE, lambda: notify_overdue_sends(worker.site))

    @app.periodic(cron=EVERY_MINUTE)
    @app.task(name="newsletter.stalled-jobs", queue=PERIODIC_QUEUE, queueing_lock="stalled-jobs")
    async def give_up_stalled_jobs(timestamp: int) -> None:  # noqa: ARG001 - procrastinate's
        manager = app.job_manager
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS):
            await manager.finish_job(job, Status.FAILED, delete_job=True)

    return app


def run_sweep(worker: WorkerContext) -> None:
    """Take over from dead senders, wake the workers, and log who became unknown."""
    result = sweep(worker.ledger)
    if result.unknown_recipients:
        _log.warning(
            "a sender or worker has stopped unexpectedly: %d readers are unknown; "
            "see newsletter status",
            result.unknown_recipients,
        )
