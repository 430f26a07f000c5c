"""Print lines, errors and aligned fields, ask for confirmation."""

import codecs
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, TextIO
from unicodedata import bidirectional, category

import click

from newsletter.errors import NewsletterError, NothingToDoError, Problem, SendRefusedError

WIDTH = 80
MAX_PROBLEMS = 50

# Persian, Hindi and many emoji need these two (ZWNJ, ZWJ); they don't move the cursor.
JOINERS = "\u200c\u200d"
# A complete first-strong isolate (UAX 9): its text can't reorder the text around it.
BIDI_ISOLATE = re.compile("\u2068([^\u2066-\u2069\n]*)\u2069")


class StatusLabels(NamedTuple):
    """What a subscriber's status is called where it is a reason.

    Attributes:
        in_list: among other reasons, after a number of readers.
        in_sentence: with what it means.
    """

    in_list: str
    in_sentence: str


STATUS_LABELS: Mapping[str, StatusLabels] = {
    "pending": StatusLabels("pending confirmation", "pending: they have not confirmed yet"),
    "active": StatusLabels("active", "active"),
    "unsubscribed": StatusLabels("unsubscribed", "unsubscribed"),
    "bounced": StatusLabels("bounced", "bounced: mail to them could not be delivered"),
    "complained": StatusLabels("complained", "complained: they reported an issue as spam"),
}


def echo(text: str = "", *, color: str | None = None) -> None:
    """Print a line to standard output.

    Args:
        text: the line; control characters in it are escaped.
        color: green (done), yellow (warning) or red (error); color shows state only, and only on a
            terminal.
    """
    _print_to(text, color, sys.stdout)


def echo_err(text: str, *, color: str | None = None) -> None:
    """Print a line to standard error: progress and remarks, so that stdout holds results only.

    A line that can't be written (the terminal was closed, the program behind a pipe has ended) is
    lost: no remark may keep a send from recording what SendGrid has answered.
    """
    with suppress(OSError):
        _print_to(text, color, sys.stderr)


def make_output_private() -> None:
    """Let only the user read a new file that the shell has opened for this command's output.

    For commands that print readers' data: ``newsletter who ISSUE > who.txt``.
    """
    from newsletter.private_files import tighten_new_file

    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # no file, as in a test, or closed
            tighten_new_file(stream.fileno())


def print_json(
    data: object, *, default: Callable[[Any], Any] | None = None, indent: int | None = None
) -> None:
    """Print a JSON value on one line of standard output; ``json.loads`` returns it unchanged.

    What would control a terminal is escaped as JSON does it (``echo`` would do it as Python does,
    which is not JSON), and everything but ASCII unless the output is UTF-8 (RFC 8259, section 8.1).

    Args:
        data: the value.
        default: converts a value that JSON has no type for.
        indent: spaces by level, to print the value on several lines.

    Raises:
        ValueError: a number is infinite or not a number, which JSON can't represent.
    """
    import json

    is_utf8 = codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"
    text = json.dumps(
        data, ensure_ascii=not is_utf8, allow_nan=False, default=default, indent=indent
    )
    # Given no file, click may choose another encoding.
    click.echo(_escape_json(text), file=sys.stdout)


def print_error(error: NewsletterError, color: str | None = None) -> None:
    """Print every problem of an error to standard error, as ``newsletter: file:line: message``.

    On a terminal, long lines are wrapped at its width; elsewhere a problem is one line.
    """
    from newsletter.cli.wrap_message import get_stream_width  # late: newsletter --help has no error

    color = color or ("yellow" if isinstance(error, NothingToDoError) else "red")
    width = get_stream_width(sys.stderr)
    for problem in error.problems[:MAX_PROBLEMS]:
        echo_err(wrap_problem(problem, width, first_indent="newsletter: "), color=color)
    more = len(error.problems) - MAX_PROBLEMS
    if more > 0:
        echo_err(f"newsletter: and {more:,} more like these", color=color)


def wrap_problem(
    problem: Problem, width: int | None, *, first_indent: str, indent: str = "  "
) -> str:
    """Return a problem as text, wrapped if ``width`` is given; its file's path stays whole."""
    from newsletter.cli.wrap_message import wrap_message

    kept = [escape_controls(str(problem.where))] if problem.where else []
    text = escape_controls(str(problem))
    return wrap_message(text, width, first_indent=first_indent, indent=indent, kept=kept)


