"""``newsletter subscribers erase``: delete a reader's data (GDPR)."""

import datetime
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.options import json_option
from newsletter.cli.output import echo, echo_err, print_json, prompt_for_answer
from newsletter.cli.project_database import open_project_database
from newsletter.errors import SubscriberListError, display_path
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.project import Project
    from newsletter.subscribers.address import ParsedAddress
    from newsletter.subscribers.consent.dry_run_erasure import ReaderErasure


@click.command("erase", short_help="Erase all that is known of a reader (GDPR).")
@click.argument("address")
@click.option("--yes", is_flag=True, help="Don't ask; for scripts.")
@json_option
def erase_command(address: str, *, yes: bool, as_json: bool) -> None:
    """Erase all that is known of the reader of ADDRESS, who has asked for it (GDPR, art. 17).

    Name, attributes, tags and journal go; sends keep a number without the address. A salted
    hash is left, so that no import brings the address back. Dry runs that mention the address
    are deleted. It can't be undone.

    \b
    Example:
      newsletter subscribers erase ada@example.com
    """
    from newsletter.db import read_transaction
    from newsletter.project import open_project
    from newsletter.subscribers.address import parse_address
    from newsletter.subscribers.consent.dry_run_erasure import erase_reader
    from newsletter.subscribers.gdpr_export import subscriber_not_found_error

    parsed = parse_address(address)
    project = open_project()
    with open_project_database(project) as engine:
        if not yes:
            _confirm_erasure(parsed)
        now = datetime.datetime.now(datetime.UTC)
        erasure = erase_reader(engine, project.build_dir, parsed.key, now)
        _print_unreachable(erasure)
        if erasure.records is None and not erasure.deleted:
            with read_transaction(engine) as connection:
                raise subscriber_not_found_error(connection, parsed)
    if as_json:
        print_json({"address": parsed.address, **_to_dict(erasure)})
    else:
        _print_result(parsed, erasure)
        _print_backups(project)


def _print_unreachable(erasure: "ReaderErasure") -> None:
    """Print which dry runs the reader could not be erased from."""
    from newsletter.project import display_path

    for folder in erasure.unreachable:
        echo_err(
            f"{display_path(folder)} could not be read or deleted: if it mentions the reader, "
            "delete it yourself.",
            color="yellow",
        )


def _confirm_erasure(address: "ParsedAddress") -> None:
    from newsletter.subscribers.address import parse_address

    typed = prompt_for_answer("Type the address again to erase all that is known of it, or Ctrl-C")
    if typed is None:
        raise SubscriberListError(
            "cannot ask for the address: no terminal", remedy="In a script, use --yes."
        )
    try:
        is_same = parse_address(typed).key == address.key
    except SubscriberListError:
        is_same = False
    if not is_same:
        raise SubscriberListError(
            f"'{typed}' is not {address.address}; nothing was done",
            remedy="Run the command again when you are sure.",
        )


def _print_backups(project: "Project") -> None:
    """Print that automatic backups still hold what was erased, if there are any."""
    from newsletter.db.automatic_backup import list_automatic_backups
    from newsletter.db.engine import sqlite_file

    database = sqlite_file(project.config.database, project.root)
    backups = list_automatic_backups(database) if database else []
    if backups:
        echo(
            f"{display_path(backups[0].parent)} holds {format_count(len(backups), 'backup')} made "
            "before; delete them, or wait until later sends have replaced them."
        )


def _to_dict(erasure: "ReaderErasure") -> dict[str, Any]:
    from newsletter.subscribers.consent.erasure import ErasureResult

    records = erasure.records or ErasureResult(subscriber=False, suppressions=0, sends=0, events=0)
    return {
        **records._asdict(),
        "dry_runs": [str(folder) for folder in erasure.deleted],
        "dry_runs_left": [str(folder) for folder in erasure.unreachable],
    }


def _print_result(address: "ParsedAddress", erasure: "ReaderErasure") -> None:
    from newsletter.project import display_path

    if erased := erasure.records:
        places = [
            "the list" if erased.subscriber else "",
            format_count(erased.sends, "send") if erased.sends else "",
            format_count(erased.events, "event") if erased.events else "",
            format_count(erased.unreadable, "unreadable event") if erased.unreadable else "",
            format_count(erased.suppressions, "suppression") if erased.suppressions else "",
        ]
        echo(f"{address.address} is erased from {', '.join(filter(None, places))}.", color="green")
    for folder in erasure.deleted:
        echo(f"{display_path(folder)} mentioned it and is deleted.")
    echo("Erase it from your own files and backups too, and ask SendGrid to erase it.")
