"""Propose a send, and confirm the proposal."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.checks.analysis.article_similarity import ArticleText, make_article_text
from newsletter.checks.load_context import load_check_context
from newsletter.checks.rules.images import unreachable_image
from newsletter.checks.runner import CheckResult, check_with_exceptions
from newsletter.config import Config
from newsletter.config.tracking import TrackedAction
from newsletter.db import read_transaction
from newsletter.db.schema import send_recipient, subscriber
from newsletter.errors import Problem, SendRefusedError
from newsletter.project import Project
from newsletter.render.issue_folder import render_issue_folder
from newsletter.sending.ledger.copied_database import find_copy
from newsletter.sending.ledger.find_sends import open_ledger
from newsletter.sending.ledger.record import (
    Ledger,
    Send,
    count_recipients_by_state,
    get_ledger_time,
)
from newsletter.sending.ledger.send_phase import was_recalled
from newsletter.sending.planning.earlier_send import EarlierSend, find_earlier_send
from newsletter.sending.planning.freeze_recipients import discard_send, freeze_send
from newsletter.sending.planning.frozen_content import load_prepared_email
from newsletter.sending.planning.preflight import (
    FINAL_STATES,
    find_send_problems,
    no_recipients_left_problem,
    no_recipients_problem,
    scheduled_send_problem,
)
from newsletter.sending.planning.repeated_article import find_repetition_problem
from newsletter.sending.planning.send_schedule import SendSchedule, save_schedule
from newsletter.sending.providers.prepared_email import PreparedEmail
from newsletter.sending.providers.registry import get_provider
from newsletter.subscribers import ALL_SUBSCRIBERS, count_exclusions, count_subscribers
from newsletter.subscribers.segments import Segment, find_segment, find_segment_text
from newsletter.subscribers.tracking_groups import (
    TrackingGroup,
    agreed_variants,
    count_tracking_groups,
    find_planned_groups,
    list_tracking_groups,
)


@dataclass(frozen=True, slots=True)
class CatchUp:
    """What a catch-up adds to.

    Attributes:
        parent: the send whose frozen email is sent to readers who joined since.
        has_changed: whether the issue's files have changed since, or can't be rendered.
        refused: the send and those of its catch-ups of which the provider has refused readers.
        replaced: its catch-ups of which nobody has anything, which a new one replaces.
    """

    parent: Send
    has_changed: bool
    refused: tuple[Send, ...] = ()
    replaced: tuple[Send, ...] = ()


@dataclass(frozen=True, slots=True)
class SendProposal:
    """What a send would do.

    Attributes:
        project: the editor's folder.
        folder: the issue's folder.
        prepared_email: the email, prepared for sending.
        ledger: the ledger.
        earlier_send: the recorded send of this issue, if there is one.
        is_resumed: whether that send would be resumed.
        recipient_count: how many would be sent to now.
        unsubscribed_count: how many planned recipients have unsubscribed since.
        excluded: reason -> how many subscribers are excluded for it.
        segment: the segment that a new plan is for, if not the whole list.
        recipient_condition: who would be sent to: the segment or, of a resumed send, the pending
            recipients; as a condition.
        blocking_problem: why the ledger forbids a send: the issue was sent, or differs from its
            plan.
        finished_counts: state -> how many recipients of the earlier send, if that has finished
            and would be the same again; otherwise empty.
        diff_lines: the difference from the plan.
        allowed: rule of ``newsletter check`` -> why the editor allows its findings.
        problems: every problem that a real send would be refused for.
        schedule_problem: that the plan waits for its time, until ``reschedule`` sends it now.
        catch_up: what it adds to, if it is a catch-up.
        tracking_groups: the recipients by what is recorded of them.
        group_counts: variant -> how many of them, where readers are asked whether opens or clicks
            may be recorded; otherwise empty.
        article: what is compared with other issues, once more when the send is confirmed;
            ``None`` if it is resumed, or may go to readers who got it as another issue.
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
    tracking_groups: Sequence[TrackingGroup]
    blocking_problem: Problem | None
    finished_counts: Mapping[str, int]
    diff_lines: tuple[str, ...]
    allowed: Mapping[str, str]
    problems: tuple[Problem, ...]
    schedule_problem: Problem | None = None
    catch_up: CatchUp | None = None
    article: ArticleText | None = None
    group_counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def agreed_counts(self) -> Mapping[TrackedAction, int]:
        """Of how many what readers are asked for is recorded, since they have agreed."""
        return {
            action: sum(self.group_counts.get(variant, 0) for variant in agreed_variants(action))
            for action in self.prepared_email.config.tracking.asked_actions
        }

    @property
    def replaced_sends(self) -> tuple[Send, ...]:
        """The earlier sends that a new plan replaces: nobody has anything of them."""
        if self.is_resumed or self.earlier_send is None:
            return ()
        return self.catch_up.replaced if self.catch_up else (self.earlier_send,)

    @property
    def recalled_sends(self) -> tuple[Send, ...]:
        """Those of them that were recalled: they stay on record."""
        return tuple(filter(was_recalled, self.replaced_sends))

    @property
    def request_count(self) -> int:
        """How many requests that takes, if no batch is limited by its bytes."""
        counts = self.group_counts.values() or (self.recipient_count,)
        return sum(math.ceil(count / self.prepared_email.batch_size) for count in counts)


