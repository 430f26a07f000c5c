"""Check many URLs in parallel within a deadline; cache good results."""

import json
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from newsletter.fetch.safe_fetch import FetchResult, SafeFetcher
from newsletter.public_files import write_public_file

TOTAL_SECONDS = 60.0
CACHE_SECONDS = 3_600.0
_THREADS = 12
_CACHED_KINDS = frozenset({"fine", "moved", "not asked"})
_TIMED_OUT = FetchResult("failing", "no response in time")


def check_urls(
    urls: Sequence[str],
    fetcher: SafeFetcher,
    *,
    seconds: float = TOTAL_SECONDS,
    on_progress: Callable[[int], None] = lambda _: None,
) -> dict[str, FetchResult]:
    """Fetch all URLs in parallel, until the deadline.

    Args:
        urls: absolute URLs, without duplicates.
        fetcher: sends the requests.
        seconds: the deadline for all of them together; a URL without a result by then has timed
            out.
        on_progress: called with the number of results that have just arrived.

    Returns:
        URL -> result, in the order of ``urls``.
    """
    pending: queue.SimpleQueue[str] = queue.SimpleQueue()
    completed: queue.SimpleQueue[tuple[str, FetchResult]] = queue.SimpleQueue()
    for url in urls:
        pending.put(url)
    for _ in range(min(_THREADS, len(urls))):
        # Daemon threads: a server that never stops sending can't prevent the program's exit.
        threading.Thread(
            target=_run_worker, args=(fetcher, pending, completed), daemon=True
        ).start()
    deadline, results = time.monotonic() + seconds, dict.fromkeys(urls, _TIMED_OUT)
    for _ in urls:
        try:
            url, result = completed.get(timeout=max(deadline - time.monotonic(), 0.0))
        except queue.Empty:
            break
        results[url] = result
        on_progress(1)
    while not pending.empty():  # after the deadline, don't request the rest
        try:
            pending.get_nowait()
        except queue.Empty:
            break
    return results


def _run_worker(
    fetcher: SafeFetcher,
    pending: "queue.SimpleQueue[str]",
    results: "queue.SimpleQueue[tuple[str, FetchResult]]",
) -> None:
    while True:
        try:
            url = pending.get_nowait()
        except queue.Empty:
            return
        results.put((url, fetcher.fetch(url)))


class ResultCache:
    """File cache of the good results of the last hour.

    Bad results are not cached, since the editor or the site may have corrected them by then.

    Args:
        file: the cache file; a missing or unreadable file counts as empty.
        now: returns the time in seconds since the epoch.
    """

    def __init__(self, file: Path, now: Callable[[], float] = time.time) -> None:
        self._file = file
        self._now = now

    def get_fresh(self, urls: Sequence[str]) -> dict[str, FetchResult]:
        """Return the results that have not expired."""
        cached = self._load()
        return {url: cached[url][1] for url in urls if url in cached}

    def store(self, results: Mapping[str, FetchResult]) -> None:
        """Store the good ones of these results."""
        now = self._now()
        fresh = {
            url: (now, result) for url, result in results.items() if result.kind in _CACHED_KINDS
        }
        entries = {
            url: {"at": stored_at, **asdict(result)}
            for url, (stored_at, result) in {**self._load(), **fresh}.items()
        }
        data = json.dumps(entries, ensure_ascii=False, indent=1).encode()
        write_public_file(self._file, data, make_folders=True)

    def _load(self) -> dict[str, tuple[float, FetchResult]]:
        try:
            data = json.loads(self._file.read_text(encoding="utf-8"))
            cached = {
                url: (float(entry.pop("at")), FetchResult(**entry))
                for url, entry in dict(data).items()
            }
        except (OSError, ValueError, TypeError, AttributeError, KeyError):
            return {}
        oldest = self._now() - CACHE_SECONDS
        return {url: entry for url, entry in cached.items() if entry[0] > oldest}
