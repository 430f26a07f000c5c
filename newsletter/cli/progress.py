"""Progress bar on standard error."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


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
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
        yield bar.update
