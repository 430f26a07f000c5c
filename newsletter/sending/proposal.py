"""What a send would do, before anybody has agreed to it; and the agreement."""

import datetime
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from newsletter.db import reading
from newsletter.db.schema import send_recipient, subscriber
from newsletter.errors import Problem, SendRefused
from newsletter.posts.content import read_issue
from newsletter.posts.issue import Issue
from newsletter.project import Project
from newsletter.render.email import Email
from newsletter.render.issue import render_issue
from newsletter.render.templates import load_templates
from newsletter.sending.freeze import discard, freeze
from newsletter.sending.ledger import Ledger, Send, find, has_left, readers_by_state
from newsletter.sending.payload import Letter, prepare
from newsletter.sending.preflight import OVER, nobody, refusals
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
        audience: how many on the list may be mailed.
        left_out: reason -> how many are not.
        segment: to whom alone it goes, if not to the whole list.
        within: the same and, if it goes on, who is still to get it; as a condition.
        refused: everything that a real send would be refused for.
    """

    project: Project
    folder: Path
    letter: Letter
    ledger: Ledger
    earlier: Send | None
    goes_on: bool
    readers: int
    audience: int
    left_out: Mapping[str, int]
    segment: Segment | None
    within: sa.ColumnElement[bool]
    refused: tuple[Problem, ...]

    @property
    def requests(self) -> int:
        """How many requests that takes, if none is cut short by its bytes."""
        return math.ceil(self.readers / self.letter.batch_size)


def propose(project: Project, folder: Path, engine: sa.Engine, wanted: str = "") -> Proposal:
    """Render an issue and look at list and ledger; changes nothing.

    Args:
        project: the editor's folder.
        folder: the issue's.
        engine: the list's and the ledger's database.
        wanted: a segment's name or query; if not given, that of the send which it takes up or
            replaces, or the whole list.

    Raises:
        ListError: the segment can't be read.
        SendRefused: the send that it would take up has another segment.
    """
    config = project.config
    issue, email = render(project, folder)
    longest = config.sendgrid.connect_timeout + config.sendgrid.read_timeout
    ledger = Ledger(engine, lease=datetime.timedelta(seconds=2 * longest + 60))
    earlier = find(ledger, email.issue)
    goes_on = earlier is not None and _goes_on(ledger, earlier, email)
    if not wanted and earlier and earlier.state not in OVER and not goes_on:
        wanted = earlier.segment
    with reading(engine) as connection:
        now = ledger.clock(connection)
        segment = find_segment(connection, wanted, config, now) if wanted else None
        within = segment.condition if segment else EVERYBODY
        if earlier and goes_on:
            _check_same(earlier, segment)
            within = _still_to_go(earlier)
        left_out = earlier.excluded if earlier and goes_on else exclusions(connection, within)
        audience = how_many(connection, within, mailable=True)
    readers = audience
    if earlier and goes_on:
        readers = readers_by_state(ledger, earlier).get("pending", 0)
    in_the_way = None if goes_on or (earlier and _made_anew(ledger, earlier, email)) else earlier
    return Proposal(
        project=project,
        folder=folder,
        letter=prepare(email, config),
        ledger=ledger,
        earlier=earlier,
        goes_on=goes_on,
        readers=readers,
        audience=audience,
        left_out=left_out,
        segment=segment,
        within=within,
        refused=tuple(
            refusals(
                issue,
                config,
                os.environ,
                earlier=in_the_way,
                empty=None if goes_on or audience else nobody(segment),
            )
        ),
    )


def agree(proposal: Proposal) -> Send:
    """Fix the send that was proposed, if the world is still as it was shown.

    Raises:
        SendRefused: the issue or the list has changed since; nothing was written.
    """
    _, email = render(proposal.project, proposal.folder)
    if email.content_sha != proposal.letter.email.content_sha:
        raise SendRefused(
            "the issue has changed since it was shown", remedy="Nothing was sent. Run it again."
        )
    if proposal.earlier and proposal.goes_on:
        return proposal.earlier
    if proposal.earlier:
        discard(proposal.ledger, proposal.earlier)
    return freeze(proposal.ledger, proposal.letter, proposal.readers, proposal.segment)


def render(project: Project, folder: Path) -> tuple[Issue, Email]:
    """Read an issue and render it with the project's templates."""
    issue = read_issue(folder, project.config)
    return issue, render_issue(issue, load_templates(project.templates), project.config)


def _check_same(earlier: Send, segment: Segment | None) -> None:
    if segment and segment.text != earlier.segment:
        of = f"the segment '{earlier.segment}'" if earlier.segment else "the whole list"
        raise SendRefused(
            f"the send of {earlier.issue} was begun for {of}",
            remedy="Leave --segment out to go on with it.",
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


def _goes_on(ledger: Ledger, earlier: Send, email: Email) -> bool:
    same = earlier.content_sha == email.content_sha
    return earlier.state not in OVER and same and not _made_anew(ledger, earlier, email)


def _made_anew(ledger: Ledger, earlier: Send, email: Email) -> bool:
    """A send of which nothing has left may as well be of today's content, to today's list.

    Unless it may just have been started by somebody else.
    """
    idle = earlier.state in {"paused", "blocked"} or earlier.content_sha != email.content_sha
    return earlier.state not in OVER and idle and not has_left(ledger, earlier)
