"""What must be right before a real send; asked before anything is written or sent."""

import shlex
from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo

from newsletter.config import Config, placeholders
from newsletter.errors import ConfigError, Location, Problem, display_path
from newsletter.posts.issue import Issue
from newsletter.sending.ledger.record import Send
from newsletter.sending.providers.sendgrid.client import key_from
from newsletter.subscribers.segments import Segment

SETTINGS = Location("newsletter.yml")
OVER = ("done", "needs_review", "cancelled")
ONCE = "An issue is sent once; what is new goes into a new issue."


def nobody(segment: Segment | None) -> Problem:
    """There is nobody to send to, on the whole list or in a segment."""
    if segment is None:
        return Problem(
            "nobody on the list may be mailed",
            remedy="Add readers with: newsletter subscribers import FILE.csv",
        )
    return Problem(
        f"nobody in the segment '{segment}' may be mailed",
        remedy=f"See whom it finds: newsletter subscribers count {shlex.quote(str(segment))}",
    )


def all_gone(of: Send) -> Problem:
    """Nobody is left of those whom a send was planned for."""
    return Problem(
        f"everybody who was still to get {of.issue} has left the list",
        remedy=f"Give it up with: newsletter cancel {of.slug}",
    )


def refusals(
    issue: Issue,
    config: Config,
    environment: Mapping[str, str] | None,
    *,
    history: Problem | None,
    empty: Problem | None,
) -> list[Problem]:
    """Everything that a real send of ``issue`` would be refused for.

    Args:
        issue: as read.
        config: the newsletter's settings.
        environment: where the key is; ``None`` if none is needed.
        history: what an earlier send of this issue forbids.
        empty: that there is nobody to send to, if so.
    """
    return [
        *((history,) if history else ()),
        *_draft(issue),
        *settings_problems(config),
        *(_key(environment) if environment is not None else ()),
        *((empty,) if empty else ()),
    ]


def standing(config: Config, environment: Mapping[str, str]) -> list[Problem]:
    """What a send that goes on would be refused for, whatever is in it."""
    return [*settings_problems(config), *_key(environment)]


def history(of: Send, config: Config, *, left: bool) -> Problem:
    """Why an issue can't be sent as it is now, since this send of it is on record.

    Args:
        of: the send; one that could go on has other content than the issue has now.
        config: the newsletter's settings.
        left: whether some reader may have it.
    """
    since = of.frozen_at.astimezone(ZoneInfo(config.timezone))
    day = f"{since:%a} {since.day} {since:%b %Y %H:%M}"
    if of.state == "cancelled":
        return Problem(f"{of.issue} was cancelled when some had it already", remedy=ONCE)
    if of.state in OVER:
        return Problem(f"{of.issue} was sent to {of.total:,} readers on {day}", remedy=ONCE)
    if left:
        return Problem(
            f"{of.issue} has changed since its send began on {day}, and some have it already",
            remedy="Put its files, templates and settings back as they were, or go on with what "
            f"was planned: newsletter resume {of.slug}",
        )
    return Problem(
        f"{of.issue} has changed since it was planned on {day}",
        remedy=f"Nothing has left: plan it as it is now with: newsletter plan {of.slug} --again",
    )


def _draft(issue: Issue) -> Iterator[Problem]:
    if issue.draft:
        yield Problem(
            "this issue is a draft",
            Location(display_path(issue.source), issue.lines.get("draft")),
            "Remove 'draft: true' when it is ready.",
        )


def settings_problems(config: Config) -> Iterator[Problem]:
    """What every send would be refused for, by newsletter.yml alone."""
    if not config.postal_address:
        yield Problem(
            "there is no postal_address",
            SETTINGS,
            "Put yours there: the law of many countries wants it in every issue.",
        )
    if not config.public_url and not config.sendgrid.asm_group:
        yield Problem(
            "readers would have no way to leave: public_url is not set",
            SETTINGS,
            "Put there where your server answers, or use SendGrid's own unsubscribe page with "
            "sendgrid.asm_group.",
        )
    yield from placeholders(config)


def _key(environment: Mapping[str, str]) -> Iterator[Problem]:
    try:
        key_from(environment)
    except ConfigError as error:
        yield from error.problems
