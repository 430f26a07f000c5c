"""Find the recorded send of an issue, and what it allows a new one to do."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from newsletter.config import Config
from newsletter.errors import Problem
from newsletter.render.email import Email
from newsletter.sending.ledger.record import (
    Ledger,
    Send,
    count_recipients_by_state,
    get_ledger_time,
    get_send,
    may_have_been_sent,
)
from newsletter.sending.ledger.send_phase import was_recalled
from newsletter.sending.planning.frozen_content import diff_emails, load_frozen_email
from newsletter.sending.planning.preflight import FINAL_STATES, past_send_problem
from newsletter.subscribers.segments import Segment


class EarlierSend(NamedTuple):
    """An earlier send of an issue, and what it means for a proposal.

    Attributes:
        send: the earlier send, if there is one.
        resumed: the same, if it is resumed.
        segment: its query, if its plan is replaced.
        recipients_by_state: state -> how many of its recipients, if it is neither.
        blocking_problem: why it can be neither resumed nor replaced.
        diff_lines: how the issue differs from the plan.
    """

    send: Send | None = None
    resumed: Send | None = None
    segment: str = ""
    recipients_by_state: Mapping[str, int] = MappingProxyType({})
    blocking_problem: Problem | None = None
    diff_lines: tuple[str, ...] = ()

    def get_finished_counts(self, email: Email, segment: Segment | None) -> Mapping[str, int]:
        """Return ``recipients_by_state`` if a new send would be the same again, or nothing.

        Args:
            email: the email of the new send.
            segment: its segment, if the editor has chosen one.
        """
        is_same = (
            self.send is not None
            and self.send.state == "done"
            and self.send.content_sha == email.content_sha
            and (segment is None or segment.text == self.send.segment)
        )
        return self.recipients_by_state if is_same else {}


def find_earlier_send(
    ledger: Ledger, email: Email, config: Config, *, replace_plan: bool
) -> EarlierSend:
    """Return the recorded send of the issue of ``email``, and what it means for a new one.

    Args:
        ledger: the ledger.
        email: the issue as it is now.
        config: the newsletter's settings.
        replace_plan: whether to replace a plan of which nothing was sent.
    """
    earlier = get_send(ledger, email.issue)
    if earlier is None:
        return EarlierSend()
    if was_recalled(earlier):
        return EarlierSend(earlier)
    maybe_sent = may_have_been_sent(ledger, earlier)
    is_final = earlier.state in FINAL_STATES
    # A send that was recalled, or cancelled before anything was sent counts as never planned.
    if not maybe_sent and (replace_plan or earlier.state == "cancelled"):
        return EarlierSend(earlier, segment="" if earlier.state == "cancelled" else earlier.segment)
    if not is_final and earlier.content_sha == email.content_sha:
        return EarlierSend(earlier, resumed=earlier)
    diff_lines = () if is_final else diff_emails(load_frozen_email(ledger, earlier), email)
    counts = count_recipients_by_state(ledger, earlier)
    return EarlierSend(
        earlier,
        recipients_by_state=counts,
        blocking_problem=past_send_problem(
            earlier, config, counts, may_have_been_sent=maybe_sent, now=get_ledger_time(ledger)
        ),
        diff_lines=diff_lines,
    )
