"""``newsletter subscribers erase``: forgets a reader on request."""

import datetime
import json
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import count_of, say, typed_answer

if TYPE_CHECKING:
    from newsletter.subscribers.address import Address
    from newsletter.subscribers.consent.erasure import Erasure


@click.command(short_help="Erase all that is known of a reader (GDPR).")
@click.argument("address")
@click.option("--yes", is_flag=True, help="Don't ask; for scripts.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def erase(address: str, *, yes: bool, as_json: bool) -> None:
    """Erase all that is known of the reader of ADDRESS, who has asked for it (GDPR, art. 17).

    Name, attributes, tags and journal go; sends keep a number without the address. A salted
    hash is left, so that no import brings the address back. It can't be undone.

    \b
    Example:
      newsletter subscribers erase ada@example.com
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from newsletter.db import database, reading
    from newsletter.project import open_project
    from newsletter.subscribers.address import parse_address
    from newsletter.subscribers.consent import erasure
    from newsletter.subscribers.gdpr_export import not_listed

    of = parse_address(address)
    project = open_project()
    with database(project.config.database, project.root) as engine:
        if not yes:
            _confirm(of)
        erased = erasure.erase(engine, of.key, datetime.datetime.now(datetime.UTC))
        if erased is None:
            with reading(engine) as connection:
                raise not_listed(connection, of)
    if as_json:
        say(json.dumps({"address": of.address, **erased._asdict()}, ensure_ascii=False))
    else:
        _show(of, erased)


def _confirm(of: "Address") -> None:
    from newsletter.errors import ListError
    from newsletter.subscribers.address import parse_address

    typed = typed_answer("Type the address again to erase all that is known of it, or Ctrl-C")
    if typed is None:
        raise ListError("nobody is here to type the address", remedy="In a script, say --yes.")
    try:
        same = parse_address(typed).key == of.key
    except ListError:
        same = False
    if not same:
        raise ListError(
            f"'{typed}' is not {of.address}; nothing was done",
            remedy="Run it again when you are sure.",
        )


def _show(of: "Address", erased: "Erasure") -> None:
    places = [
        "the list" if erased.subscriber else "",
        count_of(erased.sends, "send") if erased.sends else "",
        count_of(erased.events, "event") if erased.events else "",
        count_of(erased.suppressions, "suppression") if erased.suppressions else "",
    ]
    say(f"{of.address} is erased from {', '.join(filter(None, places))}.", colour="green")
    say("Erase it also from your files and backups, and ask SendGrid to.")
