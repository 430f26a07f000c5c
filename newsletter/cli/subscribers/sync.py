"""``newsletter subscribers sync``: brings SendGrid's suppressions into the list."""

import datetime
import json
import os
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import echo, echo_err, format_count, format_fields

if TYPE_CHECKING:
    from collections.abc import Iterable

    from newsletter.sending.feedback.suppression_sync import SuppressionSyncResult
    from newsletter.sending.providers.sendgrid.client import SendGridClient
    from newsletter.sending.providers.sendgrid.suppressions_api import SuppressionClient
    from newsletter.subscribers.consent.delivery_feedback import AppliedReport

MAX_SHOWN = 10
LONG_WAIT_SECONDS = 5.0


@click.command("sync", short_help="Bring SendGrid's bounces and unsubscribes into the list.")
@click.option(
    "--since", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE",
    help="Ask from this day on, instead of since the last sync.  [2026-11-22]",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def sync_command(since: datetime.datetime | None, *, dry_run: bool, as_json: bool) -> None:
    """Bring SendGrid's bounces, spam reports and unsubscribes into the list.

    Asks for bounces, invalid addresses, global unsubscribes, those of sendgrid.asm_group and
    spam reports since the last sync and a day more. Whoever is in the list is marked;
    others are kept out of imports. Blocks are only shown: SendGrid tries those again.
    Running it again changes nothing. The key needs the permission Suppressions to read.

    \b
    Example:
      newsletter subscribers sync --dry-run
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from zoneinfo import ZoneInfo

    from newsletter.db import database_engine
    from newsletter.project import open_project
    from newsletter.sending.feedback.suppression_sync import sync_suppressions as synced
    from newsletter.sending.providers.sendgrid.client import SendGridClient, read_api_key

    project = open_project()
    zone = ZoneInfo(project.config.timezone)
    mailer = SendGridClient(read_api_key(os.environ), project.config.sendgrid)
    done = []
    try:
        with database_engine(project.config.database, project.root) as engine:
            for each in synced(
                engine,
                _open_suppression_lists(mailer),
                group=project.config.sendgrid.asm_group,
                since=since.replace(tzinfo=zone) if since else None,
                dry_run=dry_run,
            ):
                done.append(each)
                if not as_json:
                    _print_list_result(each)
    finally:
        mailer.close()
    if as_json:
        data = {"dry_run": dry_run, "lists": [_to_dict(each) for each in done]}
        echo(json.dumps(data, ensure_ascii=False))
    else:
        _print_summary(done, dry_run=dry_run)


def _open_suppression_lists(mailer: "SendGridClient") -> "SuppressionClient":
    from newsletter.sending.providers.sendgrid.suppressions_api import SuppressionClient
    from newsletter.sending.retry_policy import backoff_seconds

    return SuppressionClient(
        mailer,
        _wait_for_provider,
        now=lambda: datetime.datetime.now(datetime.UTC),
        backoff=lambda tries: backoff_seconds(tries, random.random()),  # noqa: S311 - only spreads the tries
    )


def _wait_for_provider(seconds: float) -> None:
    import time

    if seconds > LONG_WAIT_SECONDS:
        echo_err(f"SendGrid is busy: asking again in {seconds:,.0f} s (Ctrl-C to stop)")
    time.sleep(seconds)


def _print_list_result(synced: "SuppressionSyncResult") -> None:
    from newsletter.sending.providers.sendgrid.suppressions_api import LIST_LABELS

    since = f"since {synced.since:%Y-%m-%d}" if synced.since else "in all"
    news = [
        f"{count:,} now {status}"
        for status, count in _count_by_status(synced.applied_reports).items()
    ]
    strangers = sum(not taken.listed for taken in synced.applied_reports)
    if strangers:
        news.append(f"{strangers:,} not in the list")
    if synced.blocks:
        news.append("SendGrid tries these again")
    said = ", ".join(news)
    echo(
        f"{LIST_LABELS[synced.list_name]:<19} {synced.fetched_count:>7,} {since:<16}  "
        f"{said}".rstrip()
    )


def _count_by_status(applied: "Iterable[AppliedReport]") -> Counter[str]:
    return Counter(each.after for each in applied if each.listed)


def _print_summary(results: "list[SuppressionSyncResult]", *, dry_run: bool) -> None:
    changed = [taken for each in results for taken in each.applied_reports if taken.listed]
    blocks = [block for each in results for block in each.blocks]
    if changed:
        echo()
        echo(
            format_fields(
                (each.address, f"{each.before} → {each.after}{_format_reason(each.wording)}")
                for each in changed[:MAX_SHOWN]
            )
        )
        if len(changed) > MAX_SHOWN:
            echo(f"  and {len(changed) - MAX_SHOWN:,} more; all of them with --json")
    if blocks:
        echo()
        echo("Blocked lately, and still in the list:")
        echo(format_fields((each.address, each.reason) for each in blocks[:MAX_SHOWN]))
    if dry_run:
        echo("Nothing was changed: this was a dry run.")
    elif any(each.applied_reports for each in results):
        echo(f"{format_count(len(changed), 'reader')} changed.", color="green")
    else:
        echo("Nothing new: the list knows it all.", color="green")


def _format_reason(wording: str) -> str:
    return f" ({wording})" if wording else ""


def _to_dict(synced: "SuppressionSyncResult") -> dict[str, Any]:
    return {
        "list": synced.list_name,
        "since": synced.since.isoformat() if synced.since else None,
        "fetched": synced.fetched_count,
        "changed": [taken._asdict() for taken in synced.applied_reports],
        "blocks": [{"address": each.address, "reason": each.reason} for each in synced.blocks],
    }
