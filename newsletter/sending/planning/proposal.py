"""Propose a send: what it would do, and why it would be refused."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from newsletter.checks.analysis.article_similarity import ArticleText, make_article_text
from newsletter.checks.finding import Finding
from newsletter.checks.load_context import load_check_context
from newsletter.checks.rules.delivery import unknown_topic
from newsletter.checks.rules.images import unreachable_image
from newsletter.checks.runner import CheckResult, check_with_exceptions
from newsletter.config import Config
from newsletter.config.tracking import TrackedAction
from newsletter.errors import Problem, SendRefusedError
from newsletter.project import Project
from newsletter.render.issue_folder import RenderedIssue, render_issue_folder
from newsletter.sending.ledger.copied_database import find_copy
from newsletter.sending.ledger.find_sends import open_ledger
from newsletter.sending.ledger.record import (
    Ledger,
    Send,
    get_ledger_time,
)
from newsletter.sending.ledger.send_phase import was_recalled
from newsletter.sending.planning.audience import (
    Audience,
    load_pending_audience,
    select_audience,
)
from newsletter.sending.planning.earlier_send import EarlierSend, find_earlier_send
from newsletter.sending.planning.frozen_content import load_prepared_email
from newsletter.sending.planning.preflight import (
    find_send_problems,
    no_recipients_left_problem,
    no_recipients_problem,
    scheduled_send_problem,
)
from newsletter.sending.planning.repeated_article import find_repetition_problem
from newsletter.sending.providers.prepared_email import PreparedEmail
from newsletter.sending.providers.registry import get_provider
from newsletter.subscribers.segments import find_segment_text
from newsletter.subscribers.topics import topic_scope
from newsletter.subscribers.tracking_groups import (
    agreed_variants,
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
        ledger: the ledger.
        prepared_email: the email, prepared for sending.
        audience: whom it would go to.
        earlier: the recorded send of this issue, if there is one, and what it means for this one.
        allowed: rule of ``newsletter check`` -> why the editor allows its findings.
        problems: every problem that a real send would be refused for.
        schedule_problem: that the plan waits for its time, until ``reschedule`` sends it now.
        catch_up: what it adds to, if it is a catch-up.
        article: what is compared with other issues, once more when the send is confirmed;
            ``None`` if it is resumed, or may go to readers who got it as another issue.
        rendered: the issue as it is now; ``None`` for a catch-up, which sends what was sent.
        findings: what the checks have found in it; nothing if it is resumed.
    """

    project: Project
    folder: Path
    ledger: Ledger
    prepared_email: PreparedEmail
    audience: Audience
    earlier: EarlierSend
    allowed: Mapping[str, str]
    problems: tuple[Problem, ...]
    schedule_problem: Problem | None = None
    catch_up: CatchUp | None = None
    article: ArticleText | None = None
    rendered: RenderedIssue | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def resumed(self) -> Send | None:
        """The recorded send that would be resumed."""
        return self.earlier.resumed

    @property
    def finished_counts(self) -> Mapping[str, int]:
        """State -> how many recipients of the earlier send, if this would be the same again."""
        return self.earlier.get_finished_counts(self.prepared_email.email, self.audience.segment)

    @property
    def agreed_counts(self) -> Mapping[TrackedAction, int]:
        """Of how many what readers are asked for is recorded, since they have agreed."""
        counts = self.audience.group_counts
        return {
            action: sum(counts.get(variant, 0) for variant in agreed_variants(action))
            for action in self.prepared_email.config.tracking.asked_actions
        }

    @property
    def replaced_sends(self) -> tuple[Send, ...]:
        """The earlier sends that a new plan replaces: nobody has anything of them."""
        if self.resumed or self.earlier.send is None:
            return ()
        return self.catch_up.replaced if self.catch_up else (self.earlier.send,)

    @property
    def recalled_sends(self) -> tuple[Send, ...]:
        """Those of them that were recalled: they stay on record."""
        return tuple(filter(was_recalled, self.replaced_sends))

    @property
    def request_count(self) -> int:
        """How many requests that takes; of a new plan, if no batch is limited by its bytes."""
        if self.resumed:
            return len(self.audience.batch_sizes)
        counts = self.audience.group_counts.values() or (self.audience.count,)
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
        allows_copy: whether the database may be a copy: for what only counts its readers.
    """

    segment: str = ""
    batch_size: int | None = None
    limit_per_hour: int | None = None
    replace_plan: bool = False
    needs_api_key: bool = True
    repeat_article: bool = False
    catch_up: bool = False
    allows_copy: bool = False


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
    ledger = open_ledger(engine, config)
    earlier = find_earlier_send(ledger, rendered.email, config, replace_plan=options.replace_plan)
    if resumed := earlier.resumed:
        check_same_options(resumed, config, options)
        _check_same_topic(resumed, rendered.issue.topic)
        audience = load_pending_audience(ledger, config, resumed)
        planned = SendOptions(batch_size=max(audience.batch_sizes, default=None))
        prepared_email = load_prepared_email(ledger, resumed, limit_batch_size(config, planned))
    else:
        audience = select_audience(
            ledger, config, options.segment or earlier.segment, rendered.issue.topic
        )
        prepared_email = get_provider(config).prepare_email(rendered.email)
    # A resumed send was checked when it was planned.
    check_result = (
        CheckResult()
        if resumed or earlier.blocking_problem
        else check_with_exceptions(load_check_context(project, rendered))
    )
    is_compared = not (resumed or options.repeat_article)
    article = make_article_text(rendered.article, rendered.email) if is_compared else None
    repetition = article and find_repetition_problem(ledger, article, audience.condition, config)
    copied = None if options.allows_copy else find_copy(engine)
    return SendProposal(
        project=project,
        folder=folder,
        ledger=ledger,
        prepared_email=prepared_email,
        audience=audience,
        earlier=earlier,
        allowed=resumed.allowed if resumed else check_result.exceptions,
        problems=(
            *((copied.as_problem(),) if copied else ()),
            *find_send_problems(
                rendered.issue,
                prepared_email.email,
                config,
                os.environ if options.needs_api_key else None,
                ledger_problem=earlier.blocking_problem,
                audience_problem=find_audience_problem(audience, resumed),
            ),
            *((repetition,) if repetition else ()),
            *(
                finding.as_problem()
                for finding in check_result.errors
                # one of the problems above says it
                if finding.rule not in {unreachable_image.id, unknown_topic.id}
            ),
        ),
        schedule_problem=(
            scheduled_send_problem(resumed, config, get_ledger_time(ledger))
            if resumed and resumed.is_scheduled_locally
            else None
        ),
        article=article,
        rendered=rendered,
        findings=check_result.findings,
    )


def find_audience_problem(audience: Audience, resumed: Send | None) -> Problem | None:
    """Return the problem that a new plan, or the rest of an earlier one, would reach nobody."""
    if audience.count:
        return None
    if resumed is None:
        return no_recipients_problem(audience.segment, audience.topic)
    return no_recipients_left_problem(resumed) if audience.unsubscribed_count else None


def check_same_options(resumed: Send, config: Config, options: SendOptions) -> None:
    """Reject options that a plan which is resumed does not have.

    Raises:
        SendRefusedError: the plan has another segment, or its batches are to have another size.
    """
    replan = f"or, if nothing was sent yet, plan it again: {resumed.replan_command}"
    if options.segment and find_segment_text(options.segment, config)[1] != resumed.segment:
        planned = f"the segment '{resumed.segment}'" if resumed.segment else "the whole list"
        raise SendRefusedError(
            f"{resumed.issue} is planned for {planned}",
            remedy=f"Leave --segment out to resume it, {replan}",
        )
    if options.batch_size:
        raise SendRefusedError(
            f"the batches of {resumed.issue} are planned already",
            remedy=f"Leave --batch-size out to resume it, {replan}",
        )


def _check_same_topic(resumed: Send, topic: str) -> None:
    """Reject an issue whose topic is no longer that of the plan which is resumed.

    Raises:
        SendRefusedError: it is another one; the plan's recipients are frozen.
    """
    if topic_scope(resumed.topic) == topic_scope(topic):
        return
    line = f"topic: {resumed.topic}" if resumed.topic else ""
    planned = f"the topic '{resumed.topic}'" if resumed.topic else "everybody, without a topic"
    change = f"Put '{line}' back" if line else f"Take 'topic: {topic}' out again"
    raise SendRefusedError(
        f"{resumed.issue} is planned for {planned}",
        remedy=f"{change} to resume it, or, if nothing was sent yet, plan it again: "
        f"{resumed.replan_command}",
    )


def limit_batch_size(config: Config, options: SendOptions) -> Config:
    """Return the settings with the batch size that the options ask for."""
    size = options.batch_size or config.limits.batch_size
    size = min(size, options.limit_per_hour or size)
    limits = config.limits.model_copy(update={"batch_size": size})
    return config.model_copy(update={"limits": limits})
