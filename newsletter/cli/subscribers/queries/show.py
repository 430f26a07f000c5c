"""``newsletter subscribers show``: all data of one reader."""

import datetime
from collections.abc import Iterator, Sized
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.options import json_option
from newsletter.cli.output import echo, echo_err, format_fields, print_json
from newsletter.cli.project_database import open_project_database
from newsletter.cli.subscribers.queries.explain import format_answers, format_opt_outs
from newsletter.cli.subscribers.queries.issue_argument import format_in_zone

if TYPE_CHECKING:
    from newsletter.subscribers.consent.journal import JournalEntry
    from newsletter.subscribers.gdpr_export import IssueDelivery, SubscriberProfile

MAX_SHOWN = 20


@click.command("show", short_help="Show all that is known of a reader.")
@click.argument("address")
@json_option
def show_command(address: str, *, as_json: bool) -> None:
    """Show all that is known of the reader of ADDRESS, with the journal of their consent.

    Times are in the newsletter's zone; in JSON they are UTC. A reader who asks what you know
    of them (GDPR, art. 15) can be given it.

    \b
    Example:
      newsletter subscribers show ada@example.com
    """
    from zoneinfo import ZoneInfo

    from newsletter.db import read_transaction
    from newsletter.project import open_project
    from newsletter.subscribers.address import parse_address
    from newsletter.subscribers.gdpr_export import find_profile, profile_to_dict

    parsed = parse_address(address)
    project = open_project()
    with open_project_database(project) as engine, read_transaction(engine) as connection:
        profile = find_profile(connection, parsed)
    if as_json:
        print_json(profile_to_dict(profile), default=datetime.datetime.isoformat)
    else:
        _print_profile(profile, ZoneInfo(project.config.timezone))


def _print_profile(profile: "SubscriberProfile", zone: datetime.tzinfo) -> None:
    echo(f"{profile.address}: {profile.status}")
    echo(format_fields((label, value) for label, value in _profile_rows(profile, zone) if value))
    lists: tuple[Sized, ...] = (profile.copies, profile.events, profile.unreadable_events)
    more = sum(max(0, len(entries) - MAX_SHOWN) for entries in lists)
    if more:
        echo_err(f"and {more:,} more issues and events; all of them with --json")


def _profile_rows(profile: "SubscriberProfile", zone: datetime.tzinfo) -> Iterator[tuple[str, str]]:
    yield "name", profile.name
    source = f", from {profile.source}" if profile.source else ""
    yield "joined", f"{format_in_zone(profile.joined_at, zone)}{source}"
    yield "confirmed", format_in_zone(profile.confirmed_at, zone) if profile.confirmed_at else ""
    yield "tags", ", ".join(profile.tags)
    attributes = sorted(profile.attributes.items())
    yield "attributes", "\n".join(f"{name}: {_format_value(value)}" for name, value in attributes)
    yield "soft bounces", f"{profile.soft_bounces} in a row" if profile.soft_bounces else ""
    yield (
        "paused",
        f"until {format_in_zone(profile.paused_until, zone)}" if profile.paused_until else "",
    )
    answers = {"opens": profile.opens_consent, "clicks": profile.clicks_consent}
    yield "tracking", format_answers(answers)
    for row in profile.suppressed:
        yield "suppressed", f"{row.reason} since {format_in_zone(row.since, zone)} ({row.source})"
    yield "opted out", format_opt_outs(profile.opt_outs, zone)
    yield "journal", "\n".join(_format_journal_entry(line, zone) for line in profile.journal)
    yield "issues", "\n".join(_format_copy(copy) for copy in profile.copies[:MAX_SHOWN])
    yield (
        "emails",
        "\n".join(
            f"{format_in_zone(at, zone)}  {kind} to {address} ({state})"
            for kind, address, at, state in profile.emails[:MAX_SHOWN]
        ),
    )
    yield "new address", profile.requested_address and f"{profile.requested_address}, not confirmed"
    yield (
        "events",
        "\n".join(
            f"{format_in_zone(at, zone)}  {type_} {issue}".rstrip()
            for type_, at, issue in profile.events[:MAX_SHOWN]
        ),
    )
    yield (
        "unreadable",
        "\n".join(
            f"{format_in_zone(mention.received_at, zone)}  {mention.source}"
            for mention in profile.unreadable_events[:MAX_SHOWN]
        ),
    )


def _format_copy(copy: "IssueDelivery") -> str:
    from newsletter.sending.ledger.recipient_status import RECIPIENT_STATE_LABELS

    label = RECIPIENT_STATE_LABELS[copy.state].in_history.format(provider="SendGrid")
    return f"{copy.issue}: {label}{f': {copy.error}' if copy.error else ''}"


def _format_journal_entry(entry: "JournalEntry", zone: datetime.tzinfo) -> str:
    status = "" if entry.change == entry.status else f", {entry.status}"
    how = ", ".join(filter(None, (entry.method.replace("_", " "), entry.source)))
    wording = f": '{entry.wording}'" if entry.wording else ""
    change = entry.change.replace("_", " ")
    return f"{format_in_zone(entry.at, zone)}  {change}{status} ({how}){wording}"


def _format_value(value: Any) -> str:
    from newsletter.subscribers.attribute_types import format_value

    return format_value(value)
