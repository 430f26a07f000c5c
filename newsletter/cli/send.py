"""``newsletter send``: to every reader, once; or everything but that."""

import json
import os
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import confirm_count, fields, note, progress, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sqlalchemy as sa

    from newsletter.sending.dry_run import DryRun
    from newsletter.sending.ledger import Send
    from newsletter.sending.proposal import Proposal
    from newsletter.sending.verdict import Outcome

# The readers' states, as an editor would say them.
STATES = {
    "accepted": "sent",
    "skipped_late": "left the list meanwhile",
    "rejected": "refused by SendGrid",
    "dropped": "given up",
    "unknown": "unknown",
    "pending": "still to go",
}
REASONS = {"pending": "pending confirmation"}


@click.command(short_help="Send an issue to the readers, or rehearse it dry.")
@click.argument("issue", required=False)
@click.option("--dry-run", is_flag=True, help="Do everything but send: write what would go.")
@click.option(
    "--samples", type=click.IntRange(0, 1000), default=3, show_default=True,
    help="With --dry-run: how many readers' copies to write as .eml.",
)  # fmt: skip
@click.option(
    "--segment", metavar="NAME|QUERY",
    help="Only to the readers of a segment: its name in newsletter.yml, or a query.",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Don't ask for the count to be typed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def send(  # noqa: PLR0913 - one an option
    issue: str | None,
    *,
    dry_run: bool,
    samples: int,
    segment: str | None,
    yes: bool,
    as_json: bool,
) -> int:
    """Send an issue to every reader, once.

    ISSUE is a folder's name or a part of it; the newest if left out. It shows what will
    happen and waits until you have typed the number of readers. A send that was stopped
    goes on where it was; an issue that was sent is refused.

    With --dry-run nothing leaves and no key is needed: build/<issue>/dry-run/ gets every
    request as it would go, and the first readers' copies.

    \b
    Examples:
      newsletter send --dry-run
      newsletter send building-trust
      newsletter send building-trust --segment 'tag:vip and not opened:last-3'
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from newsletter.db import database
    from newsletter.errors import SendRefused
    from newsletter.project import find_issue, open_project
    from newsletter.sending.proposal import propose

    project = open_project()
    folder = find_issue(project, issue)
    with database(project.config.database, project.root) as engine:
        proposal = propose(project, folder, engine, segment or "")
        if dry_run:
            return _dry_run(proposal, engine, samples, as_json=as_json)
        if proposal.refused:
            raise SendRefused.of(proposal.refused)
        if not as_json:
            _show(proposal)
        if not yes:
            confirm_count(proposal.readers, "send")
        return _send(proposal, as_json=as_json)


def _send(proposal: "Proposal", *, as_json: bool) -> int:
    from newsletter.cli.terminal import watched
    from newsletter.sending.ledger import find
    from newsletter.sending.proposal import agree
    from newsletter.sending.sender import Sender
    from newsletter.sending.sendgrid import Mailer, key_from

    mailer = Mailer(key_from(os.environ), proposal.project.config.sendgrid)
    try:
        with watched(proposal.readers) as terminal:
            frozen = agree(proposal)
            outcome = Sender(proposal.ledger, frozen, proposal.letter, mailer, terminal).run()
    finally:
        mailer.close()
    now = find(proposal.ledger, frozen.issue) or frozen
    return _report(proposal, now, outcome, as_json=as_json)


def _report(proposal: "Proposal", send: "Send", outcome: "Outcome | None", *, as_json: bool) -> int:
    from newsletter.errors import VendorError
    from newsletter.sending.ledger import readers_by_state, unknown_batches

    counts = readers_by_state(proposal.ledger, send)
    unknown = unknown_batches(proposal.ledger, send)
    if as_json:
        data = {
            "issue": send.issue, "state": send.state, "total": send.total, "readers": counts,
            "left_out": dict(send.excluded), "reason": send.reason,
            "unknown": [
                {"batch": number, "readers": size, "reason": why} for number, size, why in unknown
            ],
        }  # fmt: skip
        click.echo(json.dumps(data, ensure_ascii=False))
    else:
        _say_counts(send, counts)
    for number, size, why in unknown:
        note(
            f"batch {number}: {why}; {size:,} readers may or may not have it. It is not sent "
            "again by itself: look for one of them in SendGrid's Activity.",
            colour="yellow",
        )
    again = f"newsletter send {_short(send.issue)}"
    if outcome:
        raise VendorError(
            f"SendGrid: {outcome.words}"
            if outcome.status
            else f"SendGrid can't be reached: {outcome.words}",
            remedy=" ".join(filter(None, (outcome.remedy, f"Go on with: {again}"))),
        )
    if counts.get("pending"):
        note(f"Go on with: {again}")
    return 0 if send.state == "done" else 1


def _say_counts(send: "Send", counts: "Mapping[str, int]") -> None:
    sent = counts.get("accepted", 0)
    done = send.state == "done"
    say(f"Sent to {sent:,} of {send.total:,} readers.", colour="green" if done else "yellow")
    rest = [(f"{counts[state]:,}", words) for state, words in STATES.items() if state in counts]
    if len(rest) > 1:
        say(fields(rest))


def _dry_run(proposal: "Proposal", engine: "sa.Engine", samples: int, *, as_json: bool) -> int:
    import datetime

    from newsletter.db import reading
    from newsletter.errors import SendRefused
    from newsletter.sending.dry_run import dry_run
    from newsletter.sending.preflight import nobody
    from newsletter.subscribers import audience

    if not proposal.audience:
        raise SendRefused.of([nobody(proposal.segment)])
    folder = proposal.project.build / proposal.folder.name / "dry-run"
    with reading(engine) as connection, progress(proposal.audience, "Writing") as advance:
        done = dry_run(
            proposal.letter,
            audience(connection, within=proposal.within),
            folder,
            samples=samples,
            now=datetime.datetime.now(datetime.UTC),
            progress=advance,
        )
    if as_json:
        click.echo(json.dumps(_as_data(proposal, done), ensure_ascii=False))
    else:
        _show_dry(proposal, done)
    return 0


def _as_data(proposal: "Proposal", done: "DryRun") -> dict[str, Any]:
    from newsletter.sending.payload import plain_subject

    totals = done.totals
    return {
        "issue": proposal.letter.email.issue,
        "subject": plain_subject(proposal.letter.email, proposal.letter.config),
        "readers": totals.readers,
        "requests": totals.requests,
        "bytes": totals.bytes,
        "largest": totals.largest,
        "unfit": totals.unfit,
        "left_out": dict(proposal.left_out),
        "segment": proposal.segment.text if proposal.segment else "",
        "files": {"requests": str(done.bodies), "samples": [str(path) for path in done.samples]},
        "refused": [str(problem) for problem in proposal.refused],
    }


def _show_dry(proposal: "Proposal", done: "DryRun") -> None:
    from newsletter.config.urls import EXAMPLE_URL
    from newsletter.project import shown
    from newsletter.sending.payload import plain_subject

    config, totals = proposal.project.config, done.totals
    rows = [
        *_who(proposal),
        ("would go", f"{_many(totals.readers, 'reader')} in {_many(totals.requests, 'request')}"),
        ("bytes", f"{totals.bytes:,} in all, {totals.largest:,} in the largest request"),
        *_left_out(proposal),
    ]
    if totals.unfit:
        rows.append(("refused", f"{_many(totals.unfit, 'reader')}: their merge tags are too long"))
    rows.append(("ids", "batch numbers stand for the ids that a real send makes"))
    if not config.public_url and not config.sendgrid.asm_group:
        rows.append(("links", f"readers' own links point to {EXAMPLE_URL}: nobody's server"))
    say(plain_subject(proposal.letter.email, proposal.letter.config))
    say(fields(rows))
    for path in (done.bodies, *done.samples):
        say(shown(path), colour="green")
    if proposal.refused:
        say("Nothing was sent. A real send would be refused:", colour="yellow")
        say(fields(("-", str(problem)) for problem in proposal.refused))
    else:
        words = "go on with its earlier send" if proposal.goes_on else "ask for the count and go"
        say(f"Nothing was sent. A real send would {words}.")
        say(f"Next: newsletter send {_short(proposal.folder.name)}")


def _show(proposal: "Proposal") -> None:
    from newsletter.sending.payload import plain_subject

    many = f"{_many(proposal.readers, 'reader')} in {_many(proposal.requests, 'request')}"
    if proposal.earlier and proposal.goes_on:
        many += f"; goes on with the send to {proposal.earlier.total:,} that was stopped"
    rows = [*_who(proposal), ("to", many), *_left_out(proposal)]
    if proposal.project.config.sendgrid.sandbox:
        rows.append(("sandbox", "SendGrid will check it and mail nobody; it counts as sent"))
    say(plain_subject(proposal.letter.email, proposal.letter.config))
    say(fields(rows))


def _who(proposal: "Proposal") -> list[tuple[str, str]]:
    email = proposal.letter.email
    rows = [("from", f"{email.sender.name} <{email.sender.address}>")]
    if email.reply_to:
        rows.append(("reply to", email.reply_to.address))
    return rows


def _left_out(proposal: "Proposal") -> list[tuple[str, str]]:
    some = [f"{count:,} {REASONS.get(why, why)}" for why, count in proposal.left_out.items()]
    rows = [("left out", ", ".join(some))] if some else []
    return [("segment", str(proposal.segment)), *rows] if proposal.segment else rows


def _short(name: str) -> str:
    return name[11:]


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
