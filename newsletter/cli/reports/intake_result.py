"""Print what events have changed: readers, sends."""

from typing import TYPE_CHECKING, Any

from newsletter.cli.output import echo, echo_err
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.sending.feedback.event_intake import IntakeTotals


def intakes_to_dict(totals: "IntakeTotals") -> dict[str, Any]:
    """Return what the events have changed, with each changed address, as a dict for JSON."""
    return {
        "new": totals.new_count,
        "known": totals.known_count,
        "changed": [report._asdict() for report in totals.applied_reports or ()],
        "settled": dict(totals.resolved),
        "paused": totals.paused_issues,
    }


def print_intakes(totals: "IntakeTotals") -> None:
    """Print what the events have changed."""
    new = format_count(totals.new_count, "new event")
    echo(f"{new} recorded, {totals.known_count:,} known before.")
    for status, count in totals.listed_counts.items():
        echo(f"{format_count(count, 'reader')} now {status}.")
    if totals.unlisted_count:
        echo(f"{totals.unlisted_count:,} not in the list, and kept out of it from now on.")
    for issue, readers in totals.resolved.items():
        echo(f"{issue}: {format_count(readers, 'reader')} resolved as accepted.", color="green")
    for issue in totals.paused_issues:
        echo_err(f"{issue} was paused. See why: newsletter status {issue[11:]}", color="red")
