"""How a send is shown to an editor before anything of it leaves."""

from typing import TYPE_CHECKING

from newsletter.cli.output import fields, note, say
from newsletter.cli.send.shared import many

if TYPE_CHECKING:
    from collections.abc import Iterable

    from newsletter.sending.planning.proposal import Proposal

REASONS = {"pending": "pending confirmation"}


def refuse(proposal: "Proposal") -> None:
    """Stop if there is a reason to, the difference from the plan shown first.

    Raises:
        SendRefused: with every reason.
    """
    from newsletter.errors import SendRefused

    if not proposal.refused:
        return
    for line in proposal.difference:
        note(line, colour={"-": "red", "+": "green"}.get(line[:1]))
    raise SendRefused.of(proposal.refused)


def show(proposal: "Proposal", more: "Iterable[tuple[str, str]]" = ()) -> None:
    """What would be sent, from whom, to how many, and who is left out."""
    from newsletter.render.personalization import plain_subject

    to = f"{many(proposal.readers, 'reader')} in {many(proposal.requests, 'request')}"
    earlier = proposal.earlier if proposal.goes_on else None
    if earlier and earlier.state != "frozen":
        to += f"; goes on with the send to {earlier.total:,} that was stopped"
    elif earlier:
        to += ", as planned"
    rows = [*who(proposal), ("to", to)]
    if proposal.gone:
        rows.append(("gone", f"{proposal.gone:,} more were planned, who have left since"))
    rows += [*left_out(proposal), *more]
    if proposal.allowed:
        told = (f"{rule}: {reason}" for rule, reason in proposal.allowed.items())
        rows.append(("allowed", "\n".join(told)))
    if proposal.project.config.sendgrid.sandbox:
        rows.append(("sandbox", "SendGrid will check it and mail nobody; it counts as sent"))
    say(plain_subject(proposal.letter.email, proposal.letter.config))
    say(fields(rows))


def who(proposal: "Proposal") -> list[tuple[str, str]]:
    """From whom the mail is."""
    email = proposal.letter.email
    rows = [("from", f"{email.sender.name} <{email.sender.address}>")]
    if email.reply_to:
        rows.append(("reply to", email.reply_to.address))
    return rows


def left_out(proposal: "Proposal") -> list[tuple[str, str]]:
    """Who does not get it, and why."""
    some = [f"{count:,} {REASONS.get(why, why)}" for why, count in proposal.left_out.items()]
    rows = [("left out", ", ".join(some))] if some else []
    segment = str(proposal.segment or "")
    if proposal.earlier and proposal.goes_on:
        segment = proposal.earlier.segment
    return [("segment", segment), *rows] if segment else rows
