"""Asks many addresses at once in a bounded time; remembers good answers for an hour."""

import json
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from newsletter.fetch.safe_fetch import FetchResult, SafeFetcher

TOTAL_SECONDS = 60.0
CACHE_SECONDS = 3_600.0  # seconds
_THREADS = 12
_CACHED_KINDS = frozenset({"fine", "moved", "not asked"})
_TIMED_OUT = FetchResult("failing", "there is no answer in time")


def check_urls(
    urls: Sequence[str],
    fetcher: SafeFetcher,
    *,
    seconds: float = TOTAL_SECONDS,
    on_progress: Callable[[int], None] = lambda _: None,
) -> dict[str, FetchResult]:
    """Visit every address.

    Args:
        urls: absolute, each once.
        fetcher: who asks.
        seconds: how long all of them may take together; what hasn't answered then is late.
        on_progress: called with the number of answers that have just come.

    Returns:
        Address -> answer, in the order of ``urls``.
    """
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[str, FetchResult]] = queue.SimpleQueue()
    for url in urls:
        waiting.put(url)
    for _ in range(min(_THREADS, len(urls))):
        # A daemon, so that a server which never comes to an end doesn't hold the program up.
        threading.Thread(target=_run_worker, args=(fetcher, waiting, done), daemon=True).start()
    until, found = time.monotonic() + seconds, dict.fromkeys(urls, _TIMED_OUT)
    for _ in urls:
        try:
            url, answer = done.get(timeout=max(until - time.monotonic(), 0.0))
        except queue.Empty:
            break
        found[url] = answer
        on_progress(1)
    while not waiting.empty():  # what nobody waits for any more is not asked
        try:
            waiting.get_nowait()
        except queue.Empty:
            break
    return found


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
    """Good answers of the last hour, in a file; bad ones are asked anew, for they get mended.

    Args:
        file: where; it need not be there, and what can't be read counts as nothing.
        now: seconds since the epoch.
    """

    def __init__(self, file: Path, now: Callable[[], float] = time.time) -> None:
        self._file = file
        self._now = now

    def get_fresh(self, urls: Sequence[str]) -> dict[str, FetchResult]:
        """The answers that are still good."""
        known = self._load()
        return {url: known[url][1] for url in urls if url in known}

    def store(self, results: Mapping[str, FetchResult]) -> None:
        """Remember the good ones of these."""
        at = self._now()
        fresh = {
            url: (at, answer) for url, answer in results.items() if answer.kind in _CACHED_KINDS
        }
        entries = {
            url: {"at": when, **asdict(one)}
            for url, (when, one) in {**self._load(), **fresh}.items()
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        aside = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        aside.write_text(json.dumps(entries, ensure_ascii=False, indent=1), encoding="utf-8")
        aside.replace(self._file)

    def _load(self) -> dict[str, tuple[float, FetchResult]]:
        try:
            data = json.loads(self._file.read_text(encoding="utf-8"))
            known = {
                url: (float(one.pop("at")), FetchResult(**one)) for url, one in dict(data).items()
            }
        except (OSError, ValueError, TypeError, AttributeError, KeyError):
            return {}
        since = self._now() - CACHE_SECONDS
        return {url: one for url, one in known.items() if one[0] > since}
