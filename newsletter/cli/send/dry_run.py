"""What ``newsletter send --dry-run`` writes and prints."""

import json
from typing import TYPE_CHECKING, Any

from newsletter.cli.output import echo, format_fields
from newsletter.cli.progress import progress_bar
from newsletter.cli.send.proposal import exclusion_rows, sender_rows
from newsletter.cli.send.shared import pluralize

if TYPE_CHECKING:
    import sqlalchemy as sa

    from newsletter.sending.planning.dry_run import DryRun
    from newsletter.sending.planning.proposal import Proposal


def perform_dry_run(
    proposal: "Proposal", engine: "sa.Engine", samples: int, *, as_json: bool
) -> int:
    """Write what a send would POST, and print where; returns the exit code."""
    import datetime

    from newsletter.db import reading
    from newsletter.errors import SendRefusedError
    from newsletter.sending.planning.dry_run import dry_run
    from newsletter.sending.planning.preflight import nobody
    from newsletter.subscribers import audience

    if not proposal.readers:
        raise SendRefusedError.from_problems([nobody(proposal.segment)])
    folder = proposal.project.build_dir / proposal.folder.name / "dry-run"
    with reading(engine) as connection, progress_bar(proposal.readers, "Writing") as advance:
        done = dry_run(
            proposal.letter,
            audience(connection, within=proposal.within),
            folder,
            samples=samples,
            now=datetime.datetime.now(datetime.UTC),
            progress=advance,
        )
    if as_json:
        echo(json.dumps(_to_dict(proposal, done), ensure_ascii=False))
    else:
        _print_result(proposal, done)
    return 0


def _to_dict(proposal: "Proposal", result: "DryRun") -> dict[str, Any]:
    from newsletter.render.personalization import plain_subject

    totals = result.totals
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
        "files": {
            "requests": str(result.bodies),
            "samples": [str(path) for path in result.samples],
        },
        "refused": [str(problem) for problem in proposal.refused],
    }


def _print_result(proposal: "Proposal", result: "DryRun") -> None:
    from newsletter.config.urls import EXAMPLE_URL
    from newsletter.project import display_path
    from newsletter.render.personalization import plain_subject

    config, totals = proposal.project.config, result.totals
    rows = [
        *sender_rows(proposal),
        (
            "would go",
            f"{pluralize(totals.readers, 'reader')} in {pluralize(totals.requests, 'request')}",
        ),
        ("bytes", f"{totals.bytes:,} in all, {totals.largest:,} in the largest request"),
        *exclusion_rows(proposal),
    ]
    if totals.unfit:
        rows.append(
            ("refused", f"{pluralize(totals.unfit, 'reader')}: their merge tags are too long")
        )
    rows.append(("ids", "batch numbers stand for the ids that a real send makes"))
    if not config.public_url and not config.sendgrid.asm_group:
        rows.append(("links", f"readers' own links point to {EXAMPLE_URL}: nobody's server"))
    echo(plain_subject(proposal.letter.email, proposal.letter.config))
    echo(format_fields(rows))
    for path in (result.bodies, *result.samples):
        echo(display_path(path), color="green")
    if proposal.refused:
        echo("Nothing was sent. A real send would be refused:", color="yellow")
        echo(format_fields(("-", str(problem)) for problem in proposal.refused))
    else:
        words = "go on with its earlier send" if proposal.goes_on else "ask for the count and go"
        echo(f"Nothing was sent. A real send would {words}.")
        echo(f"Next: newsletter send {proposal.folder.name[11:]}")
