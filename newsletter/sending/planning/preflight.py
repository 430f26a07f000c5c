"""Problems for which a real send is refused.

They are looked for before anything is written or sent.
"""

import datetime
import shlex
from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo

from newsletter.config import Config, find_placeholders
from newsletter.errors import Location, Problem, SendRefusedError, display_path
from newsletter.posts.issue import Issue
from newsletter.render.email import Email
from newsletter.render.fallback_host import find_fallback_problems
from newsletter.sending.ledger.record import Send
from newsletter.sending.ledger.send_phase import get_send_phase, is_held, is_recallable
from newsletter.sending.planning.send_schedule import describe_schedule
from newsletter.sending.providers.registry import get_provider
from newsletter.subscribers.segments import Segment
from newsletter.subscribers.send_names import get_original_issue
from newsletter.wording import pluralize

SETTINGS_LOCATION = Location("newsletter.yml")
FINAL_STATES = ("done", "needs_review", "cancelled")
SENT_ONCE_REMEDY = "An issue is sent only once; put new content into a new issue."


def no_recipients_problem(segment: Segment | None, topic: str = "") -> Problem:
    """Return the problem that the list, or a segment, has no recipients who want the topic."""
    wanting = f" and wants the topic '{topic}'" if topic else ""
    if segment is None:
        return Problem(
            f"nobody on the list may be mailed{wanting}",
            remedy="Add readers with: newsletter subscribers import FILE.csv",
        )
    return Problem(
        f"nobody in the segment '{segment}' may be mailed{wanting}",
        remedy=f"See who is in it: newsletter subscribers count {shlex.quote(str(segment))}",
    )


def no_recipients_left_problem(send_record: Send) -> Problem:
    """Return the problem that no recipient of a send is still on the list."""
    return Problem(
        f"all remaining readers of {send_record.issue} have unsubscribed",
        remedy=f"Cancel it with: newsletter cancel {send_record.slug}",
    )


def find_send_problems(  # noqa: PLR0913 - all that a send is refused for
    issue: Issue,
    email: Email,
    config: Config,
    environment: Mapping[str, str] | None,
    *,
    ledger_problem: Problem | None,
    audience_problem: Problem | None,
) -> list[Problem]:
    """Return every problem that a real send of ``issue`` would be refused for.

    Args:
        issue: the issue.
        email: as it would be sent.
        config: the newsletter's settings.
        environment: holds the API key; ``None`` if none is needed.
        ledger_problem: the problem of an earlier send of this issue, if any.
        audience_problem: the problem that there are no recipients, if so.
    """
    return [
        *((ledger_problem,) if ledger_problem else ()),
        *_find_name_problems(issue),
        *_find_draft_problems(issue),
        *_find_topic_problems(issue, config),
        *find_settings_problems(config),
        *find_fallback_problems(email),
        *get_provider(config).find_link_problems(email),
        *(get_provider(config).find_key_problems(environment) if environment is not None else ()),
        *((audience_problem,) if audience_problem else ()),
    ]


def find_resume_problems(config: Config, environment: Mapping[str, str]) -> list[Problem]:
    """Return every problem that resuming a send would be refused for, whatever its content."""
    return [
        *find_settings_problems(config),
        *get_provider(config).find_key_problems(environment),
    ]


def require_resumable(
    send_record: Send, email: Email, config: Config, environment: Mapping[str, str]
) -> None:
    """Refuse to resume a send that could not be sent, or whose links would lead nowhere.

    Args:
        send_record: the send.
        email: as frozen.
        config: the newsletter's settings as they are now.
        environment: holds the API key.

    Raises:
        SendRefusedError: a setting or the API key is missing.
    """
    problems = [
        *find_resume_problems(config, environment),
        *get_provider(config).find_link_problems(email),
    ]
    if send_record.state == "frozen":
        problems += find_fallback_problems(email)
    if problems:
        raise SendRefusedError.from_problems(problems)


def past_send_problem(
    send_record: Send,
    config: Config,
    recipients_by_state: Mapping[str, int],
    *,
    may_have_been_sent: bool,
    now: datetime.datetime,
) -> Problem:
    """Return why an issue can't be sent as it is now, because of a recorded send of it.

    Args:
        send_record: the send; if it isn't finished, its content differs from the issue's.
        config: the newsletter's settings.
        recipients_by_state: state -> how many recipients of the send.
        may_have_been_sent: whether any recipient may have the email.
        now: the ledger's time.
    """
    phase = get_send_phase(send_record, now)
    if phase == "uncertain" or (may_have_been_sent and is_held(send_record, now)):
        return scheduled_send_problem(send_record, config, now)
    if send_record.state == "cancelled":
        return Problem(
            f"{send_record.issue} was cancelled after some readers got it",
            remedy=SENT_ONCE_REMEDY,
        )
    if send_record.state in FINAL_STATES:
        return finished_send_problem(send_record, config, recipients_by_state)
    day = _format_time(send_record.frozen_at, config)
    if may_have_been_sent:
        return Problem(
            f"{send_record.issue} has changed since its send was started on {day}, and some "
            "readers have it already",
            remedy="Restore its files, templates and settings, or resume what was planned: "
            f"newsletter resume {send_record.slug}",
        )
    return Problem(
        f"{send_record.issue} has changed since it was planned on {day}",
        remedy=(
            "Nothing was sent yet: plan it as it is now with: newsletter plan "
            f"{send_record.slug} --again"
        ),
    )


