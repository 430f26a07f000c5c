"""Propose a send, and confirm it.

What a send would do, before the editor has confirmed it; and the confirmation.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.checks.load_context import load_check_context
from newsletter.checks.runner import CheckResult, check_with_exceptions
from newsletter.config import Config
from newsletter.db import read_transaction
from newsletter.db.schema import send_recipient, subscriber
from newsletter.errors import Problem, SendRefusedError
from newsletter.posts.issue import Issue
from newsletter.posts.read_issue import read_issue
from newsletter.project import Project
from newsletter.render.email import Email
from newsletter.render.issue import render_issue
from newsletter.render.template.loader import load_templates
from newsletter.sending.ledger.find_sends import open_ledger
from newsletter.sending.ledger.record import (
    Ledger,
    Send,
    count_recipients_by_state,
    get_send,
    may_have_been_sent,
)
from newsletter.sending.planning.freeze_recipients import discard_send, freeze_send
from newsletter.sending.planning.frozen_content import (
    SendSchedule,
    diff_emails,
    load_frozen_email,
    load_prepared_email,
    save_schedule,
)
from newsletter.sending.planning.preflight import (
    FINAL_STATES,
    find_send_problems,
    no_recipients_left_problem,
    no_recipients_problem,
    past_send_problem,
)
from newsletter.sending.providers.sendgrid.payload import PreparedEmail, prepare_email
from newsletter.subscribers import ALL_SUBSCRIBERS, count_exclusions, count_subscribers
from newsletter.subscribers.segments import Segment, find_segment


@dataclass(frozen=True, slots=True)
class SendProposal:
    """What a send would do.

    Attributes:
        project: the editor's folder.
        folder: the issue's.
        prepared_email: the email, made ready.
        ledger: where sends are recorded.
        earlier_send: the send of this issue that the ledger knows.
        is_resumed: whether that one is taken up where it stopped.
        recipient_count: how many would be mailed now.
        unsubscribed_count: how many more were planned, who have left the list since.
        excluded: reason -> how many are not.
        segment: to whom alone it goes, if not to the whole list.
        recipient_condition: the same and, if it goes on, who is still to get it; as a condition.
        blocking_problem: what stands in the way on record: the issue was sent, or differs from its
            plan.
        diff_lines: how it differs, in lines.
        allowed: rule of ``newsletter check`` -> why the editor allows what it finds.
        problems: everything that a real send would be refused for.
    """

    project: Project
    folder: Path
    prepared_email: PreparedEmail
    ledger: Ledger
    earlier_send: Send | None
    is_resumed: bool
    recipient_count: int
    unsubscribed_count: int
    excluded: Mapping[str, int]
    segment: Segment | None
    recipient_condition: sa.ColumnElement[bool]
    blocking_problem: Problem | None
    diff_lines: tuple[str, ...]
    allowed: Mapping[str, str]
    problems: tuple[Problem, ...]

    @property
    def request_count(self) -> int:
        """How many requests that takes, if none is cut short by its bytes."""
        return math.ceil(self.recipient_count / self.prepared_email.batch_size)


@dataclass(frozen=True, slots=True)
class SendOptions:
    """What the editor asks of a send that is not planned yet.

    Attributes:
        segment: its name or query; if not given, that of the plan which is taken up or
            replaced, or the whole list.
        batch_size: readers in a request; ``None`` for the settings'.
        limit_per_hour: no request may hold more readers than that either.
        replace_plan: whether a plan of which nothing has left is to be replaced.
        needs_api_key: whether it is refused without an API key.
    """

    segment: str = ""
    batch_size: int | None = None
    limit_per_hour: int | None = None
    replace_plan: bool = False
    needs_api_key: bool = True


def propose_send(
    project: Project, folder: Path, engine: sa.Engine, options: SendOptions | None = None
) -> SendProposal:
    """Render an issue and look at list and ledger; changes nothing.

    Args:
        project: the editor's folder.
        folder: the issue's.
        engine: the list's and the ledger's database.
        options: what is asked of a new plan.

    Raises:
        ListError: the segment can't be read.
        SendRefused: the plan that it would take up is of another segment or in other batches,
            or can't be trusted.
    """
    options = options or SendOptions()
    config = _limit_batch_size(project.config, options)
    issue, email = render_issue_folder(project, folder)
    ledger = open_ledger(engine, config)
    past = _find_earlier_send(ledger, email, config, options)
    recipients = _select_recipients(ledger, config, past, options)
    resumed = past.resumed
    # What goes on was judged when it was planned.
    verdict = (
        CheckResult()
        if resumed or past.blocking_problem
        else check_with_exceptions(load_check_context(project, issue, email))
    )
    environment = os.environ if options.needs_api_key else None
    return SendProposal(
        project=project,
        folder=folder,
        prepared_email=load_prepared_email(ledger, resumed, config)
        if resumed
        else prepare_email(email, config),
        ledger=ledger,
        earlier_send=past.send,
        is_resumed=resumed is not None,
        recipient_count=recipients.recipient_count,
        unsubscribed_count=recipients.unsubscribed_count,
        excluded=recipients.excluded,
        segment=recipients.segment,
        recipient_condition=recipients.recipient_condition,
        blocking_problem=past.blocking_problem,
        diff_lines=past.diff_lines,
        allowed=resumed.allowed if resumed else verdict.exceptions,
        problems=(
            *find_send_problems(
                issue,
                config,
                environment,
                ledger_problem=past.blocking_problem,
                audience_problem=recipients.audience_problem,
            ),
            *(finding.as_problem() for finding in verdict.errors),
        ),
    )


def confirm_send(proposal: SendProposal, schedule: SendSchedule | None = None) -> Send:
    """Fix the send that was proposed, if the world is still as it was shown.

    Args:
        proposal: as it was shown.
        schedule: when and how fast it goes.

    Raises:
        SendRefused: the issue or the list has changed since; nothing was written.
    """
    if proposal.blocking_problem:
        raise SendRefusedError.from_problems([proposal.blocking_problem])
    _, email = render_issue_folder(proposal.project, proposal.folder)
    if email.content_sha != proposal.prepared_email.email.content_sha:
        raise SendRefusedError(
            "the issue has changed since it was shown", remedy="Nothing was sent. Run it again."
        )
    if proposal.earlier_send and proposal.is_resumed:
        return save_schedule(proposal.ledger, proposal.earlier_send, schedule or SendSchedule())
    if proposal.earlier_send:
        discard_send(proposal.ledger, proposal.earlier_send)
        schedule = schedule or _inherit_schedule(proposal.earlier_send)
    frozen = freeze_send(
        proposal.ledger,
        proposal.prepared_email,
        proposal.recipient_count,
        proposal.segment,
        proposal.allowed,
    )
    return save_schedule(proposal.ledger, frozen, schedule or SendSchedule())


def render_issue_folder(project: Project, folder: Path) -> tuple[Issue, Email]:
    """Read an issue and render it with the project's templates."""
    issue = read_issue(folder, project.config)
    return issue, render_issue(issue, load_templates(project.templates_dir), project.config)


