"""``newsletter subscribers explain``: why one reader gets an issue, or doesn't."""

import dataclasses
import datetime
import json
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import complain, fields, say
from newsletter.cli.subscribers.queries.issue_argument import issue_and_send, moment

if TYPE_CHECKING:
    import sqlalchemy as sa

    from newsletter.project import Project
    from newsletter.subscribers.queries.explain import Copy, Explanation
    from newsletter.subscribers.queries.past_sends import Sent
    from newsletter.subscribers.segments import Segment

# What became of a copy, as an editor would say it.
STATES = {
    "accepted": "sent",
    "pending": "still to go",
    "skipped_late": "left out at the last moment",
    "rejected": "refused by SendGrid",
    "dropped": "given up",
    "unknown": "may have been sent: nobody can tell",
}
STATUSES = {
    "pending": "pending: they have not confirmed yet",
    "unsubscribed": "unsubscribed",
    "bounced": "bounced: their mail came back",
    "complained": "complained: they reported an issue as spam",
    "active": "active",
}


@click.command(short_help="Explain why a reader gets an issue, or doesn't.")
@click.argument("address")
@click.option("--issue", metavar="ISSUE", help="A certain issue, sent or not.")
@click.option(
    "--segment", metavar="NAME|QUERY", help="As if it went to this segment of the readers alone."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def explain(address: str, *, issue: str | None, segment: str | None, as_json: bool) -> None:
    """Explain why the reader of ADDRESS gets an issue, or doesn't.

    It looks at status, suppressions, the segment part by part, and what was sent already.

    \b
    Examples:
      newsletter subscribers explain ada@example.com
      newsletter subscribers explain ada@example.com --issue building-trust
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from zoneinfo import ZoneInfo

    from newsletter.db import database, reading
    from newsletter.project import open_project
    from newsletter.subscribers.address import parse_address
    from newsletter.subscribers.queries import explain as explaining

    of = parse_address(address)
    project = open_project()
    zone = ZoneInfo(project.config.timezone)
    with (
        database(project.config.database, project.root) as engine,
        reading(engine) as connection,
    ):
        name, sent = issue_and_send(project, connection, issue) if issue else ("", None)
        chosen = _segment(project, connection, segment, sent)
        now = datetime.datetime.now(datetime.UTC)
        found = explaining.explain(connection, of, segment=chosen, sent=sent, now=now, zone=zone)
    if as_json:
        say(json.dumps({**dataclasses.asdict(found), "issue": name}, default=_plain))
    else:
        _show(found, name, zone)


def _segment(
    project: "Project", connection: "sa.Connection", wanted: str | None, sent: "Sent | None"
) -> "Segment | None":
    """The segment that was asked for, or that of the send, if it can still be read."""
    from newsletter.errors import ListError
    from newsletter.subscribers.segments import find_segment

    now = datetime.datetime.now(datetime.UTC)
    if wanted:
        return find_segment(connection, wanted, project.config, now)
    if sent is None or not sent.segment:
        return None
    try:
        return find_segment(connection, sent.segment, project.config, now)
    except ListError as error:
        complain(error)
        return None


def _plain(value: object) -> Any:
    return value.isoformat() if isinstance(value, datetime.datetime) else str(value)


def _show(found: "Explanation", issue: str, zone: datetime.tzinfo) -> None:
    colour = {"yes": "green", "maybe": "yellow", "no": "yellow"}[found.answer]
    say(_headline(found, issue), colour=colour)
    rows = [("status", _status(found, zone))]
    for each in found.suppressed:
        where = "" if each.scope == "all" else f", {each.scope}"
        since = f"since {moment(each.since, zone)} ({each.source}{where})"
        rows.append(("suppressed", f"{each.reason} {since}"))
    if found.paused_until:
        rows.append(("paused", f"until {moment(found.paused_until, zone)}, as they asked"))
    if found.terms:
        terms = (
            f"{'yes' if term.holds else 'no ':<4}{'  ' * term.depth}{term.text}"
            for term in found.terms
        )
        rows.append(("segment", "\n".join(terms)))
    if found.sent:
        rows.append(("issue", f"its send was made on {moment(found.sent.frozen_at, zone)}"))
        rows.append(("copy", _copy(found.copy, zone) if found.copy else _why_none(found)))
    say(fields(rows))


def _headline(found: "Explanation", issue: str) -> str:
    if not found.sent:
        would = "would get" if found.answer == "yes" else "would not get"
        return f"{found.address} {would} {issue or 'an issue'} now."
    state = found.copy.state if found.copy else ""
    if found.answer == "yes":
        return f"{found.address} {'got' if state == 'accepted' else 'will get'} {issue}."
    says = "may have got" if found.answer == "maybe" else "did not get"
    return f"{found.address} {says} {issue}."


def _status(found: "Explanation", zone: datetime.tzinfo) -> str:
    if found.erased_at:
        return f"erased on request on {moment(found.erased_at, zone)}"
    if not found.status:
        return "not in the list"
    words = STATUSES[found.status]
    if found.since is None:
        return words
    how = ", ".join(filter(None, (found.since.how, found.since.source)))
    return f"{words}, since {moment(found.since.at, zone)} ({how})"


def _copy(copy: "Copy", zone: datetime.tzinfo) -> str:
    sent = f" on {moment(copy.sent_at, zone)}" if copy.sent_at else ""
    lines = [f"{STATES[copy.state]}{sent}{f': {copy.error}' if copy.error else ''}"]
    lines += [f"{type_} {moment(at, zone)}" for type_, at in copy.events]
    return "\n".join(lines)


def _why_none(found: "Explanation") -> str:
    if not found.then:
        return "none: they were not in the list then"
    if found.then != "active":
        return f"none: they were {found.then} then"
    others = (
        ", paused or outside of its segment" if found.sent and found.sent.segment else " or paused"
    )
    return f"none: they were suppressed{others} then"
