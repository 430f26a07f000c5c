"""Build the report of one send."""

import datetime
from typing import Any

import sqlalchemy as sa

from newsletter.config.models import Config
from newsletter.config.urls import build_preferences_url, build_unsubscribe_url
from newsletter.db.schema import send_content, send_recipient
from newsletter.posts.merge_tags.tags import MergeTag
from newsletter.reports.comparison import (
    StartedSend,
    attribution_window,
    compute_medians,
    compute_rates,
    count_growth,
    list_started_sends,
)
from newsletter.reports.counts import count_send_results
from newsletter.reports.engagement import count_clicks, count_opens
from newsletter.reports.links import extract_issue_links, fill_defaults
from newsletter.reports.model import SendReport
from newsletter.reports.tracked_readers import count_agreed_readers


def build_send_report(
    connection: sa.Connection, started_send: StartedSend, config: Config, now: datetime.datetime
) -> SendReport:
    """Return the report of a send, from the ledger, the events and the journal.

    Args:
        connection: in a read transaction with one snapshot.
        started_send: from ``list_started_sends``.
        config: the newsletter's settings.
        now: aware.
    """
    sends = list_started_sends(connection, now)
    content = _load_content(connection, started_send.id)
    tags = [MergeTag(*tag) for tag in content["merge_tags"]]
    personal_urls = (build_unsubscribe_url(config, ""), build_preferences_url(config, ""))
    counts = count_send_results(
        connection, started_send.id, started_send.sent_at, attribution_window(sends, started_send)
    )
    agreed = count_agreed_readers(connection, started_send.id)
    opened = count_opens(connection, started_send.id, started_send.sent_at, agreed[0])
    links = extract_issue_links(content["html"], tags)
    clicked, link_clicks = count_clicks(
        connection, started_send.id, started_send.sent_at, links, personal_urls, agreed=agreed[1]
    )
    rates = compute_rates(counts, opened, clicked)
    medians, compared = compute_medians(connection, sends, started_send, rates, personal_urls)
    by_state = _count_by_state(connection, started_send.id)
    return SendReport(
        issue=started_send.issue,
        subject=fill_defaults(content["subject"], tags),
        language=content["language"],
        sent_at=started_send.sent_at,
        made_at=now,
        sent=by_state.pop("accepted", 0),
        not_accepted=by_state,
        counts=counts,
        opens=opened,
        clicks=clicked,
        links=link_clicks,
        tracking=(config.tracking.opens != "off", config.tracking.clicks != "off"),
        agreed=agreed,
        rates=rates,
        medians=medians,
        compared=compared,
        catch_ups={
            started.issue: _count_by_state(connection, started.id).get("accepted", 0)
            for started in sends
            if started.parent_id == started_send.id
        },
        growth=count_growth(connection, sends, started_send),
    )


def _load_content(connection: sa.Connection, send_id: int) -> dict[str, Any]:
    query = sa.select(send_content).where(send_content.c.send_id == send_id)
    return dict(connection.execute(query).mappings().one())


def _count_by_state(connection: sa.Connection, send_id: int) -> dict[str, int]:
    state = send_recipient.c.state
    query = sa.select(state, sa.func.count()).where(send_recipient.c.send_id == send_id)
    return dict(connection.execute(query.group_by(state)).all())
