"""How the command line speaks: colour for state only, columns that fit 80."""

import os
import sys

import click

from newsletter.errors import NewsletterError


def coloured(stream_is_terminal: bool) -> bool:  # noqa: FBT001
    """Whether to colour: on a terminal only, and never with ``NO_COLOR`` (no-color.org)."""
    return (
        stream_is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )


def say(text: str = "", *, colour: str | None = None) -> None:
    """Print a line to standard output; ``colour`` is green (done), yellow (look) or red (stop)."""
    if colour and coloured(sys.stdout.isatty()):
        text = click.style(text, fg=colour)
    click.echo(printable(text) if not colour else text)


def note(text: str, *, colour: str | None = None) -> None:
    """Print a line to standard error: progress and remarks, so that output stays clean."""
    if colour and coloured(sys.stderr.isatty()):
        text = click.style(text, fg=colour)
    click.echo(text, err=True)


def complain(error: NewsletterError) -> None:
    """Print every problem of an error to standard error."""
    for problem in error.problems:
        note(f"newsletter: {printable(str(problem))}", colour="red")


def printable(text: str) -> str:
    """``text`` with control characters escaped: file content must not drive the terminal."""
    return "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode()
        for char in text
    )
