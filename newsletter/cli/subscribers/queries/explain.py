"""``newsletter subscribers explain``: why a reader gets an issue or not."""

import dataclasses
import datetime
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.options import json_option
from newsletter.cli.output import STATUS_LABELS, echo, format_fields, print_error, print_json
from newsletter.cli.project_database import open_project_database
from newsletter.cli.subscribers.queries.issue_argument import find_issue_and_send, format_in_zone
from newsletter.errors import PostError, SubscriberListError
from newsletter.wording import format_suggestion

if TYPE_CHECKING:
    import sqlalchemy as sa

    from newsletter.project import Project
    from newsletter.subscribers.queries.explain import DeliveryDetails, DeliveryExplanation
    from newsletter.subscribers.queries.past_sends import PastSend
    from newsletter.subscribers.segments import Segment
    from newsletter.subscribers.topics import TopicOptOut

# ``None``: neither the term nor its negation is true, as the reader was not sent the issue.
TERM_RESULT_LABELS = {True: "yes", False: "no", None: "-"}


@click.command("explain", short_help="Explain why a reader gets an issue, or doesn't.")
@click.argument("address")
@click.option("--issue", metavar="ISSUE", help="A specific issue, sent or not.")
@click.option("--segment", metavar="NAME|QUERY", help="As if it were sent to this segment only.")
@json_option
def explain_command(address: str, *, issue: str | None, segment: str | None, as_json: bool) -> None:
    """Explain why the reader of ADDRESS gets an issue, or doesn't.

    It checks status, suppressions, each term of the segment, and what was already sent.

    \b
    Examples:
      newsletter subscribers explain ada@example.com
      newsletter subscribers explain ada@example.com --issue building-trust
    """
    from zoneinfo import ZoneInfo

    from newsletter.db import read_transaction
    from newsletter.project import open_project
    from newsletter.subscribers.address import parse_address
    from newsletter.subscribers.queries.explain import explain_delivery

    parsed = parse_address(address)
    project = open_project()
    zone = ZoneInfo(project.config.timezone)
    with open_project_database(project) as engine, read_transaction(engine) as connection:
        name, sent = find_issue_and_send(project, connection, issue) if issue else ("", None)
        topic = sent.topic if sent else _find_topic(project, name)
        chosen_segment = _find_segment(project, connection, segment, sent)
        now = datetime.datetime.now(datetime.UTC)
        explanation = explain_delivery(
            connection,
            parsed,
            segment=chosen_segment,
            past_send=sent,
            topic=topic,
            now=now,
            zone=zone,
        )
    if as_json:
        data = dataclasses.asdict(explanation)
        data["opt_outs"] = [opt_out._asdict() for opt_out in explanation.opt_outs]
        print_json({**data, "issue": name}, default=_json_default)
    else:
        _print_explanation(explanation, name, zone)


def _find_topic(project: "Project", issue: str) -> str:
    """Return the topic of an issue that was not sent; none if it can't be read."""
    from newsletter.posts.read_issue import read_issue

    if not issue:
        return ""
    try:
        return read_issue(project.issues_dir / issue, project.config).topic
    except PostError as error:
        print_error(error)
        return ""


def _find_segment(
    project: "Project", connection: "sa.Connection", query: str | None, sent: "PastSend | None"
) -> "Segment | None":
    """Return the segment of ``query``, or else that of the send, if that can still be parsed."""
    from newsletter.subscribers.segments import find_segment

    now = datetime.datetime.now(datetime.UTC)
    if query:
        besides = sent.issue if sent else ""
        return find_segment(connection, query, project.config, now, besides=besides)
    if sent is None or not sent.segment:
        return None
    try:
        return find_segment(connection, sent.segment, project.config, now, besides=sent.issue)
    except SubscriberListError as error:
        print_error(error)
        return None


def _json_default(value: object) -> Any:
    return value.isoformat() if isinstance(value, datetime.datetime) else str(value)


