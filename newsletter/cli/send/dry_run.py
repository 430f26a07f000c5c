"""``newsletter send --dry-run``: write the requests and sample emails."""

import datetime
import shlex
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from newsletter.cli.output import echo, format_fields, print_json
from newsletter.cli.progress import progress_bar
from newsletter.cli.send.proposal import (
    catch_up_rows,
    exclusion_rows,
    sender_rows,
    tracking_rows,
)
from newsletter.errors import Problem, SendRefusedError
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.sending.planning.dry_run import DryRunResult
    from newsletter.sending.planning.proposal import SendProposal

_STAND_IN_TOKENS = (
    "in readers' links are stand-ins of the same length, so that the files open no reader's page; "
    "--with-tokens writes the real ones"
)
_WORKING_TOKENS = "in readers' links are the real ones: anyone with the files can unsubscribe them"
# Parameters that are no part of the command that follows a dry run.
_NOT_REPEATED = {"issue", "dry_run", "with_tokens", "samples", "yes", "as_json"}


def perform_dry_run(  # noqa: PLR0913 - the command's options
    proposal: "SendProposal",
    schedule_rows: Iterable[tuple[str, str]],
    samples: int,
    *,
    approval_rows: Iterable[tuple[str, str]],
    with_tokens: bool,
    strict: bool,
    as_json: bool,
    more: Mapping[str, object],
) -> int:
    """Write the requests that a send would POST and sample emails; print their paths.

    Args:
        proposal: the send to simulate.
        schedule_rows: when it would be sent, in labels and values; empty for at once.
        samples: how many recipients' emails to write as ``.eml``.
        approval_rows: by which plan it is approved, in the same form; empty without one.
        with_tokens: whether to write the readers' own tokens instead of stand-ins.
        strict: whether a single recipient who can't be sent to is a failure.
        as_json: whether to print one JSON object instead of text.
        more: further keys of that object.

    Returns:
        The exit code.

    Raises:
        SendRefusedError: there are no recipients.
    """
    import sqlalchemy as sa

    from newsletter.db import read_transaction
    from newsletter.sending.planning.dry_run import export_dry_run
    from newsletter.sending.planning.preflight import no_recipients_problem
    from newsletter.subscribers import iter_audience
    from newsletter.subscribers.consent.dry_run_erasure import dry_run_folder

    if not proposal.audience.count:
        audience = proposal.audience
        raise SendRefusedError.from_problems(
            [no_recipients_problem(audience.segment, audience.topic)]
        )
    folder = dry_run_folder(proposal.project.build_dir, proposal.folder.name)
    with (
        read_transaction(proposal.ledger.engine) as connection,
        progress_bar(proposal.audience.count, "Writing") as advance,
    ):
        result = export_dry_run(
            proposal.prepared_email,
            {
                group.tracked: iter_audience(
                    connection, condition=sa.and_(proposal.audience.condition, group.condition)
                )
                for group in proposal.audience.tracking_groups
            },
            folder,
            with_tokens=with_tokens,
            sample_count=samples,
            now=datetime.datetime.now(datetime.UTC),
            progress=advance,
        )
    if as_json:
        print_json({**_to_dict(proposal, result), "with_tokens": with_tokens, **more})
    else:
        rows = (list(schedule_rows), list(approval_rows))
        _print_result(proposal, result, *rows, with_tokens=with_tokens)
    return int(strict and result.totals.rejected_count > 0)


def _to_dict(proposal: "SendProposal", result: "DryRunResult") -> dict[str, Any]:
    from newsletter.render.personalization import get_default_subject

    totals = result.totals
    segment = proposal.audience.segment.text if proposal.audience.segment else ""
    if proposal.resumed:
        segment = proposal.resumed.segment
    return {
        "issue": proposal.prepared_email.email.issue,
        "subject": get_default_subject(
            proposal.prepared_email.email, proposal.prepared_email.config
        ),
        "readers": totals.recipient_count,
        "requests": totals.request_count,
        "bytes": totals.total_bytes,
        "largest": totals.largest_bytes,
        "tracked": dict(totals.tracked_counts),
        "unfit": totals.rejected_count,
        "left_out": dict(proposal.audience.excluded),
        "topic": proposal.audience.topic,
        "segment": segment,
        "catch_up": proposal.catch_up is not None,
        "files": {
            "requests": str(result.bodies_path),
            "samples": [str(path) for path in result.sample_paths],
        },
        "refused": [str(problem) for problem in _list_problems(proposal)],
    }


def _print_result(
    proposal: "SendProposal",
    result: "DryRunResult",
    schedule_rows: list[tuple[str, str]],
    approval_rows: list[tuple[str, str]],
    *,
    with_tokens: bool,
) -> None:
    from newsletter.config.urls import FALLBACK_PUBLIC_URL
    from newsletter.project import display_path
    from newsletter.render.personalization import get_default_subject

    config, totals = proposal.project.config, result.totals
    rows = [
        *sender_rows(proposal),
        (
            "would go",
            format_count(totals.recipient_count, "reader")
            + f" in {format_count(totals.request_count, 'request')}",
        ),
        (
            "bytes",
            f"{totals.total_bytes:,} in all, {totals.largest_bytes:,} in the largest request",
        ),
        *tracking_rows(proposal, totals.tracked_counts),
        *catch_up_rows(proposal),
        *exclusion_rows(proposal),
        *schedule_rows,
        *approval_rows,
    ]
    if totals.rejected_count:
        rows.append(
            (
                "refused",
                f"{format_count(totals.rejected_count, 'reader')}: their merge tags are too long",
            )
        )
    rows.append(("ids", "batch numbers are placeholders for the IDs of a real send"))
    rows.append(("tokens", _WORKING_TOKENS if with_tokens else _STAND_IN_TOKENS))
    rows.append(("files", "readable only by you"))
    if not config.public_url and not config.sendgrid.asm_group:
        rows.append(
            ("links", f"readers' own links point to {FALLBACK_PUBLIC_URL}: an example host")
        )
    echo(get_default_subject(proposal.prepared_email.email, proposal.prepared_email.config))
    echo(format_fields(rows))
    for path in (result.bodies_path, *result.sample_paths):
        echo(display_path(path), color="green")
    if problems := _list_problems(proposal):
        echo("Nothing was sent. A real send would be refused:", color="yellow")
        echo(format_fields(("-", str(problem)) for problem in problems))
    else:
        resumed = proposal.resumed
        asks = "" if approval_rows else "ask for the count and "
        action = f"{asks}start"
        if resumed and resumed.state != "frozen":
            action = "resume its earlier send"
        elif schedule_rows:
            action = f"{asks}schedule it" if asks else "be scheduled"
        echo(f"Nothing was sent. A real send would {action}.")
        echo(f"Next: {_format_send_command(proposal.folder.name[11:])}")


def _list_problems(proposal: "SendProposal") -> list[Problem]:
    return [*proposal.problems, *filter(None, [proposal.schedule_problem])]


def _format_send_command(slug: str) -> str:
    """Return the command that does what a dry run has tried, with the options that were given."""
    context = click.get_current_context()
    words = ["newsletter", "send"] + ([] if context.params["plan_file"] else [slug])
    for parameter in context.command.params:
        name = str(parameter.name)
        is_given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if is_given and name not in _NOT_REPEATED:
            is_flag = isinstance(parameter, click.Option) and parameter.is_flag
            words += [parameter.opts[0]] if is_flag else [parameter.opts[0], context.params[name]]
    return shlex.join(map(str, words))