@dataclass(frozen=True, slots=True)
class SendOptions:
    """The editor's options for a send that is not planned yet.

    Attributes:
        segment: a segment's name or query; if empty, that of the plan which is resumed or
            replaced, or the whole list.
        batch_size: recipients in a request; ``None`` for the one of the settings.
        limit_per_hour: recipients per hour, which also limits the batch size.
        replace_plan: whether to replace a plan of which nothing was sent.
        needs_api_key: whether a missing API key is a problem.
        repeat_article: whether the article may go to readers who got it as another issue.
        catch_up: whether to send what was sent to readers who joined since.
    """

    segment: str = ""
    batch_size: int | None = None
    limit_per_hour: int | None = None
    replace_plan: bool = False
    needs_api_key: bool = True
    repeat_article: bool = False
    catch_up: bool = False


def propose_send(
    project: Project, folder: Path, engine: sa.Engine, options: SendOptions | None = None
) -> SendProposal:
    """Render an issue, read list and ledger, and return what a send would do; write nothing.

    Args:
        project: the editor's folder.
        folder: the issue's folder.
        engine: the database of list and ledger.
        options: the editor's options for a new plan.

    Raises:
        SubscriberListError: the segment is not valid.
        SendRefusedError: the plan that would be resumed has another segment or other batches, or
            its checksum doesn't match.
    """
    options = options or SendOptions()
    config = limit_batch_size(project.config, options)
    rendered = render_issue_folder(project, folder)
    email = rendered.email
    ledger = open_ledger(engine, config)
    earlier = find_earlier_send(ledger, email, config, replace_plan=options.replace_plan)
    recipients = _select_recipients(ledger, config, earlier, options)
    resumed = earlier.resumed
    # A resumed send was checked when it was planned.
    check_result = (
        CheckResult()
        if resumed or earlier.blocking_problem
        else check_with_exceptions(load_check_context(project, rendered))
    )
    environment = os.environ if options.needs_api_key else None
    is_compared = not (resumed or options.repeat_article)
    article = make_article_text(rendered.article, email) if is_compared else None
    repetition = article and find_repetition_problem(
        ledger, article, recipients.recipient_condition, config
    )
    copied = find_copy(engine)
    prepared_email = (
        load_prepared_email(ledger, resumed, config)
        if resumed
        else get_provider(config).prepare_email(email)
    )
    return SendProposal(
        project=project,
        folder=folder,
        prepared_email=prepared_email,
        ledger=ledger,
        earlier_send=earlier.send,
        is_resumed=resumed is not None,
        recipient_count=recipients.recipient_count,
        unsubscribed_count=recipients.unsubscribed_count,
        excluded=recipients.excluded,
        segment=recipients.segment,
        recipient_condition=recipients.recipient_condition,
        blocking_problem=earlier.blocking_problem,
        finished_counts=earlier.get_finished_counts(email, recipients.segment),
        diff_lines=earlier.diff_lines,
        allowed=resumed.allowed if resumed else check_result.exceptions,
        problems=(
            *((copied.as_problem(),) if copied else ()),
            *find_send_problems(
                rendered.issue,
                prepared_email.email,
                config,
                environment,
                ledger_problem=earlier.blocking_problem,
                audience_problem=recipients.audience_problem,
            ),
            *((repetition,) if repetition else ()),
            *(
                finding.as_problem()
                for finding in check_result.errors
                if finding.rule != unreachable_image.id  # one of the problems above says it
            ),
        ),
        schedule_problem=(
            scheduled_send_problem(resumed, config, get_ledger_time(ledger))
            if resumed and resumed.is_scheduled_locally
            else None
        ),
        article=article,
        tracking_groups=recipients.tracking_groups,
        group_counts=recipients.group_counts,
    )


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
    if proposal.blocking_problem:
        raise SendRefusedError.from_problems([proposal.blocking_problem])
    if not proposal.catch_up:
        email = render_issue_folder(proposal.project, proposal.folder).email
        if email.content_sha != proposal.prepared_email.email.content_sha:
            raise SendRefusedError(
                "the issue has changed since it was shown",
                remedy="Nothing was sent. Run it again.",
            )
    if proposal.earlier_send and proposal.is_resumed:
        return save_schedule(proposal.ledger, proposal.earlier_send, schedule or SendSchedule())
    repetition = proposal.article and find_repetition_problem(
        proposal.ledger,
        proposal.article,
        proposal.recipient_condition,
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
        proposal.recipient_count,
        proposal.segment,
        proposal.allowed,
        recalled=proposal.recalled_sends,
        parent=proposal.catch_up.parent if proposal.catch_up else None,
    )
    return save_schedule(proposal.ledger, frozen, schedule or SendSchedule())


