"""``newsletter test``: a marked copy to yourself."""

import json
import os
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import say

if TYPE_CHECKING:
    from newsletter.sending.sendgrid import Mailer


@click.command(short_help="Send a marked copy to yourself.")
@click.argument("issue", required=False)
@click.option("--to", "addresses", multiple=True, required=True, metavar="ADDRESS",
              help="Where to send it; may be given several times.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def test(issue: str | None, *, addresses: tuple[str, ...], as_json: bool) -> None:
    """Send a copy marked [TEST] to ADDRESS, filled in for a sample reader.

    ISSUE is a folder's name or a part of it; the newest if left out. Drafts may be
    tested. The list and the record of sends are left alone, and the links to leave
    and to preferences are a sample's: they change nobody.

    \b
    Example:
      newsletter test building-trust --to me@example.com
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from newsletter.project import find_issue, open_project
    from newsletter.sending.payload import plain_subject
    from newsletter.sending.proposal import render
    from newsletter.sending.sample import MARK, test_requests
    from newsletter.sending.sendgrid import Mailer, key_from

    to = _unique(addresses)
    project = open_project()
    config = project.config
    _, email = render(project, find_issue(project, issue))
    requests = list(test_requests(email, config, to))
    mailer = Mailer(key_from(os.environ), config.sendgrid)
    try:
        for one in requests:
            _post(mailer, one.body, sandbox=config.sendgrid.sandbox)
    finally:
        mailer.close()
    subject = f"{MARK} {plain_subject(email, config)}"
    if as_json:
        data = {"issue": email.issue, "subject": subject, "to": to}
        click.echo(json.dumps(data, ensure_ascii=False))
        return
    say(f"Sent {subject} to {', '.join(to)}", colour="green")
    if config.sendgrid.sandbox:
        say("SendGrid has only checked it: sendgrid.sandbox is on, so nothing arrives.")


def _post(mailer: "Mailer", body: bytes, *, sandbox: bool) -> None:
    import datetime

    from newsletter.errors import VendorError
    from newsletter.sending.verdict import judge

    outcome = judge(mailer.post_mail(body), datetime.datetime.now(datetime.UTC), sandbox=sandbox)
    match outcome.kind:
        case "accepted":
            return
        case "not_sent":
            raise VendorError(f"nothing was sent: {outcome.words}", remedy="Try again.")
        case "unknown":
            raise VendorError(
                f"the copy may or may not be on its way: {outcome.words}",
                remedy="Look into the inbox before you try again.",
            )
        case "throttled":
            raise VendorError("SendGrid takes no more just now", remedy="Try again in a minute.")
        case _:
            raise VendorError(f"SendGrid: {outcome.words}", remedy=outcome.remedy)


def _unique(addresses: tuple[str, ...]) -> list[str]:
    """Each address once, its domain in ASCII, in the order given."""
    from newsletter.subscribers.address import parse_address

    parsed = {one.key: one.address for one in map(parse_address, addresses)}
    return [f"{box.rpartition('@')[0]}@{key.rpartition('@')[2]}" for key, box in parsed.items()]
