"""What a send would do, before anybody has agreed to it; and the agreement."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.checks.load_context import mail_of
from newsletter.checks.runner import Verdict, judge
from newsletter.config import Config
from newsletter.db import reading
from newsletter.db.schema import send_recipient, subscriber
from newsletter.errors import Problem, SendRefusedError
from newsletter.posts.issue import Issue
from newsletter.posts.read_issue import read_issue
from newsletter.project import Project
from newsletter.render.email import Email
from newsletter.render.issue import render_issue
from newsletter.render.template.loader import load_templates
from newsletter.sending.ledger.find_sends import ledger_of
from newsletter.sending.ledger.record import Ledger, Send, find, has_left, readers_by_state
from newsletter.sending.planning.freeze_recipients import discard, freeze
from newsletter.sending.planning.frozen_content import (
    Terms,
    content,
    difference,
    letter_of,
    settle_terms,
)
from newsletter.sending.planning.preflight import OVER, all_gone, history, nobody, refusals
from newsletter.sending.providers.sendgrid.payload import Letter, prepare
from newsletter.subscribers import EVERYBODY, exclusions, how_many
from newsletter.subscribers.segments import Segment, find_segment


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a send would do.

    Attributes:
        project: the editor's folder.
        folder: the issue's.
        letter: the email, made ready.
        ledger: where sends are recorded.
        earlier: the send of this issue that the ledger knows.
        goes_on: whether that one is taken up where it stopped.
        readers: how many would be mailed now.
        gone: how many more were planned, who have left the list since.
        left_out: reason -> how many are not.
        segment: to whom alone it goes, if not to the whole list.
        within: the same and, if it goes on, who is still to get it; as a condition.
        forbidden: what stands in the way on record: the issue was sent, or differs from its plan.
        difference: how it differs, in lines.
        allowed: rule of ``newsletter check`` -> why the editor allows what it finds.
        refused: everything that a real send would be refused for.
    """

    project: Project
    folder: Path
    letter: Letter
    ledger: Ledger
    earlier: Send | None
    goes_on: bool
    readers: int
    gone: int
    left_out: Mapping[str, int]
    segment: Segment | None
    within: sa.ColumnElement[bool]
    forbidden: Problem | None
    difference: tuple[str, ...]
    allowed: Mapping[str, str]
    refused: tuple[Problem, ...]

    @property
    def requests(self) -> int:
        """How many requests that takes, if none is cut short by its bytes."""
        return math.ceil(self.readers / self.letter.batch_size)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the editor asks of a send that is not planned yet.

    Attributes:
        segment: its name or query; if not given, that of the plan which is taken up or
            replaced, or the whole list.
        batch_size: readers in a request; ``None`` for the settings'.
        limit_per_hour: no request may hold more readers than that either.
        again: whether a plan of which nothing has left is to be replaced.
        needs_key: whether it is refused without an API key.
    """

    segment: str = ""
    batch_size: int | None = None
    limit_per_hour: int | None = None
    again: bool = False
    needs_key: bool = True


def propose(
    project: Project, folder: Path, engine: sa.Engine, wishes: Wishes | None = None
) -> Proposal:
    """Render an issue and look at list and ledger; changes nothing.

    Args:
        project: the editor's folder.
        folder: the issue's.
        engine: the list's and the ledger's database.
        wishes: what is asked of a new plan.

    Raises:
        ListError: the segment can't be read.
        SendRefused: the plan that it would take up is of another segment or in other batches,
            or can't be trusted.
    """
    wishes = wishes or Wishes()
    config = _sized(project.config, wishes)
    issue, email = render(project, folder)
    ledger = ledger_of(engine, config)
    past = _past(ledger, email, config, wishes)
    whom = _whom(ledger, config, past, wishes)
    of = past.goes_on
    # What goes on was judged when it was planned.
    verdict = Verdict() if of or past.forbidden else judge(mail_of(project, issue, email))
    environment = os.environ if wishes.needs_key else None
    return Proposal(
        project=project,
        folder=folder,
        letter=letter_of(ledger, of, config) if of else prepare(email, config),
        ledger=ledger,
        earlier=past.earlier,
        goes_on=of is not None,
        readers=whom.readers,
        gone=whom.gone,
        left_out=whom.left_out,
        segment=whom.segment,
        within=whom.within,
        forbidden=past.forbidden,
        difference=past.difference,
        allowed=of.allowed if of else verdict.allowed,
        refused=(
            *refusals(issue, config, environment, history=past.forbidden, empty=whom.empty),
            *(finding.as_problem() for finding in verdict.errors),
        ),
    )


def agree(proposal: Proposal, terms: Terms | None = None) -> Send:
    """Fix the send that was proposed, if the world is still as it was shown.

    Args:
        proposal: as it was shown.
        terms: when and how fast it goes.

    Raises:
        SendRefused: the issue or the list has changed since; nothing was written.
    """
    if proposal.forbidden:
        raise SendRefusedError.from_problems([proposal.forbidden])
    _, email = render(proposal.project, proposal.folder)
    if email.content_sha != proposal.letter.email.content_sha:
        raise SendRefusedError(
            "the issue has changed since it was shown", remedy="Nothing was sent. Run it again."
        )
    if proposal.earlier and proposal.goes_on:
        return settle_terms(proposal.ledger, proposal.earlier, terms or Terms())
    if proposal.earlier:
        discard(proposal.ledger, proposal.earlier)
        terms = terms or _terms_of(proposal.earlier)
    frozen = freeze(
        proposal.ledger, proposal.letter, proposal.readers, proposal.segment, proposal.allowed
    )
    return settle_terms(proposal.ledger, frozen, terms or Terms())


def render(project: Project, folder: Path) -> tuple[Issue, Email]:
    """Read an issue and render it with the project's templates."""
    issue = read_issue(folder, project.config)
    return issue, render_issue(issue, load_templates(project.templates_dir), project.config)


