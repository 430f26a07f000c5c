"""Propose a catch-up: send what was sent to readers who joined since."""

import os
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from newsletter.config import Config
from newsletter.db import read_transaction
from newsletter.errors import NothingToDoError, Problem, SendRefusedError
from newsletter.project import Project
from newsletter.render.fallback_host import find_fallback_problems
from newsletter.sending.ledger.catch_ups import list_catch_ups, load_parent
from newsletter.sending.ledger.copied_database import find_copy
from newsletter.sending.ledger.find_sends import find_send, open_ledger
from newsletter.sending.ledger.record import (
    Ledger,
    Send,
    count_recipients_by_state,
    get_ledger_time,
    may_have_been_sent,
)
from newsletter.sending.ledger.send_phase import get_send_phase, was_recalled
from newsletter.sending.planning.audience import Audience, load_pending_audience
from newsletter.sending.planning.catch_up_audience import (
    PLANNED_BEFORE,
    count_catch_up_exclusions,
    exclude_earlier_recipients,
    refused_reason,
)
from newsletter.sending.planning.earlier_send import EarlierSend
from newsletter.sending.planning.frozen_content import load_frozen_email, load_prepared_email
from newsletter.sending.planning.preflight import (
    find_resume_problems,
    find_settings_problems,
    finished_send_problem,
    scheduled_send_problem,
)
from newsletter.sending.planning.proposal import (
    CatchUp,
    SendOptions,
    SendProposal,
    check_same_options,
    find_audience_problem,
    limit_batch_size,
)
from newsletter.sending.planning.repeated_article import (
    find_repetition_problem,
    is_issue_changed,
    load_frozen_article,
)
from newsletter.sending.planning.send_schedule import describe_schedule
from newsletter.sending.providers.registry import get_provider
from newsletter.subscribers import ALL_SUBSCRIBERS, count_subscribers
from newsletter.subscribers.segments import find_segment
from newsletter.subscribers.topics import limit_to_topic
from newsletter.subscribers.tracking_groups import (
    count_tracking_groups,
    list_tracking_groups,
)

# A catch-up in one of these states is resumed before there is another one.
_STOPPED_STATES = ("running", "paused", "blocked")


def propose_catch_up(
    project: Project, name: str | None, engine: sa.Engine, options: SendOptions
) -> SendProposal:
    """Return what a catch-up would do: the frozen email, and readers who joined since; no write.

    Args:
        project: the editor's folder; the issue's own folder may be gone.
        name: of a send, or a part of it; ``None`` for the latest.
        engine: the database of list and ledger.
        options: the editor's options.

    Raises:
        NothingToDoError: nobody has joined since.
        SendRefusedError: the send has not finished, or nobody has it; or its checksum doesn't
            match.
        NewsletterError: there is no such send, or its segment can't be evaluated.
    """
    config = project.config
    ledger = open_ledger(engine, config)
    parent = load_parent(ledger, find_send(ledger, name))
    if problem := _find_parent_problem(ledger, parent, config):
        raise SendRefusedError.from_problems([problem])
    catch_ups = list_catch_ups(ledger, parent)
    for stopped in catch_ups:
        if stopped.state in _STOPPED_STATES:
            return _propose_resumption(project, ledger, parent, stopped, options)
    replaced = tuple(part for part in catch_ups if _is_replaceable(ledger, part))
    return _propose_new(project, ledger, parent, replaced, options)


def _propose_new(
    project: Project,
    ledger: Ledger,
    parent: Send,
    replaced: tuple[Send, ...],
    options: SendOptions,
) -> SendProposal:
    config = limit_batch_size(project.config, options)
    audience = _select_audience(ledger, config, parent, replaced)
    refused = _find_parts(ledger, parent, "rejected")
    if not audience.count:
        uncertain = _find_parts(ledger, parent, "unknown")
        raise _nobody_joined_error(parent, config, audience.excluded, refused, uncertain)
    email = load_frozen_email(ledger, parent)
    article = None if options.repeat_article else load_frozen_article(project, email)
    repetition = article and find_repetition_problem(ledger, article, audience.condition, config)
    scheduled = next((part for part in replaced if part.is_scheduled_locally), None)
    return SendProposal(
        project=project,
        folder=project.issues_dir / parent.issue,
        ledger=ledger,
        prepared_email=get_provider(config).prepare_email(email),
        audience=audience,
        earlier=EarlierSend(next(iter(replaced), None)),
        allowed=parent.allowed,
        problems=(
            *_find_problems(ledger, config, options),
            *find_fallback_problems(email),
            *get_provider(config).find_link_problems(email),
            *((repetition,) if repetition else ()),
        ),
        schedule_problem=(
            scheduled_send_problem(scheduled, config, get_ledger_time(ledger))
            if scheduled
            else None
        ),
        catch_up=CatchUp(parent, is_issue_changed(project, parent) is not False, refused, replaced),
        article=article,
    )


def _select_audience(
    ledger: Ledger, config: Config, parent: Send, replaced: Sequence[Send]
) -> Audience:
    segment, condition = None, ALL_SUBSCRIBERS
    with read_transaction(ledger.engine) as connection:
        now = ledger.clock(connection)
        if parent.segment:
            segment = find_segment(connection, parent.segment, config, now, besides=parent.issue)
            condition = segment.condition
        wanting = limit_to_topic(condition, parent.topic)
        joined = exclude_earlier_recipients(connection, wanting, parent, besides=replaced)
        groups = list_tracking_groups(config.tracking)
        return Audience(
            joined,
            count_subscribers(connection, joined, mailable_only=True, at=now),
            count_catch_up_exclusions(connection, parent, condition, now, besides=replaced),
            segment,
            parent.topic,
            tracking_groups=groups,
            group_counts=count_tracking_groups(connection, groups, joined, now),
        )


