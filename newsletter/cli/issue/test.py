"""``newsletter test``: send a marked copy to yourself."""

import os

import click

from newsletter.cli.output import echo, echo_err, print_json
from newsletter.wording import format_count


@click.command("test", short_help="Send a marked copy to yourself.")
@click.argument("issue", required=False)
@click.option("--to", "addresses", multiple=True, required=True, metavar="ADDRESS",
              help="Where to send it; may be repeated.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def test_command(issue: str | None, *, addresses: tuple[str, ...], as_json: bool) -> None:
    """Send a copy marked [TEST] to ADDRESS, filled in for a sample reader.

    ISSUE is a folder's name or a part of it; the newest if left out. Drafts may be
    tested. The list and the record of sends are not changed, and the unsubscribe and
    preferences links are samples: they change nothing. Images beside the post that have no
    public address yet are sent inside the email.

    \b
    Example:
      newsletter test building-trust --to me@example.com
    """
    from newsletter.db.engine import open_existing_database
    from newsletter.project import find_issue, open_project
    from newsletter.render.issue_folder import render_issue_folder
    from newsletter.sending.sample_email import deduplicate_addresses, send_test_emails

    to = deduplicate_addresses(addresses)
    project = open_project()
    config = project.config
    rendered = render_issue_folder(project, find_issue(project, issue))
    engine = open_existing_database(config.database, project.root, config.id)
    try:
        sent = send_test_emails(
            rendered.issue, rendered.email, config, to, os.environ, engine=engine
        )
    finally:
        if engine is not None:
            engine.dispose()
    if as_json:
        data = {
            "issue": rendered.issue.name,
            "subject": sent.subject,
            "to": to,
            "inline_images": sent.inline_images,
        }
        print_json(data)
        return
    echo(f"Sent {sent.subject} to {', '.join(to)}", color="green")
    if sent.inline_images:
        count = len(sent.inline_images)
        echo(
            f"{format_count(count, 'image')} without a public address "
            f"{'was' if count == 1 else 'were'} sent inside the email."
        )
        echo_err("A send to the list needs one: see newsletter doctor.")
    if sent.personal_links_url:
        echo_err(
            f"Unsubscribe and preferences links lead to {sent.personal_links_url}: set public_url, "
            "or sendgrid.asm_group, before you send."
        )
    if config.sendgrid.sandbox:
        echo("SendGrid has only validated it: sendgrid.sandbox is on, so nothing arrives.")
    echo_err(f"Next: newsletter send {rendered.issue.name[11:]} --dry-run")
