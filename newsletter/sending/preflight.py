"""What must be right before a real send; asked before anything is written or sent."""

import shlex
from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo

from newsletter.config import Config, placeholders
from newsletter.errors import ConfigError, Location, Problem, shown
from newsletter.posts.issue import Issue
from newsletter.sending.ledger import Send
from newsletter.sending.sendgrid import key_from
from newsletter.subscribers.segments import Segment

SETTINGS = Location("newsletter.yml")
OVER = ("done", "needs_review", "cancelled")


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


def refusals(
    issue: Issue,
    config: Config,
    environment: Mapping[str, str],
    *,
    earlier: Send | None,
    empty: Problem | None,
) -> list[Problem]:
    """Everything that a real send of ``issue`` would be refused for.

    Args:
        issue: as read.
        config: the newsletter's settings.
        environment: where the key is.
        earlier: the send of this issue that stands in the way, if there is one.
        empty: that there is nobody to send to, if so.
    """
    return [
        *_history(issue, config, earlier),
        *_draft(issue),
        *_settings(config),
        *_key(environment),
        *((empty,) if empty else ()),
    ]


def _history(issue: Issue, config: Config, earlier: Send | None) -> Iterator[Problem]:
    if earlier is None:
        return
    since = earlier.frozen_at.astimezone(ZoneInfo(config.timezone))
    day = f"{since:%a} {since.day} {since:%b %Y %H:%M}"
    if earlier.state in OVER:
        yield Problem(
            f"{issue.name} was sent to {earlier.total:,} readers on {day}",
            remedy="An issue is sent once; what is new goes into a new issue.",
        )
    else:
        yield Problem(
            f"{issue.name} has changed since its send began on {day}, and some have it already",
            remedy="Put its files, templates and settings back as they were, then run this again "
            "to finish.",
        )


def _draft(issue: Issue) -> Iterator[Problem]:
    if issue.draft:
        yield Problem(
            "this issue is a draft",
            Location(shown(issue.source), issue.lines.get("draft")),
            "Remove 'draft: true' when it is ready.",
        )


def _settings(config: Config) -> Iterator[Problem]:
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
