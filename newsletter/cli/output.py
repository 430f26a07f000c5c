"""How the command line speaks: colour for state only, columns that fit 80."""

import os
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping
from typing import TextIO
from unicodedata import bidirectional, category

import click

from newsletter.errors import NewsletterError, SendRefusedError

WIDTH = 80
MAX_PROBLEMS = 50

# Words in Persian, Hindi and many emoji are joined by these two; they move nothing on a terminal.
JOINERS = "\u200c\u200d"
# A first-strong isolate, whole (UAX 9): it keeps a text apart and turns nothing else around.
BIDI_ISOLATE = re.compile("\u2068([^\u2066-\u2069\n]*)\u2069")


def echo(text: str = "", *, color: str | None = None) -> None:
    """Print a line to standard output; ``colour`` is green (done), yellow (look) or red (stop)."""
    _print_to(text, color, sys.stdout)


def echo_err(text: str, *, color: str | None = None) -> None:
    """Print a line to standard error: progress and remarks, so that output stays clean."""
    _print_to(text, color, sys.stderr)


def print_error(error: NewsletterError) -> None:
    """Print every problem of an error to standard error, as ``newsletter: file:line: what``."""
    for problem in error.problems[:MAX_PROBLEMS]:
        echo_err(f"newsletter: {problem}", color="red")
    more = len(error.problems) - MAX_PROBLEMS
    if more > 0:
        echo_err(f"newsletter: and {more:,} more like these", color="red")


def format_fields(rows: Iterable[tuple[str, str]]) -> str:
    """Labels and their values in two aligned columns, values wrapped below themselves.

    Args:
        rows: label and value; a value's own line breaks are kept.
    """
    rows = list(rows)
    column = max((len(label) for label, _ in rows), default=0) + 2
    return "\n".join(_format_field(label, value, column) for label, value in rows)


def confirm_count(count: int, verb: str) -> None:
    """Ask for ``count`` to be typed, so that nobody sends by a slip of the finger.

    Args:
        count: the number of readers.
        verb: what typing it does: ``"send"``, ``"schedule"``.

    Raises:
        SendRefused: another number was typed, or nobody is there to type.
        click.Abort: Ctrl-C.
    """
    typed = prompt_for_answer(f"Type {count} to {verb}, or Ctrl-C")
    if typed is None:
        raise SendRefusedError("nobody is here to type the count", remedy="In a script, say --yes.")
    if typed.replace(",", "").replace(" ", "") != str(count):
        raise SendRefusedError(
            f"'{typed}' is not {count}; nothing was done", remedy="Run it again when you are sure."
        )


def prompt_for_answer(prompt: str) -> str | None:
    """Ask for something to be typed; ``None`` if nobody is there to type.

    Raises:
        click.Abort: Ctrl-C.
    """
    try:
        typed: str = click.prompt(prompt, default="", show_default=False, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        return None
    return typed


def escape_controls(text: str) -> str:
    """``text`` with control characters escaped: file content must not drive the terminal.

    Bidirectional controls (Unicode UAX 9) are escaped too, whole isolates excepted: they could
    make a line read differently from what it is.
    """
    parts = BIDI_ISOLATE.split(text)
    return "".join(
        f"\u2068{_escape(part)}\u2069" if at % 2 else _escape(part) for at, part in enumerate(parts)
    )


def isolate_bidi(text: str) -> str:
    """A file's words on one line, such that right-to-left ones don't reorder what is around."""
    if all(bidirectional(char) not in {"R", "AL", "AN"} for char in text):
        return text
    unbroken = text.replace(" ", "\u00a0")  # an isolate that is wrapped is none
    return f"\u2068{_escape(unbroken)}\u2069"


def _escape(text: str) -> str:
    return "".join(
        char
        if char.isprintable() or char in "\n\t" or char in JOINERS or category(char) == "Zs"
        else char.encode("unicode_escape").decode()
        for char in text
    )


def _print_to(text: str, color: str | None, stream: TextIO) -> None:
    text = escape_controls(text)
    if color and _uses_color(stream):
        text = click.style(text, fg=color)
    click.echo(text, file=stream)


def _uses_color(stream: TextIO) -> bool:
    """On a terminal only, and never with ``NO_COLOR`` (no-color.org)."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not plain


def _format_field(label: str, value: str, column: int) -> str:
    lines = [
        part
        for line in value.split("\n")
        for part in textwrap.wrap(
            line,
            WIDTH - 2 - column,
            break_long_words=False,  # a path or URL must stay whole to be copied
            break_on_hyphens=False,
        )
        or [""]
    ]
    first, *rest = lines
    indent = " " * (2 + column)
    return "\n".join([f"  {label:<{column}}{first}".rstrip(), *(indent + line for line in rest)])


def format_status_counts(counts: Mapping[str, int]) -> str:
    """``40 active, 2 bounced``: those that there are."""
    return ", ".join(f"{count:,} {status}" for status, count in counts.items() if count)


def format_count(count: int, noun: str) -> str:
    """``1 row``, ``2,000 rows``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
