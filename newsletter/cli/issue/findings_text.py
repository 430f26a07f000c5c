"""Print findings for people: each rule once, with its first places."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import PurePath
from unicodedata import bidirectional

from newsletter.checks.finding import SEVERITIES, Finding
from newsletter.checks.output import count_by_severity
from newsletter.cli.output import BIDI_ISOLATE, echo, escape_controls
from newsletter.render.text.wrap import get_display_width, wrap_text
from newsletter.wording import pluralize

_COLORS = {"error": "red", "warning": "yellow", "hint": None}
_WIDTH = 80
_MIN_MESSAGE_WIDTH = 24  # columns left for the message, however long the rule's id
_MAX_PLACES = 3  # lines named of a rule that found more


def print_findings(findings: Sequence[Finding], source: str, *, every: bool = False) -> None:
    """Print findings by file, most severe first; those in ``source`` before other files.

    Args:
        findings: in any order.
        source: path of the issue's post.
        every: whether each finding is printed, not each rule once.
    """
    rule_width = max((len(finding.rule) for finding in findings), default=0)
    for file in dict.fromkeys([source, *(_get_path(finding, source) for finding in findings)]):
        in_file = [finding for finding in findings if _get_path(finding, source) == file]
        if in_file:
            echo(file)
        for group in _group(in_file, every=every):
            _print_group(group, PurePath(file).name, rule_width)


def print_summary(findings: Sequence[Finding], seconds: float, *, every: bool = False) -> None:
    """Print the number of findings of each severity; those that occur come first."""
    if not findings:
        echo(f"No problems found in {seconds:.1f} s.", color="green")
        return
    counts = count_by_severity(findings)
    order = sorted(counts, key=lambda severity: not counts[severity])
    summary = ", ".join(
        f"{counts[severity]} {pluralize(counts[severity], severity)}" for severity in order
    )
    color = "red" if counts["error"] else "yellow" if counts["warning"] else "green"
    is_shortened = not every and len(_group(findings)) < len(findings)
    more = "; list them all with -v" if is_shortened else ""
    echo(f"{summary} in {seconds:.1f} s{more}", color=color)


def _group(findings: Sequence[Finding], *, every: bool = False) -> list[list[Finding]]:
    """Return the findings of each rule, the rules by severity and by their first lines."""
    in_order = sorted(findings, key=_get_line)
    if every:
        groups = [[finding] for finding in in_order]
    else:
        first_lines = {finding.rule: _get_line(finding) for finding in reversed(in_order)}
        by_rule = sorted(in_order, key=lambda finding: (first_lines[finding.rule], finding.rule))
        groups = [list(group) for _, group in groupby(by_rule, key=lambda finding: finding.rule)]
    return sorted(groups, key=lambda group: SEVERITIES.index(group[0].severity))


def _print_group(group: Sequence[Finding], file_name: str, rule_width: int) -> None:
    first = group[0]
    head = f"{_get_line(first) or '':>4}  {first.severity:<7}  {first.rule:<{rule_width}}  "
    width = max(_WIDTH - len(head), _MIN_MESSAGE_WIDTH)
    lines = list(_iter_lines(group, file_name, width))
    echo(head + lines[0], color=_COLORS[first.severity])
    for line in lines[1:]:
        echo(" " * len(head) + line)


def _iter_lines(group: Sequence[Finding], file_name: str, width: int) -> Iterator[str]:
    first = group[0]
    if len(group) == 1:
        yield from _wrap(first.message, width)
    else:
        yield from _wrap(f"{len(group)} places{_format_places(group, file_name)}", width)
        yield from _wrap(f"such as: {first.message}", width)
    if first.severity != "hint":
        yield from _wrap(first.remedy, width)


def _format_places(group: Sequence[Finding], file_name: str) -> str:
    """Return ``": post.md:12, :18, :40 and 11 more"``; empty if no line is known."""
    lines = [line for line in dict.fromkeys(map(_get_line, group)) if line]
    if not lines:
        return ""
    shown = lines[:_MAX_PLACES]
    others = sum(_get_line(finding) not in shown for finding in group)
    more = f" and {others} more" if others else ""
    return f": {file_name}:{', :'.join(map(str, shown))}{more}"


def _wrap(text: str, width: int) -> list[str]:
    """Return lines of at most ``width`` columns; a URL or a path stays in one piece."""
    shown = " ".join(escape_controls(text).split())  # escapes are longer than what they stand for
    lines = wrap_text(shown, width) if shown else []
    return [_isolate_line(piece) for line in lines for piece in _cut(line, width)]


def _cut(line: str, width: int) -> Iterator[str]:
    """Yield the parts of a line that has no place to break, as in Thai."""
    if "/" in line or get_display_width(line) <= width:
        yield line
        return
    piece = ""
    for char in line:
        if piece and get_display_width(piece + char) > width:
            yield piece
            piece = ""
        piece += char
    yield piece


def _isolate_line(line: str) -> str:
    """Isolate the right-to-left part of a line, so that it doesn't reorder what is around it."""
    places = [index for index, char in enumerate(line) if bidirectional(char) in {"R", "AL", "AN"}]
    if not places or BIDI_ISOLATE.search(line):
        return line
    start, end = places[0], places[-1] + 1
    return f"{line[:start]}\u2068{line[start:end]}\u2069{line[end:]}"


def _get_path(finding: Finding, source: str) -> str:
    return finding.where.path if finding.where else source


def _get_line(finding: Finding) -> int:
    return (finding.where.line or 0) if finding.where else 0
