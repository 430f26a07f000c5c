"""Periodic jobs: sync suppressions, retry unreadable events."""

import logging
import random

from newsletter.errors import MissingPermissionError, ProviderError
from newsletter.sending.feedback.suppression_sync import sync_suppressions
from newsletter.sending.feedback.unreadable_retry import retry_unreadable
from newsletter.sending.notifications.notification import clean_line
from newsletter.sending.providers.registry import get_provider
from newsletter.sending.providers.suppressions import RetryTiming
from newsletter.sending.retry_policy import backoff_seconds
from newsletter.worker.worker_context import WorkerContext

_log = logging.getLogger(__name__)


class _WorkerStoppedError(Exception):
    """The worker is to stop; the next sync fetches what is left."""


class SuppressionSync:
    """Job that syncs the provider's suppression lists; a failure that lasts is logged once.

    Args:
        worker: the worker.
    """

    def __init__(self, worker: WorkerContext) -> None:
        self._worker = worker
        # Since the last success: an outage may alternate between a few of them.
        self._logged = set[str]()

    def run(self) -> None:
        """Sync all lists; a key that may not read them is no failure."""
        try:
            self._sync()
        except _WorkerStoppedError:
            return
        except ProviderError as error:
            failure = clean_line(str(error))
            if failure not in self._logged:
                is_missing = isinstance(error, MissingPermissionError)
                _log.log(logging.INFO if is_missing else logging.WARNING, "%s", failure)
            self._logged.add(failure)
        else:
            self._logged.clear()

    def _sync(self) -> None:
        site = self._worker.site
        timing = RetryTiming(
            self._wait,
            now=site.clock,
            backoff=lambda tries: backoff_seconds(tries, random.random()),  # noqa: S311 - jitter only
        )
        lists = get_provider(site.config).open_suppressions(self._worker.client, timing)
        for result in sync_suppressions(site.engine, lists):
            changed_count = sum(report.listed for report in result.applied_reports)
            if changed_count:
                _log.info("%s: %d readers changed", result.label, changed_count)
            if self._worker.stopping.is_set():
                return

    def _wait(self, seconds: float) -> None:
        if self._worker.stopping.wait(seconds):
            raise _WorkerStoppedError


def retry_unreadable_events(worker: WorkerContext) -> None:
    """Apply the unreadable events that this version understands."""
    result = retry_unreadable(worker.ledger, worker.site.config)
    if result.understood:
        _log.info("%d unreadable events are understood now", result.understood)
