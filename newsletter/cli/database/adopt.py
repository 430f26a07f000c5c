"""``newsletter db adopt``: send from a database that is a copy."""

from typing import TYPE_CHECKING

import click

from newsletter.cli.options import json_option
from newsletter.cli.output import echo, echo_err, format_fields, print_json, prompt_for_answer
from newsletter.cli.project_database import open_project_database
from newsletter.errors import SendRefusedError

if TYPE_CHECKING:
    from newsletter.project import Project
    from newsletter.sending.ledger.copied_database import CopiedDatabase


@click.command("adopt", short_help="Send from a database that is a copy.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option(
    "--nothing-lost",
    is_flag=True,
    help="After a failover to a server that has every commit: go on where the sends were.",
)
@json_option
def adopt_command(*, yes: bool, nothing_lost: bool, as_json: bool) -> None:
    """Make this database, which is a copy, the one to send from.

    A restored backup, a restored dump and a copied file don't know what the original has sent
    since. So nothing is planned or sent to the list from a copy until you have said that it
    takes the original's place: don't send from the original any more. Sends that were unfinished
    when the copy was made stay held until you have decided about each.

    A database that newsletter db copy has retired is such a copy, too: adopt it if the database
    that took its place is lost.

    So is a database on PostgreSQL whose server was replaced by a standby during a send: the
    standby may lack the last commits. If you know that it lacks none, since the switchover was
    planned or the standby is synchronous, --nothing-lost makes what was held ready again, and
    running sends go on; requests that were in flight stay unknown.

    \b
    Examples:
      newsletter db adopt
      newsletter db adopt --nothing-lost
    """
    import datetime

    import sqlalchemy as sa

    from newsletter.db.errors import redact_database_url
    from newsletter.project import open_project
    from newsletter.sending.ledger.copied_database import adopt, find_copy, hold_after_failover
    from newsletter.sending.ledger.find_sends import open_ledger

    project = open_project()
    url = redact_database_url(sa.make_url(project.config.database))
    yes = _reinstate_if_retired(project, url, yes=yes) or yes
    with open_project_database(project) as engine:
        open_ledger(engine, project.config)
        hold_after_failover(engine, datetime.datetime.now(datetime.UTC))
        copied = find_copy(engine)
        if copied and nothing_lost and not copied.is_failover:
            raise SendRefusedError(
                f"{url} is a copy as of {copied.as_of_text}, and lacks what was recorded since",
                remedy="Without --nothing-lost, its unfinished sends stay held: newsletter db "
                "adopt",
            )
        if copied and not as_json:
            _print_copy(copied, url, nothing_lost=nothing_lost)
        if copied and not yes:
            _confirm()
        if copied:
            adopt(engine, nothing_lost=nothing_lost)
    if as_json:
        as_of = copied.as_of.isoformat(timespec="seconds") if copied and copied.as_of else None
        held = copied.held_issues if copied else ()
        print_json({"database": url, "adopted": bool(copied), "as_of": as_of, "held": held})
    elif copied:
        echo("Adopted. Sends go out from this database from now on.", color="green")
        for issue in copied.held_issues:
            echo(f"Next: newsletter status {issue[11:]}")
        if copied.is_failover and not nothing_lost:
            echo("Next: newsletter subscribers sync")
    else:
        echo(f"{url} is not a copy, or was adopted before: nothing to do.", color="green")


def _reinstate_if_retired(project: "Project", url: str, *, yes: bool) -> bool:
    """Use a retired database again, as a copy, if the editor confirms it; return whether it was."""
    from newsletter.backup.retired_database import read_moved_to, reinstate
    from newsletter.db import open_database, read_transaction

    engine = open_database(project.config.database, project.root, is_copied=True)
    try:
        with read_transaction(engine) as connection:
            moved_to = read_moved_to(connection)
        if moved_to is None:
            return False
        echo_err(
            f"{url} was copied to {moved_to['url']} on {moved_to['at'][:10]}, and is retired. What "
            "was recorded there since, such as who has unsubscribed, is not known here."
        )
        if not yes:
            _confirm()
        with engine.begin() as connection:
            reinstate(connection)
        return True
    finally:
        engine.dispose()


def _print_copy(copied: "CopiedDatabase", url: str, *, nothing_lost: bool) -> None:
    warning = (
        "an issue that the original has sent since reaches its readers a second time if you send "
        "it from here"
    )
    if copied.is_failover:
        warning = (
            "what is held goes on at once: if the server lacks a commit after all, its readers get "
            "the issue a second time"
            if nothing_lost
            else "what is held may have been sent: let SendGrid's events tell (newsletter "
            "reconcile) before you send any of it again"
        )
    rows = [
        ("as of", f"{copied.as_of_text}: what was sent since is not recorded here"),
        ("held", ", ".join(copied.held_issues) or "nothing: no send was unfinished then"),
        ("careful", warning),
    ]
    echo(f"{url} {'has failed over' if copied.is_failover else 'is a copy'}.")
    echo(format_fields(rows))


def _confirm() -> None:
    typed = prompt_for_answer("Type adopt to send from this database from now on, or Ctrl-C")
    if typed is None:
        raise SendRefusedError("cannot ask: no terminal", remedy="In a script, use --yes.")
    if typed.strip() != "adopt":
        raise SendRefusedError(
            f"'{typed}' is not adopt; nothing was done",
            remedy="Run the command again when you are sure.",
        )
