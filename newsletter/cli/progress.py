"""Progress bar on standard error."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO, cast

import click


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
    """Show a progress bar on standard error if that is a terminal.

    Args:
        total: the number of steps.
        label: what is being done: ``"Sending"``.

    Yields:
        A function to call with the number of steps just completed.
    """
    if not sys.stderr.isatty():
        yield lambda steps: None  # noqa: ARG005
        return
    with click.progressbar(
        length=total, label=label, file=cast("TextIO", BestEffortStderr())
    ) as bar:
        yield bar.update