def _print_explanation(
    explanation: "DeliveryExplanation", issue: str, zone: datetime.tzinfo
) -> None:
    color = {"yes": "green", "maybe": "yellow", "no": "yellow"}[explanation.answer]
    echo(_format_headline(explanation, issue), color=color)
    rows = [("status", _format_status(explanation, zone))]
    for suppression in explanation.suppressed:
        scope = "" if suppression.scope == "all" else f", {suppression.scope}"
        since = f"since {format_in_zone(suppression.since, zone)} ({suppression.source}{scope})"
        rows.append(("suppressed", f"{suppression.reason} {since}"))
    if explanation.paused_until:
        rows.append(
            ("paused", f"until {format_in_zone(explanation.paused_until, zone)}, as they asked")
        )
    if explanation.topic:
        rows.append(("topic", explanation.topic))
    if explanation.opt_outs:
        rows.append(("opted out", format_opt_outs(explanation.opt_outs, zone)))
    if explanation.tracking:
        rows.append(("tracking", format_answers(explanation.tracking)))
    if explanation.terms:
        terms = (
            f"{TERM_RESULT_LABELS[term.holds]:<4}{'  ' * term.depth}{term.text}"
            for term in explanation.terms
        )
        rows.append(("segment", "\n".join(terms)))
    if explanation.sent:
        rows.append(
            ("issue", f"its send was made on {format_in_zone(explanation.sent.frozen_at, zone)}")
        )
        rows.append(
            (
                "copy",
                _format_copy(explanation.copy, zone)
                if explanation.copy
                else _explain_no_copy(explanation),
            )
        )
    echo(format_fields(rows))


def format_opt_outs(opt_outs: "Iterable[TopicOptOut]", zone: datetime.tzinfo) -> str:
    """Return the topics that a subscriber has opted out of, each with when and where."""
    return "\n".join(
        f"{opt_out.topic}, since {format_in_zone(opt_out.since, zone)} ({opt_out.source})"
        for opt_out in opt_outs
    )


def format_answers(answers: Mapping[Any, bool | None]) -> str:
    """Return what a subscriber has answered about tracking; empty if they were not asked."""
    return ", ".join(
        f"{action} {'allowed' if answer else 'refused'}"
        for action, answer in answers.items()
        if answer is not None
    )


def _format_headline(explanation: "DeliveryExplanation", issue: str) -> str:
    if not explanation.sent:
        verb = "would get" if explanation.answer == "yes" else "would not get"
        return f"{explanation.address} {verb} {issue or 'an issue'} now."
    state = explanation.copy.state if explanation.copy else ""
    if explanation.answer == "yes":
        return f"{explanation.address} {'got' if state == 'accepted' else 'will get'} {issue}."
    verb = "may have got" if explanation.answer == "maybe" else "did not get"
    return f"{explanation.address} {verb} {issue}."


def _format_status(explanation: "DeliveryExplanation", zone: datetime.tzinfo) -> str:
    if explanation.erased_at:
        return f"erased on request on {format_in_zone(explanation.erased_at, zone)}"
    if not explanation.status:
        return f"not in the list. {format_suggestion(explanation.near)}".removesuffix(". ")
    label = STATUS_LABELS[explanation.status].in_sentence
    if explanation.since is None:
        return label
    how = ", ".join(filter(None, (explanation.since.method, explanation.since.source)))
    return f"{label}, since {format_in_zone(explanation.since.at, zone)} ({how})"


def _format_copy(copy: "DeliveryDetails", zone: datetime.tzinfo) -> str:
    from newsletter.sending.ledger.recipient_status import RECIPIENT_STATE_LABELS

    label = RECIPIENT_STATE_LABELS[copy.state].in_history.format(provider="SendGrid")
    sent = f" on {format_in_zone(copy.sent_at, zone)}" if copy.sent_at else ""
    lines = [f"{label}{sent}{f': {copy.error}' if copy.error else ''}"]
    lines += [f"{type_} {format_in_zone(at, zone)}" for type_, at in copy.events]
    return "\n".join(lines)


def _explain_no_copy(explanation: "DeliveryExplanation") -> str:
    if not explanation.then:
        return "none: they were not in the list then"
    if explanation.then != "active":
        return f"none: they were {explanation.then} then"
    reasons = ["suppressed", "paused"]
    if explanation.topic:
        reasons.append("opted out of its topic")
    if explanation.sent and explanation.sent.segment:
        reasons.append("outside of its segment")
    return f"none: they were {', '.join(reasons[:-1])} or {reasons[-1]} then"
