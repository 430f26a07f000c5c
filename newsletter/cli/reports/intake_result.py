"""Print what events have changed: readers, sends."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from newsletter.cli.output import echo, echo_err
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.sending.feedback.event_intake import IntakeResult


def intakes_to_dict(intakes: "list[IntakeResult]", resolved: Counter[str]) -> dict[str, Any]:
    """Return what the events have changed as a dict for JSON."""
    return {
        "new": sum(intake.new_count for intake in intakes),
        "known": sum(intake.known_count for intake in intakes),
        "changed": [report._asdict() for intake in intakes for report in intake.applied_reports],
        "settled": dict(resolved),
        "paused": [issue for intake in intakes for issue in intake.paused_issues],
    }


def print_intakes(intakes: "list[IntakeResult]", resolved: Counter[str]) -> None:
    """Print what the events have changed."""
    new, known = (
        sum(intake.new_count for intake in intakes),
        sum(intake.known_count for intake in intakes),
    )
    echo(f"{format_count(new, 'new event')} recorded, {known:,} known before.")
    reports = [report for intake in intakes for report in intake.applied_reports]
    for status, count in Counter(report.after for report in reports if report.listed).items():
        echo(f"{format_count(count, 'reader')} now {status}.")
    if unlisted_count := sum(not report.listed for report in reports):
        echo(f"{unlisted_count:,} not in the list, and kept out of it from now on.")
    for issue, readers in resolved.items():
        echo(f"{issue}: {format_count(readers, 'reader')} resolved as accepted.", color="green")
    for issue in (issue for intake in intakes for issue in intake.paused_issues):
        echo_err(f"{issue} was paused. See why: newsletter status {issue[11:]}", color="red")