def _propose_resumption(
    project: Project, ledger: Ledger, parent: Send, resumed: Send, options: SendOptions
) -> SendProposal:
    config = project.config
    check_same_options(resumed, config, options)
    audience = load_pending_audience(ledger, config, resumed)
    left_problem = find_audience_problem(audience, resumed)
    prepared_email = load_prepared_email(ledger, resumed, config)
    return SendProposal(
        project=project,
        folder=project.issues_dir / parent.issue,
        ledger=ledger,
        prepared_email=prepared_email,
        audience=audience,
        earlier=EarlierSend(resumed, resumed=resumed),
        allowed=resumed.allowed,
        problems=(
            *_find_problems(ledger, config, options),
            *get_provider(config).find_link_problems(prepared_email.email),
            *((left_problem,) if left_problem else ()),
        ),
        catch_up=CatchUp(
            parent,
            is_issue_changed(project, parent) is not False,
            _find_parts(ledger, parent, "rejected"),
        ),
    )


def _find_problems(ledger: Ledger, config: Config, options: SendOptions) -> tuple[Problem, ...]:
    copied = find_copy(ledger.engine)
    problems = (
        find_resume_problems(config, os.environ)
        if options.needs_api_key
        else find_settings_problems(config)
    )
    return (*((copied.as_problem(),) if copied else ()), *problems)


def _is_replaceable(ledger: Ledger, catch_up: Send) -> bool:
    """Return whether nobody has anything of a catch-up, so that a new one replaces it."""
    if catch_up.state == "cancelled":
        return was_recalled(catch_up) or not may_have_been_sent(ledger, catch_up)
    return catch_up.state == "frozen"


def _find_parent_problem(ledger: Ledger, parent: Send, config: Config) -> Problem | None:
    """Return why a send can't be caught up on; ``None`` if it has finished and somebody has it."""
    now = get_ledger_time(ledger)
    phase = get_send_phase(parent, now)
    if phase == "done":
        counts = count_recipients_by_state(ledger, parent)
        has_any = counts.get("accepted") or counts.get("unknown")
        return None if has_any else finished_send_problem(parent, config, counts)
    words = describe_schedule(parent, now, ZoneInfo(config.timezone))
    if phase == "needs_review":
        words = words or "has readers who may or may not have it"
        remedy = f"Resolve that first. See: newsletter status {parent.slug}"
    elif phase == "held":
        remedy = "Run it again after that time."
    elif phase in _STOPPED_STATES:
        words = "has not finished"
        remedy = f"Finish it first with: newsletter resume {parent.slug}"
    else:
        words = words or ("was cancelled" if phase == "cancelled" else "has not been sent yet")
        remedy = (
            "Only a send that has finished can be caught up on. See: "
            f"newsletter status {parent.slug}"
        )
    return Problem(f"{parent.issue} {words}", remedy=remedy)


def _find_parts(ledger: Ledger, parent: Send, state: str) -> tuple[Send, ...]:
    """Return which of a send and its catch-ups have recipients in a state."""
    family = (parent, *reversed(list_catch_ups(ledger, parent)))
    return tuple(part for part in family if count_recipients_by_state(ledger, part).get(state))


def format_retry_commands(refused: Sequence[Send]) -> str:
    """Format the commands that send again to readers whom the provider has refused."""
    return "; ".join(f"newsletter retry {part.slug}" for part in refused)


def _nobody_joined_error(
    parent: Send,
    config: Config,
    excluded: Mapping[str, int],
    refused: Sequence[Send],
    uncertain: Sequence[Send],
) -> NothingToDoError:
    remedies = []
    if left_out := excluded.get(PLANNED_BEFORE):
        remedies.append(
            f"Planned before and left out: {left_out:,}, who had left the list when it was their "
            "turn, or whose send was cancelled. They are not sent it again"
        )
    if refused_count := excluded.get(refused_reason(parent)):
        commands = format_retry_commands(refused)
        remedies.append(
            f"{parent.provider_name} refused {refused_count:,}. Retry the refused with: {commands}"
        )
    if uncertain:
        commands = "; ".join(f"newsletter status {part.slug}" for part in uncertain)
        remedies.append(f"Some may or may not have it, see: {commands}")
    nobody = "nobody else" if left_out or uncertain else "nobody"
    verb, day = describe_freezing(parent, config)
    return NothingToDoError(
        f"{nobody} has joined since {parent.issue} was {verb} on {day}", remedy=". ".join(remedies)
    )


def describe_freezing(parent: Send, config: Config) -> tuple[str, str]:
    """Return what was done when a send's recipients were frozen, and the day: ``24 Nov 2026``.

    ``sent``, or ``planned`` if it went out on a later day.
    """
    zone = ZoneInfo(config.timezone)
    local = parent.frozen_at.astimezone(zone)
    times = (parent.finished_at, parent.scheduled_at)
    sent_at = max((time for time in times if time), default=parent.frozen_at)
    is_same_day = sent_at.astimezone(zone).date() == local.date()
    return "sent" if is_same_day else "planned", f"{local.day} {local:%b %Y}"