class _Past(NamedTuple):
    """What an earlier send of the issue means for this one.

    Attributes:
        earlier: it, if there is one.
        goes_on: the same, if it is taken up.
        segment: its query, if its plan is replaced.
        forbidden: why neither is possible.
        difference: how the issue differs from what was planned.
    """

    earlier: Send | None = None
    goes_on: Send | None = None
    segment: str = ""
    forbidden: Problem | None = None
    difference: tuple[str, ...] = ()


class _Whom(NamedTuple):
    """Who gets it; see ``Proposal``, and ``empty`` says that it is nobody."""

    readers: int
    gone: int
    left_out: Mapping[str, int]
    segment: Segment | None
    within: sa.ColumnElement[bool]
    empty: Problem | None


def _past(ledger: Ledger, email: Email, config: Config, wishes: Wishes) -> _Past:
    earlier = find(ledger, email.issue)
    if earlier is None:
        return _Past()
    left = has_left(ledger, earlier)
    over = earlier.state in OVER
    # What was cancelled before it began is as good as never planned.
    if not left and (wishes.again or earlier.state == "cancelled"):
        return _Past(earlier, segment="" if over else earlier.segment)
    if not over and earlier.content_sha == email.content_sha:
        return _Past(earlier, goes_on=earlier)
    lines = () if over else difference(content(ledger, earlier), email)
    return _Past(earlier, forbidden=history(earlier, config, left=left), difference=lines)


def _whom(ledger: Ledger, config: Config, past: _Past, wishes: Wishes) -> _Whom:
    wanted = wishes.segment or past.segment
    of = past.goes_on
    with reading(ledger.engine) as connection:
        now = ledger.clock(connection)
        segment = find_segment(connection, wanted, config, now) if wanted else None
        within = segment.condition if segment else EVERYBODY
        if of:
            _check_same(of, segment, wishes)
            within = _still_to_go(of)
        left_out = of.excluded if of else exclusions(connection, within, at=now)
        readers = how_many(connection, within, mailable=True, at=now)
    if of is None:
        return _Whom(readers, 0, left_out, segment, within, None if readers else nobody(segment))
    pending = readers_by_state(ledger, of).get("pending", 0)
    empty = all_gone(of) if pending and not readers else None
    return _Whom(readers, max(pending - readers, 0), left_out, segment, within, empty)


def _terms_of(replaced: Send) -> Terms | None:
    """A new plan goes when and as fast as the one that it replaces would have."""
    if replaced.state in OVER:
        return None
    return Terms(
        replaced.scheduled_at,
        replaced.undo_seconds,
        replaced.vendor_batch_id,
        replaced.limit_per_hour,
    )


def _check_same(earlier: Send, segment: Segment | None, wishes: Wishes) -> None:
    again = f"or plan it anew while nothing has left: newsletter plan {earlier.slug} --again"
    if segment and segment.text != earlier.segment:
        of = f"the segment '{earlier.segment}'" if earlier.segment else "the whole list"
        raise SendRefusedError(
            f"{earlier.issue} is planned for {of}",
            remedy=f"Leave --segment out to go on with it, {again}",
        )
    if wishes.batch_size:
        raise SendRefusedError(
            f"the batches of {earlier.issue} are planned already",
            remedy=f"Leave --batch-size out to go on with them, {again}",
        )


def _still_to_go(of: Send) -> sa.ColumnElement[bool]:
    return (
        sa.exists()
        .where(
            send_recipient.c.send_id == of.id,
            send_recipient.c.subscriber_id == subscriber.c.id,
            send_recipient.c.state == "pending",
        )
        .correlate(subscriber)
    )


def _sized(config: Config, wishes: Wishes) -> Config:
    size = wishes.batch_size or config.limits.batch_size
    size = min(size, wishes.limit_per_hour or size)
    limits = config.limits.model_copy(update={"batch_size": size})
    return config.model_copy(update={"limits": limits})
