"""Asks many addresses at once in a bounded time; remembers good answers for an hour."""

import json
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from newsletter.fetch.safe_fetch import Answer, Visitor

SECONDS = 60.0
REMEMBERED = 3_600.0  # seconds
_THREADS = 12
_GOOD = frozenset({"fine", "moved", "not asked"})
_LATE = Answer("failing", "there is no answer in time")


def ask(
    urls: Sequence[str],
    visitor: Visitor,
    *,
    seconds: float = SECONDS,
    step: Callable[[int], None] = lambda _: None,
) -> dict[str, Answer]:
    """Visit every address.

    Args:
        urls: absolute, each once.
        visitor: who asks.
        seconds: how long all of them may take together; what hasn't answered then is late.
        step: called with the number of answers that have just come.

    Returns:
        Address -> answer, in the order of ``urls``.
    """
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[str, Answer]] = queue.SimpleQueue()
    for url in urls:
        waiting.put(url)
    for _ in range(min(_THREADS, len(urls))):
        # A daemon, so that a server which never comes to an end doesn't hold the program up.
        threading.Thread(target=_work, args=(visitor, waiting, done), daemon=True).start()
    until, found = time.monotonic() + seconds, dict.fromkeys(urls, _LATE)
    for _ in urls:
        try:
            url, answer = done.get(timeout=max(until - time.monotonic(), 0.0))
        except queue.Empty:
            break
        found[url] = answer
        step(1)
    while not waiting.empty():  # what nobody waits for any more is not asked
        try:
            waiting.get_nowait()
        except queue.Empty:
            break
    return found


def _work(
    visitor: Visitor,
    waiting: "queue.SimpleQueue[str]",
    done: "queue.SimpleQueue[tuple[str, Answer]]",
) -> None:
    while True:
        try:
            url = waiting.get_nowait()
        except queue.Empty:
            return
        done.put((url, visitor.visit(url)))


class Memory:
    """Good answers of the last hour, in a file; bad ones are asked anew, for they get mended.

    Args:
        file: where; it need not be there, and what can't be read counts as nothing.
        now: seconds since the epoch.
    """

    def __init__(self, file: Path, now: Callable[[], float] = time.time) -> None:
        self._file = file
        self._now = now

    def recall(self, urls: Sequence[str]) -> dict[str, Answer]:
        """The answers that are still good."""
        known = self._read()
        return {url: known[url][1] for url in urls if url in known}

    def keep(self, answers: Mapping[str, Answer]) -> None:
        """Remember the good ones of these."""
        at = self._now()
        fresh = {url: (at, answer) for url, answer in answers.items() if answer.kind in _GOOD}
        entries = {
            url: {"at": when, **asdict(one)}
            for url, (when, one) in {**self._read(), **fresh}.items()
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        aside = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        aside.write_text(json.dumps(entries, ensure_ascii=False, indent=1), encoding="utf-8")
        aside.replace(self._file)

    def _read(self) -> dict[str, tuple[float, Answer]]:
        try:
            data = json.loads(self._file.read_text(encoding="utf-8"))
            known = {url: (float(one.pop("at")), Answer(**one)) for url, one in dict(data).items()}
        except (OSError, ValueError, TypeError, AttributeError, KeyError):
            return {}
        since = self._now() - REMEMBERED
        return {url: one for url, one in known.items() if one[0] > since}
