"""Run a worker: record it, run its jobs, stop it.

1. It is recorded, so that sends are handed to it, and renews its record in a thread. It takes over
   what those before it have left, though perhaps no worker does the periodic jobs.
2. procrastinate runs two loops: one for the lanes in the worker's own queue, one for the periodic
   jobs, so that a send of hours delays none of them.
3. A loop ends if the connection to the database is lost; it is started again until the worker is to
   stop. Lanes wait for the database by themselves, and go on.
4. On SIGTERM or Ctrl-C no batch is claimed any more. The requests in flight are completed and
   recorded; other workers go on.
5. It stops in the same way, with an error, once another version has upgraded the database, or
   ``newsletter db copy`` has retired it: only a start of another version, or with other settings,
   can help.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import sqlalchemy as sa
from procrastinate import App, PsycopgConnector

from newsletter.sending.lanes.lane_jobs import get_queue_name
from newsletter.sending.notifications.notification import clean_line
from newsletter.worker.app import PERIODIC_QUEUE, make_job_app, run_sweep
from newsletter.worker.connections import get_conninfo, translated_errors
from newsletter.worker.kept_record import recorded
from newsletter.worker.worker_context import WorkerContext
from newsletter.worker.worker_limits import (
    PERIODIC_JOBS_AT_ONCE,
    QUEUE_POOL_SIZE,
    SENDS_AT_ONCE,
)

FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 1.0, 30.0
# How long a loop that ends waits for its jobs. It doesn't matter to lanes, which are not its own.
JOB_TIMEOUT_SECONDS = 10.0
# One more than jobs: a lane can outlive its loop.
_JOB_THREADS = SENDS_AT_ONCE + PERIODIC_JOBS_AT_ONCE + 1
_log = logging.getLogger(__name__)


def run_worker(
    worker: WorkerContext, queues: Collection[str], on_start: Callable[[], object]
) -> None:
    """Run jobs until SIGTERM, SIGHUP or Ctrl-C; what is in flight then is completed and recorded.

    If it stops because it can't go on, ``worker.stopping.cause`` says why, and so does the log.

    Args:
        worker: what its jobs share.
        queues: which queues, ``sends`` and ``periodic``, it takes jobs from.
        on_start: called once it is on record, so that sends are handed to it.

    Raises:
        DatabaseError: the worker can't be recorded, or the sends that run can't be looked up.
    """
    concurrency = worker.concurrency if "sends" in queues else 0
    with recorded(worker, concurrency, does_periodic_jobs="periodic" in queues) as worker_id:
        if concurrency:
            run_sweep(worker)
        on_start()
        asyncio.run(_run_loops(worker, worker_id, queues))


async def _run_loops(worker: WorkerContext, worker_id: int, queues: Collection[str]) -> None:
    loop = asyncio.get_running_loop()
    # asyncio's own has as few threads as the machine has processors, and jobs wait for each other.
    # One more waits for the worker to stop.
    loop.set_default_executor(ThreadPoolExecutor(_JOB_THREADS + 1, thread_name_prefix="job"))
    connector = PsycopgConnector(
        conninfo=get_conninfo(worker.ledger.engine),
        min_size=1,
        max_size=QUEUE_POOL_SIZE,
        # A pooler in transaction mode mixes prepared statements up, and so few queries need none.
        kwargs={"prepare_threshold": None},
    )
    app = make_job_app(worker, connector)
    loops = []
    async with _opened(app, worker.ledger.engine):
        if "sends" in queues:
            loops.append(_run_loop(app, worker, get_queue_name(worker_id), SENDS_AT_ONCE))
        if "periodic" in queues:
            loops.append(_run_loop(app, worker, PERIODIC_QUEUE, PERIODIC_JOBS_AT_ONCE))
        tasks = [asyncio.create_task(coroutine) for coroutine in loops]
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:
                loop.add_signal_handler(number, worker.stopping.set)
        await asyncio.to_thread(worker.stopping.wait)
        _log.info("stopping; requests in flight are completed and recorded first")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await loop.shutdown_default_executor()  # the lanes


@asynccontextmanager
async def _opened(app: App, engine: sa.Engine) -> AsyncIterator[None]:
    with translated_errors(engine):
        await app.open_async()
    try:
        yield
    finally:
        await app.close_async()


async def _run_loop(app: App, worker: WorkerContext, queue: str, concurrency: int) -> None:
    """Run the jobs of a queue until the worker is to stop, whatever becomes of the connection."""
    retry_seconds = FIRST_RETRY_SECONDS
    while not worker.stopping.is_set():
        started_at = asyncio.get_running_loop().time()
        try:
            await app.run_worker_async(
                queues=[queue],
                name=queue,
                concurrency=concurrency,
                install_signal_handlers=False,
                shutdown_graceful_timeout=JOB_TIMEOUT_SECONDS,
                delete_jobs="always",
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker must not stop for it
            reason = clean_line(str(error.__cause__ or error))
            _log.warning("the jobs of the queue %s can't be fetched: %s", queue, reason)
        if asyncio.get_running_loop().time() - started_at > LAST_RETRY_SECONDS:
            retry_seconds = FIRST_RETRY_SECONDS
        if not worker.stopping.is_set():
            await asyncio.sleep(retry_seconds)
            retry_seconds = min(2 * retry_seconds, LAST_RETRY_SECONDS)
