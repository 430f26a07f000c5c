"""Progress on standard error, if that is a terminal."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TextIO, cast

import click

# From then on, people wonder whether anything happens.
SLOW_SECONDS = 2.0
_is_shown: ContextVar[bool] = ContextVar("progress_bar_is_shown", default=False)


class BestEffortStderr:
    """Standard error for what may get lost: writing to a terminal that is gone does nothing."""

    def write(self, text: str) -> int:
        """Write ``text`` if that is possible."""
        with suppress(OSError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush if that is possible."""
        with suppress(OSError):
            sys.stderr.flush()

    def isatty(self) -> bool:
        """Whether standard error is a terminal that still exists."""
        return sys.stderr.isatty()


@contextmanager
def progress_bar(total: int, label: str) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on standard error if that is a terminal, and shows no other one.

    Args:
        total: the number of steps.
        label: what is being done: ``"Sending"``.

    Yields:
        A function to call with the number of steps just completed.
    """
    if _is_shown.get() or not sys.stderr.isatty():
        yield lambda steps: None  # noqa: ARG005
        return
    token = _is_shown.set(True)
    try:
        with click.progressbar(
            length=total, label=label, file=cast("TextIO", BestEffortStderr())
        ) as bar:
            yield bar.update
    finally:
        _is_shown.reset(token)


@contextmanager
def notice_if_slow(text: str) -> Iterator[None]:
    """Print a line on standard error if a ``with`` block, one long query, takes long.

    Args:
        text: what is being done: ``"Counting the readers ..."``.
    """
    if not sys.stderr.isatty():
        yield
        return
    timer = threading.Timer(
        SLOW_SECONDS, click.echo, [text], {"file": cast("TextIO", BestEffortStderr())}
    )
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
