"""``newsletter rehearse``: send to a test double of SendGrid, with faults."""

from typing import TYPE_CHECKING

import click

from newsletter.cli.options import json_option
from newsletter.cli.output import echo, format_fields, print_json
from newsletter.cli.progress import progress_bar
from newsletter.cli.project_database import open_project_database
from newsletter.cli.signals import interrupt_on_stop_signals
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.sending.planning.proposal import SendProposal
    from newsletter.sending.rehearsal.result import RehearsalResult


@click.command(
    "rehearse", short_help="Rehearse a send against a test double of SendGrid, with faults."
)
@click.argument("issue", required=False)
@click.option(
    "--faults",
    default="default",
    show_default=True,
    metavar="default|none|NAME,…",
    help="The faults to inject.",
)
@click.option(
    "--readers",
    type=click.IntRange(1, 1_000_000),
    metavar="N",
    help="N made-up readers instead of the list.",
)
@json_option
def rehearse_command(issue: str | None, *, faults: str, readers: int | None, as_json: bool) -> int:
    """Rehearse a send with the real sending code, emailing nobody; prove who would get it.

    The list is copied into a scratch database, and the issue is sent to a test double of
    SendGrid on this machine: responses are lost, requests fail, the sender is killed and
    restarted. Then unknown batches are resolved as you would resolve them. Nothing leaves this
    machine, list and ledger are only read, and no key is needed. Then the links of some emails
    are opened, as security software does, on your own pages over the scratch database.

    It exits with 0 only if nobody gets it twice, nobody is lost, and opening a link changes
    nothing.

    \b
    Faults:
      lost-answer    accepted, then the connection is closed without a response
      lost-request   read and discarded, without a response
      throttle       429, to be retried in a second
      error          a 500 that was not accepted, and a 503 that was
      reset          accepted, then the connection is reset within the response
      cut            connection cut before the request was read
      garbage        accepted, but the response is not HTTP
      slow           accepted, but the response comes after the timeout
      kill           the sender is killed: request accepted, and request lost

    \b
    Examples:
      newsletter rehearse
      newsletter rehearse building-trust --faults lost-answer,kill
      newsletter rehearse building-trust --readers 10000
    """
    from newsletter.project import open_project
    from newsletter.sending.planning.proposal import SendOptions
    from newsletter.sending.rehearsal.run import RehearsalOptions, run_rehearsal
    from newsletter.sending.service import plan
    from newsletter.web.rehearsal_site import serve_rehearsal_site

    names = _parse_fault_names(faults)
    # They must clean up as Ctrl-C does: no scratch database or process may remain.
    interrupt_on_stop_signals()
    project = open_project()
    with open_project_database(project) as engine:
        proposal = plan(project, issue, engine, SendOptions(needs_api_key=False))
        options = RehearsalOptions(
            project, proposal.folder.name, engine, readers or 0, names, serve_rehearsal_site
        )
        with progress_bar(readers or proposal.audience.count, "Rehearsing") as advance:
            result = run_rehearsal(options, advance)
    if as_json:
        refused = [str(problem) for problem in proposal.problems]
        print_json({"issue": options.issue, **result.to_dict(), "refused": refused})
    else:
        _print_result(proposal, result, made_up=bool(readers))
    return 1 if result.failures else 0


def _parse_fault_names(faults: str) -> tuple[str, ...]:
    """Return the names of the faults that the option selects.

    Raises:
        click.UsageError: a name is unknown.
    """
    from newsletter.sending.rehearsal.fault_plan import DEFAULT_FAULTS, FAULT_KINDS

    if faults == "default":
        return DEFAULT_FAULTS
    names = () if faults == "none" else tuple(name.strip() for name in faults.split(","))
    if unknown := [name for name in names if name not in FAULT_KINDS]:
        raise click.UsageError(
            f"unknown fault '{unknown[0]}'. Choose from: {', '.join(FAULT_KINDS)}."
        )
    return names


def _print_result(proposal: "SendProposal", result: "RehearsalResult", *, made_up: bool) -> None:
    from newsletter.render.personalization import get_default_subject

    echo(get_default_subject(proposal.prepared_email.email, proposal.prepared_email.config))
    echo(format_fields(_result_rows(proposal, result, made_up=made_up)))
    if result.failures:
        echo("The rehearsal has failed:", color="red")
        echo(format_fields(("-", failure) for failure in result.failures))
    else:
        echo(
            "The rehearsal passed: nobody gets the email twice, and nobody is left out.",
            color="green",
        )
    echo("Nothing left this machine.")
    if proposal.problems:
        echo("A real send would be refused:", color="yellow")
        echo(format_fields(("-", str(problem)) for problem in proposal.problems))
    elif not result.failures:
        echo(f"Next: newsletter send {proposal.folder.name[11:]}")


def _result_rows(
    proposal: "SendProposal", result: "RehearsalResult", *, made_up: bool
) -> list[tuple[str, str]]:
    full_size, scan = proposal.prepared_email.batch_size, result.link_scan
    opened = f"{format_count(scan.links, 'link')} of {format_count(scan.readers, 'reader')}"
    rows = [
        ("readers", f"{result.recipient_count:,}" + (", made up" if made_up else "")),
        ("accepted once", f"{result.delivered_once:,}"),
        ("accepted twice", f"{result.delivered_repeatedly:,}"),
        ("lost", f"{result.lost:,}"),
        ("unsubscribed", f"{scan.changed:,} by the scanner, which opened {opened}"),
        ("set aside", f"{result.skipped:,}, each with its reason"),
        ("unknown", _format_unknown(result)),
        ("requests", f"{result.requests:,} for {format_count(result.batches, 'batch')}"),
        ("kills", f"{format_count(result.kills, 'time')} of the sender"),
        (
            "faults",
            ", ".join(f"{name} {times}" for name, times in result.faults_met.items()) or "none",
        ),
        ("time", f"{result.seconds:.1f} s"),
    ]
    if result.batch_size < full_size:
        size = format_count(result.batch_size, "reader")
        rows.insert(7, ("batches", f"{size} each, not {full_size:,}: so that all faults occur"))
    if result.faults_not_met:
        rows.insert(
            -1, ("not met", f"{', '.join(result.faults_not_met)}: no request was left for it")
        )
    return [row for row in rows if row[0] != "set aside" or result.skipped]


def _format_unknown(result: "RehearsalResult") -> str:
    resolution = result.resolution
    if not resolution.batches:
        return "0"
    return (
        f"{format_count(resolution.readers, 'reader')} in "
        f"{format_count(resolution.batches, 'batch')}\n"
        f"{format_count(resolution.by_events, 'batch')} resolved by the provider's events\n"
        f"{format_count(resolution.sent_again, 'batch')} never arrived, sent again"
    )
