"""Print a proposed send: sender, recipient count, exclusions, problems."""

from typing import TYPE_CHECKING

from newsletter.cli.output import echo, echo_err, format_fields
from newsletter.cli.send.shared import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterable

    from newsletter.sending.planning.proposal import SendProposal

EXCLUSION_LABELS = {"pending": "pending confirmation"}


def raise_if_refused(proposal: "SendProposal", *, strict: bool = False) -> None:
    """Raise if the proposal has problems, after printing how it differs from the plan.

    Args:
        proposal: the proposed send.
        strict: whether an earlier send of which a single recipient was rejected has failed.

    Raises:
        NothingToDoError: the issue was sent, and has not changed since.
        SendRefusedError: with every problem.
    """
    from newsletter.cli.send.run_result import finished_send_error
    from newsletter.errors import SendRefusedError

    if not proposal.problems:
        return
    if proposal.blocking_problem and proposal.finished_counts:
        raise finished_send_error(
            proposal.blocking_problem, proposal.finished_counts, strict=strict
        )
    for line in proposal.diff_lines:
        echo_err(line, color={"-": "red", "+": "green"}.get(line[:1]))
    raise SendRefusedError.from_problems(proposal.problems)


def print_proposal(proposal: "SendProposal", extra_rows: "Iterable[tuple[str, str]]" = ()) -> None:
    """Print what would be sent, from whom, to how many, and who is excluded."""
    from newsletter.render.personalization import get_default_subject

    recipients = (
        f"{pluralize(proposal.recipient_count, 'reader')} in "
        f"{pluralize(proposal.request_count, 'request')}"
    )
    earlier = proposal.earlier_send if proposal.is_resumed else None
    if earlier and earlier.state != "frozen":
        recipients += f"; resumes the stopped send to {earlier.total:,}"
    elif earlier:
        recipients += ", as planned"
    rows = [*sender_rows(proposal), ("to", recipients)]
    if proposal.unsubscribed_count:
        rows.append(
            ("gone", f"{proposal.unsubscribed_count:,} more were planned and left the list since")
        )
    rows += [*exclusion_rows(proposal), *extra_rows]
    if proposal.allowed:
        reasons = (f"{rule}: {reason}" for rule, reason in proposal.allowed.items())
        rows.append(("allowed", "\n".join(reasons)))
    if proposal.project.config.sendgrid.sandbox:
        rows.append(("sandbox", "SendGrid will only validate it; it counts as sent"))
    echo(get_default_subject(proposal.prepared_email.email, proposal.prepared_email.config))
    echo(format_fields(rows))


def sender_rows(proposal: "SendProposal") -> list[tuple[str, str]]:
    """Return the rows with the sender and the reply-to address."""
    email = proposal.prepared_email.email
    rows = [("from", f"{email.sender.name} <{email.sender.address}>")]
    if email.reply_to:
        rows.append(("reply to", email.reply_to.address))
    return rows


def exclusion_rows(proposal: "SendProposal") -> list[tuple[str, str]]:
    """Return the rows with the segment and with the excluded readers by reason."""
    exclusions = [
        f"{count:,} {EXCLUSION_LABELS.get(why, why)}" for why, count in proposal.excluded.items()
    ]
    rows = [("left out", ", ".join(exclusions))] if exclusions else []
    segment = str(proposal.segment or "")
    if proposal.earlier_send and proposal.is_resumed:
        segment = proposal.earlier_send.segment
    return [("segment", segment), *rows] if segment else rows