class _Recipients(NamedTuple):
    """The recipients; see ``SendProposal``. ``audience_problem`` is set if there are none."""

    recipient_count: int
    unsubscribed_count: int
    excluded: Mapping[str, int]
    segment: Segment | None
    recipient_condition: sa.ColumnElement[bool]
    audience_problem: Problem | None
    tracking_groups: Sequence[TrackingGroup]
    group_counts: Mapping[str, int]


def _select_recipients(
    ledger: Ledger, config: Config, earlier_send: EarlierSend, options: SendOptions
) -> _Recipients:
    name_or_query = options.segment or earlier_send.segment
    resumed = earlier_send.resumed
    segment = None
    with read_transaction(ledger.engine) as connection:
        now = ledger.clock(connection)
        condition = ALL_SUBSCRIBERS
        if resumed:
            # Its query is not evaluated again: by now it may count this very send.
            check_same_options(resumed, config, options)
            condition = recipient_state_condition(resumed, "pending")
        elif name_or_query:
            segment = find_segment(connection, name_or_query, config, now)
            condition = segment.condition
        excluded = resumed.excluded if resumed else count_exclusions(connection, condition, at=now)
        count = count_subscribers(connection, condition, mailable_only=True, at=now)
        groups = (
            find_planned_groups(connection, config.tracking, resumed.id, now)
            if resumed
            else list_tracking_groups(config.tracking)
        )
        group_counts = count_tracking_groups(connection, groups, condition, now)
    if resumed is None:
        problem = None if count else no_recipients_problem(segment)
        return _Recipients(count, 0, excluded, segment, condition, problem, groups, group_counts)
    pending = count_recipients_by_state(ledger, resumed).get("pending", 0)
    problem = no_recipients_left_problem(resumed) if pending and not count else None
    return _Recipients(
        count,
        max(pending - count, 0),
        excluded,
        segment,
        condition,
        problem,
        groups,
        group_counts,
    )


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


def check_same_options(earlier: Send, config: Config, options: SendOptions) -> None:
    """Reject options that a plan which is resumed does not have.

    Raises:
        SendRefusedError: the plan has another segment, or its batches are to have another size.
    """
    replan = f"or, if nothing was sent yet, plan it again: {earlier.replan_command}"
    if options.segment and find_segment_text(options.segment, config)[1] != earlier.segment:
        planned = f"the segment '{earlier.segment}'" if earlier.segment else "the whole list"
        raise SendRefusedError(
            f"{earlier.issue} is planned for {planned}",
            remedy=f"Leave --segment out to resume it, {replan}",
        )
    if options.batch_size:
        raise SendRefusedError(
            f"the batches of {earlier.issue} are planned already",
            remedy=f"Leave --batch-size out to resume it, {replan}",
        )


def recipient_state_condition(send_record: Send, *states: str) -> sa.ColumnElement[bool]:
    """Return the condition that a subscriber is a recipient of a send.

    Args:
        send_record: the send.
        states: of a recipient; without any, all.
    """
    is_recipient = sa.and_(
        send_recipient.c.send_id == send_record.id,
        send_recipient.c.subscriber_id == subscriber.c.id,
        send_recipient.c.state.in_(states) if states else sa.true(),
    )
    return sa.exists().where(is_recipient).correlate(subscriber)


def limit_batch_size(config: Config, options: SendOptions) -> Config:
    """Return the settings with the batch size that the options ask for."""
    size = options.batch_size or config.limits.batch_size
    size = min(size, options.limit_per_hour or size)
    limits = config.limits.model_copy(update={"batch_size": size})
    return config.model_copy(update={"limits": limits})
