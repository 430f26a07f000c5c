"""A progress bar on standard error, on a terminal only."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def progress_bar(total: int, label: str) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error, on a terminal only.

    Args:
        total: how many steps there are in all.
        label: what is being done: ``"Sending"``.

    Yields:
        A function to call with the number of steps just done.
    """
    if not sys.stderr.isatty():
        yield lambda steps: None  # noqa: ARG005
        return
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
        yield bar.update
