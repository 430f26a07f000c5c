"""``newsletter subscribers sync``: import SendGrid's suppression lists."""

import datetime
import os
import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.options import json_option
from newsletter.cli.output import echo, echo_err, format_fields, print_json
from newsletter.cli.project_database import open_project_database
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.sending.feedback.suppression_sync import SuppressionSyncResult
    from newsletter.sending.providers.suppressions import RetryTiming

MAX_SHOWN = 10
LONG_WAIT_SECONDS = 5.0


@click.command("sync", short_help="Bring SendGrid's bounces and unsubscribes into the list.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Fetch from this day on, instead of since the last sync.  [2026-11-22]",
)
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@json_option
def sync_command(since: datetime.datetime | None, *, dry_run: bool, as_json: bool) -> None:
    """Bring SendGrid's bounces, spam reports and unsubscribes into the list.

    Fetches bounces, invalid addresses, global unsubscribes, those of sendgrid.asm_group and
    spam reports, from a day before the last sync on. Readers on the list are marked;
    others are kept out of imports. Blocks are only shown: SendGrid retries those.
    Running it again changes nothing. The key needs read access to Suppressions.

    \b
    Example:
      newsletter subscribers sync --dry-run
    """
    from zoneinfo import ZoneInfo

    from newsletter.project import open_project
    from newsletter.sending.feedback.suppression_sync import sync_suppressions
    from newsletter.sending.providers.registry import get_provider

    project = open_project()
    zone = ZoneInfo(project.config.timezone)
    provider = get_provider(project.config)
    results = []
    with provider.connect(os.environ) as client, open_project_database(project) as engine:
        for result in sync_suppressions(
            engine,
            provider.open_suppressions(client, _make_retry_timing()),
            since=since.replace(tzinfo=zone) if since else None,
            dry_run=dry_run,
        ):
            results.append(result)
            if not as_json:
                _print_list_result(result)
    if as_json:
        data = {"dry_run": dry_run, "lists": [_to_dict(result) for result in results]}
        print_json(data)
    else:
        _print_summary(results, dry_run=dry_run)


def _make_retry_timing() -> "RetryTiming":
    from newsletter.sending.providers.suppressions import RetryTiming
    from newsletter.sending.retry_policy import backoff_seconds

    return RetryTiming(
        _wait_for_provider,
        now=lambda: datetime.datetime.now(datetime.UTC),
        backoff=lambda tries: backoff_seconds(tries, random.random()),  # noqa: S311 - jitter only
    )


def _wait_for_provider(seconds: float) -> None:
    if seconds > LONG_WAIT_SECONDS:
        echo_err(f"SendGrid is busy: retrying in {seconds:,.0f} s (Ctrl-C to stop)")
    time.sleep(seconds)


def _print_list_result(result: "SuppressionSyncResult") -> None:
    since = f"since {result.since:%Y-%m-%d}" if result.since else "in all"
    counts = Counter(report.after for report in result.applied_reports if report.listed)
    remarks = [f"{count:,} now {status}" for status, count in counts.items()]
    unlisted_count = sum(not report.listed for report in result.applied_reports)
    if unlisted_count:
        remarks.append(f"{unlisted_count:,} not in the list")
    if result.blocks:
        remarks.append("SendGrid retries these")
    echo(
        f"{result.label:<19} {result.fetched_count:>7,} {since:<16}  {', '.join(remarks)}".rstrip()
    )


def _print_summary(results: "list[SuppressionSyncResult]", *, dry_run: bool) -> None:
    changed = [report for result in results for report in result.applied_reports if report.listed]
    blocks = [block for result in results for block in result.blocks]
    if changed:
        echo()
        echo(
            format_fields(
                (
                    report.address,
                    f"{report.before} → {report.after}"
                    + (f" ({report.wording})" if report.wording else ""),
                )
                for report in changed[:MAX_SHOWN]
            )
        )
        if len(changed) > MAX_SHOWN:
            echo(f"  and {len(changed) - MAX_SHOWN:,} more; all of them with --json")
    if blocks:
        echo()
        echo("Blocked recently, and still in the list:")
        echo(format_fields((block.address, block.reason) for block in blocks[:MAX_SHOWN]))
    if dry_run:
        echo("Nothing was changed: this was a dry run.")
    elif any(result.applied_reports for result in results):
        echo(f"{format_count(len(changed), 'reader')} changed.", color="green")
    else:
        echo("Nothing new: the list is up to date.", color="green")


def _to_dict(result: "SuppressionSyncResult") -> dict[str, Any]:
    return {
        "list": result.list_name,
        "since": result.since.isoformat() if result.since else None,
        "fetched": result.fetched_count,
        "changed": [report._asdict() for report in result.applied_reports],
        "blocks": [{"address": block.address, "reason": block.reason} for block in result.blocks],
    }
