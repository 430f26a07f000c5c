"""What must be right before a real send.

Asked before anything is written or sent.
"""

import shlex
from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo

from newsletter.config import Config, find_placeholders
from newsletter.errors import ConfigError, Location, Problem, display_path
from newsletter.posts.issue import Issue
from newsletter.sending.ledger.record import Send
from newsletter.sending.providers.sendgrid.client import read_api_key
from newsletter.subscribers.segments import Segment

SETTINGS_LOCATION = Location("newsletter.yml")
FINAL_STATES = ("done", "needs_review", "cancelled")
SENT_ONCE_REMEDY = "An issue is sent once; what is new goes into a new issue."


def no_recipients_problem(segment: Segment | None) -> Problem:
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


def no_recipients_left_problem(send_record: Send) -> Problem:
    """Nobody is left of those whom a send was planned for."""
    return Problem(
        f"everybody who was still to get {send_record.issue} has left the list",
        remedy=f"Give it up with: newsletter cancel {send_record.slug}",
    )


def find_send_problems(
    issue: Issue,
    config: Config,
    environment: Mapping[str, str] | None,
    *,
    ledger_problem: Problem | None,
    audience_problem: Problem | None,
) -> list[Problem]:
    """Everything that a real send of ``issue`` would be refused for.

    Args:
        issue: as read.
        config: the newsletter's settings.
        environment: where the key is; ``None`` if none is needed.
        ledger_problem: what an earlier send of this issue forbids.
        audience_problem: that there is nobody to send to, if so.
    """
    return [
        *((ledger_problem,) if ledger_problem else ()),
        *_find_draft_problems(issue),
        *find_settings_problems(config),
        *(_find_api_key_problems(environment) if environment is not None else ()),
        *((audience_problem,) if audience_problem else ()),
    ]


def find_resume_problems(config: Config, environment: Mapping[str, str]) -> list[Problem]:
    """What a send that goes on would be refused for, whatever is in it."""
    return [*find_settings_problems(config), *_find_api_key_problems(environment)]


def past_send_problem(send_record: Send, config: Config, *, may_have_been_sent: bool) -> Problem:
    """Why an issue can't be sent as it is now, since this send of it is on record.

    Args:
        send_record: the send; one that could go on has other content than the issue has now.
        config: the newsletter's settings.
        may_have_been_sent: whether some reader may have it.
    """
    since = send_record.frozen_at.astimezone(ZoneInfo(config.timezone))
    day = f"{since:%a} {since.day} {since:%b %Y %H:%M}"
    if send_record.state == "cancelled":
        return Problem(
            f"{send_record.issue} was cancelled when some had it already", remedy=SENT_ONCE_REMEDY
        )
    if send_record.state in FINAL_STATES:
        return Problem(
            f"{send_record.issue} was sent to {send_record.total:,} readers on {day}",
            remedy=SENT_ONCE_REMEDY,
        )
    if may_have_been_sent:
        return Problem(
            f"{send_record.issue} has changed since its send began on {day}, and some "
            "have it already",
            remedy="Put its files, templates and settings back as they were, or go on with what "
            f"was planned: newsletter resume {send_record.slug}",
        )
    return Problem(
        f"{send_record.issue} has changed since it was planned on {day}",
        remedy=(
            "Nothing has left: plan it as it is now with: newsletter plan "
            f"{send_record.slug} --again"
        ),
    )


def _find_draft_problems(issue: Issue) -> Iterator[Problem]:
    if issue.draft:
        yield Problem(
            "this issue is a draft",
            Location(display_path(issue.source_path), issue.front_matter_lines.get("draft")),
            "Remove 'draft: true' when it is ready.",
        )


def find_settings_problems(config: Config) -> Iterator[Problem]:
    """What every send would be refused for, by newsletter.yml alone."""
    if not config.postal_address:
        yield Problem(
            "there is no postal_address",
            SETTINGS_LOCATION,
            "Put yours there: the law of many countries wants it in every issue.",
        )
    if not config.public_url and not config.sendgrid.asm_group:
        yield Problem(
            "readers would have no way to leave: public_url is not set",
            SETTINGS_LOCATION,
            "Put there where your server answers, or use SendGrid's own unsubscribe page with "
            "sendgrid.asm_group.",
        )
    yield from find_placeholders(config)


def _find_api_key_problems(environment: Mapping[str, str]) -> Iterator[Problem]:
    try:
        read_api_key(environment)
    except ConfigError as error:
        yield from error.problems