class _EarlierSend(NamedTuple):
    """What an earlier send of the issue means for this one.

    Attributes:
        send: it, if there is one.
        resumed: the same, if it is taken up.
        segment: its query, if its plan is replaced.
        blocking_problem: why neither is possible.
        diff_lines: how the issue differs from what was planned.
    """

    send: Send | None = None
    resumed: Send | None = None
    segment: str = ""
    blocking_problem: Problem | None = None
    diff_lines: tuple[str, ...] = ()


class _Recipients(NamedTuple):
    """Who gets it; see ``Proposal``, and ``empty`` says that it is nobody."""

    recipient_count: int
    unsubscribed_count: int
    excluded: Mapping[str, int]
    segment: Segment | None
    recipient_condition: sa.ColumnElement[bool]
    audience_problem: Problem | None


def _find_earlier_send(
    ledger: Ledger, email: Email, config: Config, options: SendOptions
) -> _EarlierSend:
    earlier = get_send(ledger, email.issue)
    if earlier is None:
        return _EarlierSend()
    left = may_have_been_sent(ledger, earlier)
    over = earlier.state in FINAL_STATES
    # What was cancelled before it began is as good as never planned.
    if not left and (options.replace_plan or earlier.state == "cancelled"):
        return _EarlierSend(earlier, segment="" if over else earlier.segment)
    if not over and earlier.content_sha == email.content_sha:
        return _EarlierSend(earlier, resumed=earlier)
    lines = () if over else diff_emails(load_frozen_email(ledger, earlier), email)
    return _EarlierSend(
        earlier,
        blocking_problem=past_send_problem(earlier, config, may_have_been_sent=left),
        diff_lines=lines,
    )


def _select_recipients(
    ledger: Ledger, config: Config, earlier_send: _EarlierSend, options: SendOptions
) -> _Recipients:
    wanted = options.segment or earlier_send.segment
    resumed = earlier_send.resumed
    with read_transaction(ledger.engine) as connection:
        now = ledger.clock(connection)
        segment = find_segment(connection, wanted, config, now) if wanted else None
        within = segment.condition if segment else ALL_SUBSCRIBERS
        if resumed:
            _check_same_options(resumed, segment, options)
            within = _pending_condition(resumed)
        left_out = resumed.excluded if resumed else count_exclusions(connection, within, at=now)
        readers = count_subscribers(connection, within, mailable_only=True, at=now)
    if resumed is None:
        return _Recipients(
            readers,
            0,
            left_out,
            segment,
            within,
            None if readers else no_recipients_problem(segment),
        )
    pending = count_recipients_by_state(ledger, resumed).get("pending", 0)
    empty = no_recipients_left_problem(resumed) if pending and not readers else None
    return _Recipients(readers, max(pending - readers, 0), left_out, segment, within, empty)


def _inherit_schedule(replaced: Send) -> SendSchedule | None:
    """A new plan goes when and as fast as the one that it replaces would have."""
    if replaced.state in FINAL_STATES:
        return None
    return SendSchedule(
        replaced.scheduled_at,
        replaced.undo_seconds,
        replaced.provider_batch_id,
        replaced.limit_per_hour,
    )


def _check_same_options(earlier: Send, segment: Segment | None, options: SendOptions) -> None:
    again = f"or plan it anew while nothing has left: newsletter plan {earlier.slug} --again"
    if segment and segment.text != earlier.segment:
        audience_name = f"the segment '{earlier.segment}'" if earlier.segment else "the whole list"
        raise SendRefusedError(
            f"{earlier.issue} is planned for {audience_name}",
            remedy=f"Leave --segment out to go on with it, {again}",
        )
    if options.batch_size:
        raise SendRefusedError(
            f"the batches of {earlier.issue} are planned already",
            remedy=f"Leave --batch-size out to go on with them, {again}",
        )


def _pending_condition(send_record: Send) -> sa.ColumnElement[bool]:
    return (
        sa.exists()
        .where(
            send_recipient.c.send_id == send_record.id,
            send_recipient.c.subscriber_id == subscriber.c.id,
            send_recipient.c.state == "pending",
        )
        .correlate(subscriber)
    )


def _limit_batch_size(config: Config, options: SendOptions) -> Config:
    size = options.batch_size or config.limits.batch_size
    size = min(size, options.limit_per_hour or size)
    limits = config.limits.model_copy(update={"batch_size": size})
    return config.model_copy(update={"limits": limits})