def print_problem(label: str, problem: Problem) -> None:
    """Print a problem that stops nothing else to standard error, wrapped on a terminal.

    Args:
        label: what it stands for: ``"Not imported: Low tide: "``.
        problem: the problem.
    """
    from newsletter.cli.wrap_message import get_stream_width, wrap_message

    kept = [escape_controls(str(problem.where))] if problem.where else []
    text = escape_controls(f"{label}{problem}")
    echo_err(wrap_message(text, get_stream_width(sys.stderr), kept=kept))


def format_fields(rows: Iterable[tuple[str, str]]) -> str:
    """Format labels and values in two aligned columns of at most 80 characters.

    Args:
        rows: label and value; a long value is wrapped within its column, and line breaks in it are
            kept.
    """
    rows = list(rows)
    column = max((len(label) for label, _ in rows), default=0) + 2
    return "\n".join(_format_field(label, value, column) for label, value in rows)


def confirm_count(count: int, verb: str) -> None:
    """Ask the user to type ``count``, so that nothing is sent by accident.

    Args:
        count: the number of readers.
        verb: what is confirmed: ``"send"``, ``"schedule"``.

    Raises:
        SendRefusedError: another number was typed, or standard input is not a terminal.
        click.Abort: Ctrl-C.
    """
    typed = prompt_for_answer(f"Type {count} to {verb}, or Ctrl-C")
    if typed is None:
        raise SendRefusedError(
            "cannot ask for the count: no terminal", remedy="In a script, use --yes."
        )
    if typed.replace(",", "").replace(" ", "") != str(count):
        raise SendRefusedError(
            f"'{typed}' is not {count}; nothing was done",
            remedy="Run the command again when you are sure.",
        )


def prompt_for_answer(prompt: str) -> str | None:
    """Prompt for a line of input; return ``None`` at end of input without a terminal.

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
    """Escape control characters in ``text``: file content must not control the terminal.

    Bidirectional controls (Unicode UAX 9) are escaped too, because they could make a line read
    differently from what it contains; complete isolates are kept.
    """
    parts = BIDI_ISOLATE.split(text)
    return "".join(
        f"\u2068{_escape(part)}\u2069" if index % 2 else _escape(part)
        for index, part in enumerate(parts)
    )


def isolate_bidi(text: str) -> str:
    """Isolate text from a file so that right-to-left words don't reorder the rest of the line."""
    if all(bidirectional(char) not in {"R", "AL", "AN"} for char in text):
        return text
    unbroken = text.replace(" ", "\u00a0")  # an isolate must not be wrapped: it ends with its line
    return f"\u2068{_escape(unbroken)}\u2069"


def _escape(text: str) -> str:
    return "".join(
        char if _is_harmless(char) else char.encode("unicode_escape").decode() for char in text
    )


def _is_harmless(char: str) -> bool:
    """Whether a terminal shows the character, and does nothing else."""
    return char.isprintable() or char in "\n\t" or char in JOINERS or category(char) == "Zs"


def _escape_json(text: str) -> str:
    """Escape the characters of a JSON text that would control a terminal.

    They are in its strings only: of the white space around values, it has line feeds and spaces.
    """
    import json

    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _is_harmless(char) else json.dumps(char)[1:-1] for char in text)


def _print_to(text: str, color: str | None, stream: TextIO) -> None:
    text = escape_controls(text)
    if color and _uses_color(stream):
        text = click.style(text, fg=color)
    click.echo(text, file=stream)


def _uses_color(stream: TextIO) -> bool:
    """Whether to use color: on a terminal only, never with ``NO_COLOR`` (no-color.org)."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not plain


def _format_field(label: str, value: str, column: int) -> str:
    lines = [
        part
        for line in value.split("\n")
        for part in textwrap.wrap(
            line,
            WIDTH - 2 - column,
            break_long_words=False,  # a path or URL must stay in one piece to be copied
            break_on_hyphens=False,
        )
        or [""]
    ]
    first, *rest = lines
    indent = " " * (2 + column)
    return "\n".join([f"  {label:<{column}}{first}".rstrip(), *(indent + line for line in rest)])


def format_status_counts(counts: Mapping[str, int]) -> str:
    """Format counts by status, without zeros: ``40 active, 2 bounced``."""
    return ", ".join(f"{count:,} {status}" for status, count in counts.items() if count)
