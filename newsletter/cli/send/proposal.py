"""How a send is shown to an editor before anything of it leaves."""

from typing import TYPE_CHECKING

from newsletter.cli.output import echo, echo_err, format_fields
from newsletter.cli.send.shared import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterable

    from newsletter.sending.planning.proposal import SendProposal

EXCLUSION_LABELS = {"pending": "pending confirmation"}


def raise_if_refused(proposal: "SendProposal") -> None:
    """Stop if there is a reason to, the difference from the plan shown first.

    Raises:
        SendRefused: with every reason.
    """
    from newsletter.errors import SendRefusedError

    if not proposal.problems:
        return
    for line in proposal.diff_lines:
        echo_err(line, color={"-": "red", "+": "green"}.get(line[:1]))
    raise SendRefusedError.from_problems(proposal.problems)


def print_proposal(proposal: "SendProposal", extra_rows: "Iterable[tuple[str, str]]" = ()) -> None:
    """What would be sent, from whom, to how many, and who is left out."""
    from newsletter.render.personalization import get_default_subject

    to = (
        f"{pluralize(proposal.recipient_count, 'reader')} in "
        f"{pluralize(proposal.request_count, 'request')}"
    )
    earlier = proposal.earlier_send if proposal.is_resumed else None
    if earlier and earlier.state != "frozen":
        to += f"; goes on with the send to {earlier.total:,} that was stopped"
    elif earlier:
        to += ", as planned"
    rows = [*sender_rows(proposal), ("to", to)]
    if proposal.unsubscribed_count:
        rows.append(
            ("gone", f"{proposal.unsubscribed_count:,} more were planned, who have left since")
        )
    rows += [*exclusion_rows(proposal), *extra_rows]
    if proposal.allowed:
        told = (f"{rule}: {reason}" for rule, reason in proposal.allowed.items())
        rows.append(("allowed", "\n".join(told)))
    if proposal.project.config.sendgrid.sandbox:
        rows.append(("sandbox", "SendGrid will check it and mail nobody; it counts as sent"))
    echo(get_default_subject(proposal.prepared_email.email, proposal.prepared_email.config))
    echo(format_fields(rows))


def sender_rows(proposal: "SendProposal") -> list[tuple[str, str]]:
    """From whom the mail is."""
    email = proposal.prepared_email.email
    rows = [("from", f"{email.sender.name} <{email.sender.address}>")]
    if email.reply_to:
        rows.append(("reply to", email.reply_to.address))
    return rows


def exclusion_rows(proposal: "SendProposal") -> list[tuple[str, str]]:
    """Who does not get it, and why."""
    some = [
        f"{count:,} {EXCLUSION_LABELS.get(why, why)}" for why, count in proposal.excluded.items()
    ]
    rows = [("left out", ", ".join(some))] if some else []
    segment = str(proposal.segment or "")
    if proposal.earlier_send and proposal.is_resumed:
        segment = proposal.earlier_send.segment
    return [("segment", segment), *rows] if segment else rows
