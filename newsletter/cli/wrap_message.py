"""Wrap messages for a terminal; what is to be copied stays whole."""

import os
import re
from collections.abc import Collection, Iterator
from typing import TextIO

_HELD_SPACE = "\0"
_KEPT = re.compile(
    r"`[^`\n]*`"
    # After a colon: a command for the shell, to the end of its sentence.
    r"|(?<=: )(?:newsletter|export)\ [^\n]*?(?=[.;]\ |\.?$|\ \()"
    # One that ends the message, whatever its arguments contain.
    r"|(?<=: )(?:pg_dump|pg_restore)\ [^\n]*$"
    # A path in quotes.
    r"|(?<!\w)'[^'\n/\\.]*[/\\.][^'\n]*'",
    re.MULTILINE,
)
_CARETS = re.compile(r"\s*\^+\s*")


def get_stream_width(stream: TextIO) -> int | None:
    """Return the columns of a terminal (``COLUMNS``, if set); ``None`` for a pipe or a file."""
    if not stream.isatty():
        return None
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):  # not a real terminal
        return None


def wrap_message(
    text: str,
    width: int | None,
    *,
    first_indent: str = "",
    indent: str = "  ",
    kept: Collection[str] = (),
) -> str:
    """Break the lines of a message at spaces, so that each has at most ``width`` columns.

    Never broken is what is to be copied: a path, a URL, a command in backticks or after a colon,
    ``export X=…``. A quoted line of a source, indented or with carets below it, stays as it is.

    Args:
        text: the message.
        width: the columns; ``None`` to break no line.
        first_indent: stands before the first line.
        indent: stands before every line that continues another.
        kept: other texts that are not broken, such as a file's path.
    """
    if width is None:
        return first_indent + text
    for part in filter(None, kept):
        text = text.replace(part, part.replace(" ", _HELD_SPACE))
    text = _KEPT.sub(lambda found: found[0].replace(" ", _HELD_SPACE), text)
    lines = text.split("\n")
    wrapped: list[str] = []
    for number, line in enumerate(lines):
        is_quoted = any(map(_CARETS.fullmatch, lines[number : number + 2]))
        if is_quoted or (number and line.startswith(" ")):
            wrapped.append(line)
        else:
            wrapped += _wrap_words(line, width, "" if number else first_indent, indent)
    return "\n".join(wrapped).replace(_HELD_SPACE, " ")


def _wrap_words(line: str, width: int, start: str, indent: str) -> Iterator[str]:
    from newsletter.render.text.wrap import get_display_width

    current, used = start, len(start)
    is_empty = True
    for word in line.split(" "):
        size = get_display_width(word.replace(_HELD_SPACE, " "))
        if not is_empty and used + 1 + size > width:
            yield current
            current, used, is_empty = indent, len(indent), True
        gap = "" if is_empty else " "
        current, used, is_empty = f"{current}{gap}{word}", used + len(gap) + size, False
    yield current
