"""``newsletter doctor``: check settings, key, list and sender for a send."""

import datetime
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from newsletter.cli.options import json_option
from newsletter.cli.output import echo, echo_err, escape_controls, print_json
from newsletter.cli.wrap_message import wrap_message
from newsletter.errors import ConfigError, NewsletterError
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.project import Project
    from newsletter.sending.doctor_check import DnsRecord, DoctorCheck

_COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}
_WIDTH = 80


@click.command("doctor", short_help="Check that everything is ready for a send.")
@click.option("--online", is_flag=True, help="Ask SendGrid, the name servers and your server too.")
@click.option("--notify", is_flag=True, help="Send a test notification, as notify: says.")
@json_option
def doctor_command(*, online: bool, notify: bool, as_json: bool) -> int:
    """Check that everything is ready for a send: settings, key, list, templates, sender.

    Nothing is sent and nothing is changed. With --online SendGrid is asked what the key may do
    and whether the sender is verified, the name servers for SPF, DKIM, DMARC and MX, and your
    own server whether readers can unsubscribe; DNS records that are missing are printed, one
    on a line, as host, type and value. With --notify a test notification is sent to you. Exits
    with 1 if anything fails.

    \b
    Examples:
      newsletter doctor
      newsletter doctor --online
      newsletter doctor --notify
    """
    checks: list[DoctorCheck] = []
    for check in _run_checks(online=online, notify=notify):
        checks.append(check)
        if not as_json:
            _print_check(check)
    counts = _count_states(checks)
    if as_json:
        from dataclasses import asdict

        print_json({**counts, "checks": [asdict(check) for check in checks]})
        return int(bool(counts["fail"]))
    _print_summary(counts)
    if not counts["fail"]:
        echo_err(f"Next: newsletter {'check' if online else 'doctor'} --online")
    return int(bool(counts["fail"]))


def print_local_checks() -> int:
    """Print what the doctor finds without the network; return the number of failures."""
    checks: list[DoctorCheck] = []
    for check in _run_checks(online=False, notify=False):
        checks.append(check)
        _print_check(check)
    counts = _count_states(checks)
    _print_summary(counts)
    return counts["fail"]


def _run_checks(*, online: bool, notify: bool) -> Iterator["DoctorCheck"]:
    from newsletter.project import open_project
    from newsletter.sending.doctor.local import check_local_setup
    from newsletter.sending.doctor.notify_setting import check_notify_setting
    from newsletter.sending.doctor_check import fail_for_problem

    try:
        project = open_project()
    except NewsletterError as error:
        for problem in error.problems:
            yield fail_for_problem("settings", problem)
        return
    yield from check_local_setup(project, os.environ, lambda: datetime.datetime.now(datetime.UTC))
    yield from _check_archive(project)
    yield from _check_notifications(project) if notify else check_notify_setting(project)
    if online:
        yield from _run_online_checks(project)


def _check_archive(project: "Project") -> Iterator["DoctorCheck"]:
    from newsletter.db.engine import open_existing_database
    from newsletter.web.archive.bad_issues import check_archived_issues

    config = project.config
    try:
        engine = open_existing_database(config.database, project.root, config.id)
        if engine is not None:
            try:
                now = datetime.datetime.now(datetime.UTC)
                yield from check_archived_issues(project, engine, now)
            finally:
                engine.dispose()
    except NewsletterError:
        pass  # the check of the database reports it


def _check_notifications(project: "Project") -> Iterator["DoctorCheck"]:
    """Send a test notification by each channel; yield whether it was sent."""
    from newsletter.sending.doctor_check import fail, ok
    from newsletter.sending.notifications.channels import send_notification
    from newsletter.sending.notifications.notification import describe_test

    results = send_notification(project, describe_test(project.config.name), os.environ)
    if not results:
        yield fail(
            "notify",
            "nobody is notified about sends",
            "There is nothing to try.",
            "Set notify.email or notify.command in newsletter.yml.",
        )
    for channel, failure in results:
        if failure:
            yield fail("notify", f"no notification was sent {channel}: {failure}", "")
        else:
            yield ok("notify", f"a test notification was sent {channel}")


def _run_online_checks(project: "Project") -> Iterator["DoctorCheck"]:
    from newsletter.sending.doctor.dns import DnsResolver, check_sender_domain
    from newsletter.sending.doctor.online import check_account, check_one_click_unsubscribe
    from newsletter.sending.doctor.published_records import leave_missing_records
    from newsletter.sending.providers.registry import get_provider

    config, resolver = project.config, DnsResolver()
    try:
        with get_provider(config).connect(os.environ) as client:
            for check in check_account(config, client, datetime.datetime.now(datetime.UTC)):
                yield leave_missing_records(check, resolver)
    except ConfigError:
        pass  # the local check of the key reports it
    yield from check_sender_domain(config.sender.address, resolver)
    yield from check_one_click_unsubscribe(config)


def _print_check(check: "DoctorCheck") -> None:
    indent = " " * 6
    head = escape_controls(f"{check.state:<4}  {check.about}: {check.says}")
    first, *continuations = wrap_message(head, _WIDTH, indent=indent).split("\n")
    echo(first, color=_COLORS[check.state])
    for line in continuations:
        echo(line)
    for text in filter(None, (check.meaning, check.next_step)):
        echo(wrap_message(escape_controls(text), _WIDTH, first_indent=indent, indent=indent))
    for line in _format_records(check.records):
        echo(f"{indent}{line}")  # not wrapped: each value is to be copied


def _format_records(records: "Sequence[DnsRecord]") -> Iterator[str]:
    """Yield host, type and value of each record in columns; texts are quoted, as in a zone file."""
    width = max((len(record.host) for record in records), default=0)
    for record in records:
        value = f'"{record.value}"' if record.type == "TXT" else record.value
        yield f"{record.host:<{width}}  {record.type:<5}  {value}"


def _count_states(checks: "Sequence[DoctorCheck]") -> dict[str, int]:
    return {state: sum(check.state == state for check in checks) for state in _COLORS}


def _print_summary(counts: dict[str, int]) -> None:
    failures, warnings = counts["fail"], counts["warn"]
    summary = (
        f"{format_count(failures, 'error')}, {format_count(warnings, 'warning')}, "
        f"{counts['ok']} passed"
    )
    echo(summary, color="red" if failures else "yellow" if warnings else "green")