def scheduled_send_problem(send_record: Send, config: Config, now: datetime.datetime) -> Problem:
    """Return why a scheduled send, or one that may go out, isn't sent now.

    Args:
        send_record: the send.
        config: the newsletter's settings.
        now: the ledger's time.
    """
    slug = send_record.slug
    words = describe_schedule(send_record, now, ZoneInfo(config.timezone))
    if get_send_phase(send_record, now) == "uncertain":
        remedy = (
            f"Ask {send_record.provider_name} again with: newsletter cancel {slug}"
            if is_recallable(send_record, now)
            else f"See what its events show with: newsletter status {slug}"
        )
    elif send_record.is_scheduled_locally and (send_record.scheduled_at or now) <= now:
        remedy = "Start it with: newsletter send --due"
    else:
        remedy = (
            f"To send it at another time: newsletter reschedule {slug} --at TIME (or --now). To "
            f"change it: newsletter cancel {slug}"
        )
    return Problem(f"{send_record.issue} {words}", remedy=remedy)


def finished_send_problem(
    send_record: Send, config: Config, recipients_by_state: Mapping[str, int]
) -> Problem:
    """Return why a finished send can't be repeated: how many have the email, since when.

    Args:
        send_record: the send; ``done`` or ``needs_review``.
        config: the newsletter's settings.
        recipients_by_state: state -> how many recipients of the send.
    """
    issue, slug, total = send_record.issue, send_record.slug, send_record.total
    accepted, rejected, unknown = (
        recipients_by_state.get(state, 0) for state in ("accepted", "rejected", "unknown")
    )
    day = _format_time(send_record.finished_at or send_record.frozen_at, config)
    if rejected and not accepted and not unknown:
        return Problem(
            f"{send_record.provider_name} accepted {issue} for none of its {total:,} readers on "
            f"{day}",
            remedy=nobody_accepted_remedy(send_record),
        )
    readers = f"{total:,}" if accepted == total else f"{accepted:,} of {total:,}"
    message = f"{issue} was sent to {readers} {pluralize(total, 'reader')} on {day}"
    remedy = SENT_ONCE_REMEDY
    if unknown:
        message += f"; {unknown:,} may or may not have it"
        remedy += f" See: newsletter status {slug}"
    if rejected:
        message += f"; {send_record.provider_name} refused {rejected:,}"
        remedy += f" Retry the refused with: newsletter retry {slug}"
    return Problem(message, remedy=remedy)


def nobody_accepted_remedy(send_record: Send) -> str:
    """Return what to do about a send of which the provider has accepted nothing."""
    if send_record.parent_id is not None:
        return f"Send it again with: newsletter retry {send_record.slug}"
    return (
        f"Send it as it is with: newsletter retry {send_record.slug} "
        f"(or, to change it first: newsletter plan {send_record.slug} --again)"
    )


def _format_time(time: datetime.datetime, config: Config) -> str:
    local = time.astimezone(ZoneInfo(config.timezone))
    return f"{local:%a} {local.day} {local:%b %Y %H:%M}"


def _find_name_problems(issue: Issue) -> Iterator[Problem]:
    """Yield the problem that the ledger gives such a name to another send of an issue."""
    original = get_original_issue(issue.name)
    if original != issue.name:
        yield Problem(
            f"'{issue.name.removeprefix(original)}' at the end of a name marks a catch-up or a "
            "recalled send",
            Location(display_path(issue.source_path)),
            "Rename the issue's folder.",
        )


def _find_draft_problems(issue: Issue) -> Iterator[Problem]:
    if issue.draft:
        yield Problem(
            "this issue is a draft",
            Location(display_path(issue.source_path), issue.front_matter_lines.get("draft")),
            "Remove 'draft: true' when it is ready.",
        )


def _find_topic_problems(issue: Issue, config: Config) -> Iterator[Problem]:
    """Yield the problem that the issue's topic is not declared; an exception doesn't allow it."""
    if problem := config.preferences.find_topic_problem(issue.topic):
        line = issue.front_matter_lines.get("topic")
        where = Location(display_path(issue.source_path), line)
        yield Problem(problem.message, where, problem.remedy)


def find_settings_problems(config: Config) -> Iterator[Problem]:
    """Yield every problem of newsletter.yml that any send would be refused for."""
    if not config.postal_address:
        yield Problem(
            "there is no postal_address",
            SETTINGS_LOCATION,
            "Add it: it is required by law in many countries.",
        )
    provider = get_provider(config)
    if not config.public_url and not provider.has_unsubscribe_page:
        facts = provider.facts
        remedy = "Set it to the address of your server"
        if facts.unsubscribe_page_setting:
            remedy += (
                f", or use {facts.name}'s own unsubscribe page with "
                f"{facts.unsubscribe_page_setting}"
            )
        yield Problem(
            "readers could not unsubscribe: public_url is not set",
            SETTINGS_LOCATION,
            f"{remedy}.",
        )
    yield from find_placeholders(config)
