"""Print what was left out of a post on purpose, one line for each reason."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from newsletter.cli.output import isolate_bidi
from newsletter.posts.removed_line import RemovedLine
from newsletter.wording import format_count, pluralize

_MAX_LINES = 8  # line numbers shown of one kind of removed line
_MAX_QUOTE_LENGTH = 40  # characters shown of a removed line


def summarize_removed(entries: Iterable[RemovedLine]) -> Iterator[tuple[str, str]]:
    """Yield a row for each reason: the first removed line, and how many more there are."""
    by_reason: dict[str, list[RemovedLine]] = defaultdict(list)
    for entry in entries:
        by_reason[entry.why].append(entry)
    for reason, (first, *more) in by_reason.items():
        lines = list(dict.fromkeys(str(entry.line) for entry in (first, *more) if entry.line))
        rest = ", \u2026" if len(lines) > _MAX_LINES else ""
        more_lines = f" and {format_count(len(more), 'more line')}" if more else ""
        noun = pluralize(len(lines), "line")
        label = "converted" if ", now " in reason else "removed"
        where = f", {noun} {', '.join(lines[:_MAX_LINES])}{rest}" if lines else ""
        yield label, f"{quote_removed(first.text)}{more_lines} ({reason}{where})"


def quote_removed(text: str) -> str:
    """Return the beginning of a removed text in quotation marks."""
    if len(text) > _MAX_QUOTE_LENGTH:
        text = f"{text[: _MAX_QUOTE_LENGTH - 1].rstrip()}\u2026"
    return isolate_bidi(f"'{text}'")
