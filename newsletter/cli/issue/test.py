"""``newsletter test``: send a marked copy to yourself."""

import datetime
import os
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import echo, echo_err, print_json
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.config import Config


@click.command("test", short_help="Send a marked copy to yourself.")
@click.argument("issue", required=False)
@click.option("--to", "addresses", multiple=True, required=True, metavar="ADDRESS",
              help="Where to send it; may be repeated.")  # fmt: skip
@click.option("--email", "single_email", metavar="NAME",
              help="An email to one reader instead of an issue: confirm, welcome, move, "
              "download or erase.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def test_command(
    issue: str | None, *, addresses: tuple[str, ...], single_email: str | None, as_json: bool
) -> None:
    """Send a copy marked [TEST] to ADDRESS, filled in for a sample reader.

    ISSUE is a folder's name or a part of it; the newest if left out. Drafts may be
    tested. The list and the record of sends are not changed, and the unsubscribe and
    preferences links are samples: they change nothing. Images beside the post that have no
    public address yet are sent inside the email.

    With --email, it is an email that one reader gets: to confirm a sign-up, to welcome, to
    confirm a change of address (one to each side), a download or an erasure of their data.
    Its button is a sample, too: it confirms nothing.

    \b
    Examples:
      newsletter test building-trust --to me@example.com
      newsletter test --email welcome --to me@example.com
    """
    from newsletter.sending.sample_email import deduplicate_addresses

    to = deduplicate_addresses(addresses)
    if single_email is None:
        _test_issue(issue, to, as_json=as_json)
        return
    if issue is not None:
        raise click.UsageError("--email sends an email that is no issue: leave out ISSUE.")
    _test_single_email(single_email, to, as_json=as_json)


def _test_issue(issue: str | None, to: list[str], *, as_json: bool) -> None:
    from newsletter.db.engine import open_existing_database
    from newsletter.project import find_issue, open_project
    from newsletter.render.issue_folder import render_issue_folder
    from newsletter.sending.sample_email import send_test_emails

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
    _note_sandbox(config)
    echo_err(f"Next: newsletter send {rendered.issue.name[11:]} --dry-run")


def _test_single_email(name: str, to: list[str], *, as_json: bool) -> None:
    from newsletter.db.engine import open_existing_database
    from newsletter.project import open_project
    from newsletter.render.project_emails import ProjectEmails
    from newsletter.render.transactional import TRANSACTIONAL_EMAILS
    from newsletter.sending.sample_email import send_single_test_emails
    from newsletter.sending.transactional_sample import render_sample_email
    from newsletter.web.archive.latest_issues import make_latest_finder

    if name not in TRANSACTIONAL_EMAILS:
        raise click.UsageError(_describe_unknown_email(name, list(TRANSACTIONAL_EMAILS)))
    project = open_project()
    config = project.config
    project_emails, now = ProjectEmails(project), datetime.datetime.now(datetime.UTC)
    engine = open_existing_database(config.database, project.root, config.id)
    try:
        find_latest = make_latest_finder(project, engine, now)
        emails = [
            render_sample_email(project_emails, kind, config, now.date(), find_latest)
            for kind in TRANSACTIONAL_EMAILS[name]
        ]
    finally:
        if engine is not None:
            engine.dispose()
    subjects = send_single_test_emails(emails, config, to, os.environ)
    if as_json:
        print_json({"email": name, "subjects": subjects, "to": to})
        return
    for subject in subjects:
        echo(f"Sent {subject} to {', '.join(to)}", color="green")
    _note_sandbox(config)
    if not config.public_url:
        echo_err(f"Its links lead to {config.site_url}: readers' own need public_url.")
    if name == "welcome" and not config.signup.welcome:
        echo_err("Readers don't get it yet: set signup.welcome to true in newsletter.yml.")


def _describe_unknown_email(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    matches = get_close_matches(name, known, n=1)
    hint = f" Did you mean '{matches[0]}'?" if matches else ""
    return f"there is no email '{name}'.{hint} Choose one: {', '.join(known)}."


def _note_sandbox(config: "Config") -> None:
    if config.sendgrid.sandbox:
        echo("SendGrid has only validated it: sendgrid.sandbox is on, so nothing arrives.")
