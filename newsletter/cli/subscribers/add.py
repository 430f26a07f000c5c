"""``newsletter subscribers add``: add one reader, or resubscribe one."""

import datetime
from typing import TYPE_CHECKING

import click

from newsletter.cli.options import json_option
from newsletter.cli.output import echo, echo_err, print_json
from newsletter.cli.project_database import open_project_database
from newsletter.errors import SubscriberListError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from newsletter.subscribers.address import ParsedAddress
    from newsletter.subscribers.attribute_types import AttributeValue
    from newsletter.subscribers.consent.changes import ChangeResult


@click.command("add", short_help="Add one reader, or bring one back by their consent.")
@click.argument("address")
@click.option("--name", default="", help="Their name.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="A tag; may be repeated.")
@click.option(
    "--attribute",
    "attributes",
    multiple=True,
    metavar="NAME=VALUE",
    help="An attribute; may be repeated.",
)
@click.option("--pending", is_flag=True, help="They have not confirmed yet: send them no issues.")
@click.option(
    "--consent", default="", metavar="TEXT", help="How they consented; the journal keeps it."
)
@click.option("--resubscribe", is_flag=True, help="Bring back a reader who left; needs --consent.")
@json_option
def add_command(  # noqa: PLR0913 - the fields of a subscriber
    address: str,
    *,
    name: str,
    tags: tuple[str, ...],
    attributes: tuple[str, ...],
    pending: bool,
    consent: str,
    resubscribe: bool,
    as_json: bool,
) -> None:
    """Add the reader of ADDRESS to the list, or update one who is already in it.

    A reader who has unsubscribed, bounced, complained or been erased comes back only with
    --resubscribe and with --consent, which states how they asked for it.

    \b
    Examples:
      newsletter subscribers add ada@example.com --name Ada --tag vip
      newsletter subscribers add bo@example.com --resubscribe \\
        --consent 'by phone, 3 May 2026'
    """
    from newsletter.project import open_project
    from newsletter.subscribers.address import parse_address
    from newsletter.subscribers.consent import changes
    from newsletter.subscribers.consent.journal import ChangeOrigin
    from newsletter.subscribers.importing.rows.row_parser import (
        ParsedSubscriber,
        clean_name,
        clean_tags,
        clean_text,
    )
    from newsletter.subscribers.importing.update_subscriber import update_details

    parsed = parse_address(address)
    now = datetime.datetime.now(datetime.UTC)
    origin = ChangeOrigin(now, "cli", wording=clean_text(consent.strip(), "consent"))
    subscriber = ParsedSubscriber(
        line=0,
        key=parsed.key,
        address=parsed.address,
        name=clean_name(name.strip()),
        status="pending" if pending else "active",
        attributes=_parse_attributes(attributes),
        tags=clean_tags(tags),
    )
    project = open_project()
    with open_project_database(project) as engine, engine.begin() as connection:
        subscribe = changes.resubscribe if resubscribe else changes.subscribe
        changed = subscribe(connection, parsed, subscriber.status, origin)
        suppression_error = (
            None if resubscribe else _find_suppression_error(connection, parsed, changed)
        )
        if suppression_error:
            raise suppression_error
        updated = update_details(connection, subscriber._replace(status=changed.after), now)
    if as_json:
        data = {"address": parsed.address, **changed._asdict(), "described": updated}
        print_json(data)
    else:
        _print_result(parsed.address, changed, subscriber.status, updated=updated)


def _parse_attributes(options: tuple[str, ...]) -> "dict[str, AttributeValue]":
    from newsletter.subscribers.importing.rows.column_mapping import make_attribute_key
    from newsletter.subscribers.importing.rows.row_parser import clean_text

    attributes: dict[str, AttributeValue] = {}
    for option in options:
        name, separator, value = option.partition("=")
        if not separator or make_attribute_key(name, 0) != name or not value.strip():
            raise click.BadParameter(
                f"'{option}' is not NAME=VALUE, like home_town=Oslo", param_hint="--attribute"
            )
        attributes[name] = clean_text(value.strip(), name)
    return attributes


def _find_suppression_error(
    connection: "sa.Connection", address: "ParsedAddress", changed: "ChangeResult"
) -> SubscriberListError | None:
    """Return an error that states why the address must not be mailed, or ``None`` if it may be."""
    from newsletter.subscribers.consent.suppressions import load_suppressions
    from newsletter.subscribers.consent.transitions import SUPPRESSED_STATUSES

    suppressions = load_suppressions(connection, address.key)
    if changed.after in SUPPRESSED_STATUSES:
        reason = f"{address.address} is in the list as {changed.after}"
    elif suppressions:
        first = suppressions[0]
        reason = f"{address.address} is suppressed: {first.reason} since {first.since.date()}"
    else:
        return None
    return SubscriberListError(
        f"{reason}; nothing was changed",
        remedy="If they ask to come back: --resubscribe --consent 'how they asked'",
    )


def _print_result(
    address: str, changed: "ChangeResult", requested_status: str, *, updated: bool
) -> None:
    from newsletter.subscribers.consent.transitions import SUPPRESSED_STATUSES

    if changed.before is None:
        echo(f"{address} is in the list: {changed.after}.", color="green")
    elif changed.before != changed.after:
        echo(f"{address} was {changed.before} and is {changed.after} now.", color="green")
    else:
        outcome = ", and has been updated" if updated else "; nothing was changed"
        echo(f"{address} was in the list already: {changed.after}{outcome}.")
    if changed.after == "pending" != requested_status:
        echo_err(
            "They have not confirmed. If they consented another way: --resubscribe --consent 'how'",
            color="yellow",
        )
    if changed.before in SUPPRESSED_STATUSES:
        echo_err(
            "SendGrid may still suppress this address: remove it from its suppression lists too.",
            color="yellow",
        )
