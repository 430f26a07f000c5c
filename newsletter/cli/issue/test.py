"""``newsletter test``: send a marked copy to yourself."""

import os

import click

from newsletter.cli.output import echo, print_json


@click.command("test", short_help="Send a marked copy to yourself.")
@click.argument("issue", required=False)
@click.option("--to", "addresses", multiple=True, required=True, metavar="ADDRESS",
              help="Where to send it; may be repeated.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def test_command(issue: str | None, *, addresses: tuple[str, ...], as_json: bool) -> None:
    """Send a copy marked [TEST] to ADDRESS, filled in for a sample reader.

    ISSUE is a folder's name or a part of it; the newest if left out. Drafts may be
    tested. The list and the record of sends are not changed, and the unsubscribe and
    preferences links are samples: they change nothing.

    \b
    Example:
      newsletter test building-trust --to me@example.com
    """  # noqa: D301 - \b is click's marker: don't rewrap
    from newsletter.db.engine import open_existing_database
    from newsletter.project import find_issue, open_project
    from newsletter.sending.planning.proposal import render_issue_folder
    from newsletter.sending.sample_email import deduplicate_addresses, send_test_emails

    to = deduplicate_addresses(addresses)
    project = open_project()
    config = project.config
    _, email = render_issue_folder(project, find_issue(project, issue))
    engine = open_existing_database(config.database, project.root, config.id)
    try:
        subject = send_test_emails(email, config, to, os.environ, engine)
    finally:
        if engine is not None:
            engine.dispose()
    if as_json:
        data = {"issue": email.issue, "subject": subject, "to": to}
        print_json(data)
        return
    echo(f"Sent {subject} to {', '.join(to)}", color="green")
    if config.sendgrid.sandbox:
        echo("SendGrid has only validated it: sendgrid.sandbox is on, so nothing arrives.")
