"""``newsletter rehearse``: the true send, to a stand-in for SendGrid, with faults."""

import json
import signal
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import echo, format_fields
from newsletter.cli.progress import progress_bar
from newsletter.cli.send.shared import pluralize

if TYPE_CHECKING:
    from newsletter.sending.planning.proposal import SendProposal
    from newsletter.sending.rehearsal.result import RehearsalResult


@click.command(
    "rehearse", short_help="Rehearse a send against a stand-in for SendGrid, with faults."
)
@click.argument("issue", required=False)
@click.option(
    "--faults", default="default", show_default=True, metavar="default|none|NAME,…",
    help="What goes wrong on the way.",
)  # fmt: skip
@click.option(
    "--readers", type=click.IntRange(1, 1_000_000), metavar="N",
    help="N made-up readers instead of the list.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def rehearse_command(issue: str | None, *, faults: str, readers: int | None, as_json: bool) -> int:
    """Send an issue to nobody, by the very code that will send it, and prove who would have it.

    The list is copied into a scratch database, and the issue sent to a stand-in for SendGrid on
    this machine: answers are lost, requests fail, the sender is killed and started again. What
    is unknown then is settled as you would settle it. Nothing leaves this machine, list and
    ledger are only read, and no key is needed. Then the links of some mails are opened, as
    security software does, on your own pages over the scratch database.

    It exits with 0 only if nobody has it twice, nobody is lost, and no link acts by itself.

    \b
    Faults:
      lost-answer    taken, and the connection closed without an answer
      lost-request   read and forgotten, without an answer
      throttle       429, to go on in a second
      error          a 500 that was not taken, and a 503 that was
      reset          taken, and the connection reset in mid-answer
      cut            cut off before it was read
      garbage        taken, and answered with something that is no HTTP
      slow           taken, and answered when nobody waits any more
      kill           the sender killed, with its request taken and with it lost

    \b
    Examples:
      newsletter rehearse
      newsletter rehearse building-trust --faults lost-answer,kill
      newsletter rehearse building-trust --readers 10000
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from newsletter.db import database_engine
    from newsletter.project import find_issue, open_project
    from newsletter.sending.planning.proposal import SendOptions, propose_send
    from newsletter.sending.rehearsal.run import RehearsalOptions
    from newsletter.sending.rehearsal.run import run_rehearsal as run
    from newsletter.web.rehearsal_site import serve_rehearsal_site

    names = _parse_fault_names(faults)
    # Leave nothing behind, whoever stops it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    project = open_project()
    with database_engine(project.config.database, project.root) as engine:
        proposal = propose_send(
            project, find_issue(project, issue), engine, SendOptions(needs_api_key=False)
        )
        wish = RehearsalOptions(
            project, proposal.folder.name, engine, readers or 0, names, serve_rehearsal_site
        )
        with progress_bar(readers or proposal.recipient_count, "Rehearsing") as advance:
            proof = run(wish, advance)
    if as_json:
        refused = [str(problem) for problem in proposal.problems]
        echo(json.dumps({"issue": wish.issue, **proof.to_dict(), "refused": refused}))
    else:
        _print_result(proposal, proof, made_up=bool(readers))
    return 1 if proof.failures else 0


def _parse_fault_names(faults: str) -> tuple[str, ...]:
    """The kinds of faults that are meant."""
    from newsletter.sending.rehearsal.fault_plan import DEFAULT_FAULTS, FAULT_KINDS

    if faults == "default":
        return DEFAULT_FAULTS
    names = () if faults == "none" else tuple(name.strip() for name in faults.split(","))
    if unknown := [name for name in names if name not in FAULT_KINDS]:
        raise click.UsageError(f"no fault '{unknown[0]}'. There are: {', '.join(FAULT_KINDS)}.")
    return names


def _print_result(proposal: "SendProposal", result: "RehearsalResult", *, made_up: bool) -> None:
    from newsletter.render.personalization import get_default_subject

    echo(get_default_subject(proposal.prepared_email.email, proposal.prepared_email.config))
    echo(format_fields(_result_rows(proposal, result, made_up=made_up)))
    if result.failures:
        echo("The proof does not hold:", color="red")
        echo(format_fields(("-", gap) for gap in result.failures))
    else:
        echo("The proof holds: nobody has it twice, nobody is lost.", color="green")
    echo("Nothing left this machine.")
    if proposal.problems:
        echo("A real send would be refused:", color="yellow")
        echo(format_fields(("-", str(problem)) for problem in proposal.problems))
    elif not result.failures:
        echo(f"Next: newsletter send {proposal.folder.name[11:]}")


def _result_rows(
    proposal: "SendProposal", result: "RehearsalResult", *, made_up: bool
) -> list[tuple[str, str]]:
    largest = proposal.prepared_email.batch_size
    rows = [
        ("readers", f"{result.recipient_count:,}" + (", made up" if made_up else "")),
        ("accepted once", f"{result.delivered_once:,}"),
        ("accepted twice", f"{result.delivered_repeatedly:,}"),
        ("lost", f"{result.lost:,}"),
        ("unsubscribed", _format_link_scan(result)),
        ("set aside", f"{result.skipped:,}, each with its reason"),
        ("unknown", _format_unknown(result)),
        ("requests", f"{result.requests:,} for {pluralize(result.batches, 'batch')}"),
        ("kills", f"{pluralize(result.kills, 'time')} of the sender"),
        (
            "faults",
            ", ".join(f"{name} {times}" for name, times in result.faults_met.items()) or "none",
        ),
        ("time", f"{result.seconds:.1f} s"),
    ]
    if result.batch_size < largest:
        words = f"{result.batch_size:,} readers each, not {largest:,}: so that every fault is met"
        rows.insert(7, ("batches", words))
    if result.faults_not_met:
        rows.insert(
            -1, ("not met", f"{', '.join(result.faults_not_met)}: no request was left for it")
        )
    return [row for row in rows if row[0] != "set aside" or result.skipped]


def _format_link_scan(result: "RehearsalResult") -> str:
    scan = result.link_scan
    opened = f"{pluralize(scan.links, 'link')} of {pluralize(scan.readers, 'reader')}"
    return f"{scan.changed:,} by the scanner, which opened {opened}"


def _format_unknown(result: "RehearsalResult") -> str:
    settled = result.resolution
    if not settled.batches:
        return "0"
    return (
        f"{pluralize(settled.readers, 'reader')} in {pluralize(settled.batches, 'batch')}\n"
        f"{pluralize(settled.by_events, 'batch')} settled by the vendor's events\n"
        f"{pluralize(settled.sent_again, 'batch')} that never came, sent again"
    )
