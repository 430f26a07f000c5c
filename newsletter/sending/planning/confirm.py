"""Freeze what was proposed, if it is still what the editor has seen."""

from newsletter.errors import SendRefusedError
from newsletter.render.issue_folder import render_issue_folder
from newsletter.sending.ledger.record import Send
from newsletter.sending.ledger.send_phase import was_recalled
from newsletter.sending.planning.freeze_recipients import discard_send, freeze_send
from newsletter.sending.planning.preflight import FINAL_STATES
from newsletter.sending.planning.proposal import SendProposal
from newsletter.sending.planning.repeated_article import find_repetition_problem
from newsletter.sending.planning.send_schedule import SendSchedule, save_schedule
from newsletter.subscribers.topics import topic_scope


def confirm_send(proposal: SendProposal, schedule: SendSchedule | None = None) -> Send:
    """Freeze the proposed send, if issue and list are still as they were shown.

    Args:
        proposal: as it was shown.
        schedule: when and how fast it goes; ``None`` for at once, or for the schedule of the plan
            that is replaced.

    Raises:
        SendRefusedError: the issue or the list has changed since, or its article was sent or
            planned as another issue; nothing was written.
    """
    if problem := proposal.earlier.blocking_problem:
        raise SendRefusedError.from_problems([problem])
    if not proposal.catch_up:
        rendered = render_issue_folder(proposal.project, proposal.folder)
        if (rendered.email.content_sha, topic_scope(rendered.issue.topic)) != (
            proposal.prepared_email.email.content_sha,
            topic_scope(proposal.audience.topic),
        ):
            raise SendRefusedError(
                "the issue has changed since it was shown",
                remedy="Nothing was sent. Run it again.",
            )
    if proposal.resumed:
        return save_schedule(proposal.ledger, proposal.resumed, schedule or SendSchedule())
    repetition = proposal.article and find_repetition_problem(
        proposal.ledger,
        proposal.article,
        proposal.audience.condition,
        proposal.project.config,
    )
    if repetition:
        raise SendRefusedError.from_problems([repetition])
    for replaced in proposal.replaced_sends:
        if not was_recalled(replaced):
            discard_send(proposal.ledger, replaced)
            schedule = schedule or _inherit_schedule(replaced)
    frozen = freeze_send(
        proposal.ledger,
        proposal.prepared_email,
        proposal.audience.count,
        proposal.audience.segment,
        proposal.allowed,
        topic=proposal.audience.topic,
        recalled=proposal.recalled_sends,
        parent=proposal.catch_up.parent if proposal.catch_up else None,
    )
    return save_schedule(proposal.ledger, frozen, schedule or SendSchedule())


def _inherit_schedule(replaced: Send) -> SendSchedule | None:
    """Return the schedule of the plan that a new one replaces."""
    if replaced.state in FINAL_STATES:
        return None
    return SendSchedule(
        replaced.scheduled_at,
        replaced.undo_seconds,
        replaced.provider_batch_id,
        replaced.limit_per_hour,
    )
