"""How much a worker does at once, and how many connections that takes."""

from collections.abc import Collection

# How many sends a worker takes part in at once, and how many periodic jobs it runs.
SENDS_AT_ONCE = 4
PERIODIC_JOBS_AT_ONCE = 3
# Connections of procrastinate's pool: the loop of each queue fetches and renews.
QUEUE_POOL_SIZE = 4
# Who else reads the database: the thread that renews the worker's record, and the loop, which asks
# for the time of the next try.
_OTHER_READERS = 2


def count_engine_connections(*, has_metrics: bool) -> int:
    """Return how many connections a worker uses of the engine's: each job one at a time.

    Args:
        has_metrics: whether it serves metrics, which one more connection reads.
    """
    return SENDS_AT_ONCE + PERIODIC_JOBS_AT_ONCE + _OTHER_READERS + has_metrics


def count_worker_connections(queues: Collection[str], *, has_metrics: bool) -> int:
    """Return how many connections a worker opens at most.

    Args:
        queues: those that it takes jobs from; on each it listens, outside of any pool.
        has_metrics: as for ``count_engine_connections``.
    """
    return count_engine_connections(has_metrics=has_metrics) + QUEUE_POOL_SIZE + len(queues)
