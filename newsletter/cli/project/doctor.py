"""``newsletter doctor``: whether all is in place for a send."""

import json
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import echo, echo_err, escape_controls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from newsletter.project import Project
    from newsletter.sending.doctor.local import DoctorCheck

_COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}
_WIDTH = 80


@click.command("doctor", short_help="See whether all is in place for a send.")
@click.option("--online", is_flag=True, help="Ask SendGrid, the name servers and your server too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object with every line.")
def doctor_command(*, online: bool, as_json: bool) -> int:
    """See whether all is in place for a send: settings, key, list, templates, sender.

    Nothing is sent and nothing is changed. With --online SendGrid is asked what the key may do
    and whether the sender is verified, the name servers for SPF, DKIM, DMARC and MX, and your
    own server whether readers can leave. Exits with 1 if anything fails.

    \b
    Examples:
      newsletter doctor
      newsletter doctor --online
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    lines: list[DoctorCheck] = []
    for line in _run_checks(online=online):
        lines.append(line)
        if not as_json:
            _print_check(line)
    counts = {state: sum(line.state == state for line in lines) for state in _COLORS}
    if as_json:
        from dataclasses import asdict

        checks = [asdict(line) for line in lines]
        echo(json.dumps({**counts, "checks": checks}, ensure_ascii=False))
    else:
        _print_summary(counts, online=online)
    return int(bool(counts["fail"]))


def _run_checks(*, online: bool) -> "Iterator[DoctorCheck]":
    import datetime
    import os

    from newsletter.errors import NewsletterError
    from newsletter.project import open_project
    from newsletter.sending.doctor.local import check_local_setup, fail_for_problem

    try:
        project = open_project()
    except NewsletterError as error:
        for problem in error.problems:
            yield fail_for_problem("settings", problem)
        return
    yield from check_local_setup(project, os.environ, lambda: datetime.datetime.now(datetime.UTC))
    if online:
        yield from _run_online_checks(project)


def _run_online_checks(project: "Project") -> "Iterator[DoctorCheck]":
    import datetime
    import os
    from contextlib import closing

    from newsletter.errors import ConfigError
    from newsletter.sending.doctor.dns import DnsResolver, check_domain
    from newsletter.sending.doctor.local import sender_domain
    from newsletter.sending.doctor.online import check_account, check_one_click_unsubscribe
    from newsletter.sending.providers.sendgrid.client import SendGridClient, read_api_key

    config = project.config
    try:
        mailer = SendGridClient(read_api_key(os.environ), config.sendgrid)
    except ConfigError:
        pass  # told by the line about the key
    else:
        with closing(mailer):
            yield from check_account(config, mailer, datetime.datetime.now(datetime.UTC))
    yield from check_domain(sender_domain(config), DnsResolver())
    yield from check_one_click_unsubscribe(config)


def _print_check(line: "DoctorCheck") -> None:
    import textwrap

    head = f"{line.state:<4}  {line.about}: "
    indent = " " * 6
    wrapped = textwrap.wrap(
        escape_controls(f"{head}{line.says}"),
        _WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    echo(wrapped[0], color=_COLORS[line.state])
    for more in wrapped[1:]:
        echo(more)
    for text in (line.meaning, line.next_step):
        if text:
            echo(
                textwrap.fill(
                    escape_controls(text),
                    _WIDTH,
                    initial_indent=indent,
                    subsequent_indent=indent,
                    break_long_words=False,
                    break_on_hyphens=False,
                )
            )


def _print_summary(counts: dict[str, int], *, online: bool) -> None:
    wrong, look = counts["fail"], counts["warn"]
    told = f"{wrong} to mend, {look} to look at, {counts['ok']} in order"
    echo(told, color="red" if wrong else "yellow" if look else "green")
    if not online and not wrong:
        echo_err("Next: newsletter doctor --online")
    elif not wrong:
        echo_err("Next: newsletter check --online")
