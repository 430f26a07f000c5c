"""What ``newsletter send --dry-run`` writes and prints."""

import json
from typing import TYPE_CHECKING, Any

from newsletter.cli.output import fields, say
from newsletter.cli.progress import progress
from newsletter.cli.send.proposal import left_out, who
from newsletter.cli.send.shared import many

if TYPE_CHECKING:
    import sqlalchemy as sa

    from newsletter.sending.planning.dry_run import DryRun
    from newsletter.sending.planning.proposal import Proposal


def write(proposal: "Proposal", engine: "sa.Engine", samples: int, *, as_json: bool) -> int:
    """Write what a send would POST, and print where; returns the exit code."""
    import datetime

    from newsletter.db import reading
    from newsletter.errors import SendRefused
    from newsletter.sending.planning.dry_run import dry_run
    from newsletter.sending.planning.preflight import nobody
    from newsletter.subscribers import audience

    if not proposal.readers:
        raise SendRefused.of([nobody(proposal.segment)])
    folder = proposal.project.build / proposal.folder.name / "dry-run"
    with reading(engine) as connection, progress(proposal.readers, "Writing") as advance:
        done = dry_run(
            proposal.letter,
            audience(connection, within=proposal.within),
            folder,
            samples=samples,
            now=datetime.datetime.now(datetime.UTC),
            progress=advance,
        )
    if as_json:
        say(json.dumps(_as_data(proposal, done), ensure_ascii=False))
    else:
        _show_dry(proposal, done)
    return 0


def _as_data(proposal: "Proposal", done: "DryRun") -> dict[str, Any]:
    from newsletter.render.personalization import plain_subject

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
    from newsletter.render.personalization import plain_subject

    config, totals = proposal.project.config, done.totals
    rows = [
        *who(proposal),
        ("would go", f"{many(totals.readers, 'reader')} in {many(totals.requests, 'request')}"),
        ("bytes", f"{totals.bytes:,} in all, {totals.largest:,} in the largest request"),
        *left_out(proposal),
    ]
    if totals.unfit:
        rows.append(("refused", f"{many(totals.unfit, 'reader')}: their merge tags are too long"))
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
        say(f"Next: newsletter send {proposal.folder.name[11:]}")
