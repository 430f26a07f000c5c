"""The report of one send: what the ledger, the events and the journal say about its readers."""

import datetime
from typing import Any

import sqlalchemy as sa

from newsletter.config.models import Config
from newsletter.config.urls import preferences_url, unsubscribe_url
from newsletter.db.schema import send_content, send_recipient
from newsletter.posts.merge_tags.tags import MergeTag
from newsletter.reports.comparison import Departure, before, departures, rates, window
from newsletter.reports.counts import count
from newsletter.reports.engagement import clicks, opens
from newsletter.reports.links import links_of, with_defaults
from newsletter.reports.model import Report


def report(
    connection: sa.Connection, of: Departure, config: Config, now: datetime.datetime
) -> Report:
    """Make the report of a send.

    Args:
        connection: reads at one moment.
        of: from ``departures``.
        config: the newsletter's.
        now: aware.
    """
    sends = departures(connection)
    content = _content(connection, of.id)
    tags = [MergeTag(*tag) for tag in content["merge_tags"]]
    own = (unsubscribe_url(config, ""), preferences_url(config, ""))
    counts = count(connection, of.id, of.at, window(sends, of))
    opened = opens(connection, of.id, of.at)
    links = links_of(content["html"], tags)
    clicked, followed = clicks(connection, of.id, of.at, links, own)
    mine = rates(counts, opened, clicked)
    medians, compared = before(connection, sends, of, mine, own)
    readers = _by_state(connection, of.id)
    return Report(
        issue=of.issue,
        subject=with_defaults(content["subject"], tags),
        language=content["language"],
        sent_at=of.at,
        made_at=now,
        sent=readers.pop("accepted", 0),
        others=readers,
        counts=counts,
        opens=opened,
        clicks=clicked,
        links=followed,
        tracking=(config.tracking.opens, config.tracking.clicks),
        rates=mine,
        medians=medians,
        compared=compared,
    )


def _content(connection: sa.Connection, send_id: int) -> dict[str, Any]:
    query = sa.select(send_content).where(send_content.c.send_id == send_id)
    return dict(connection.execute(query).mappings().one())


def _by_state(connection: sa.Connection, send_id: int) -> dict[str, int]:
    state = send_recipient.c.state
    query = sa.select(state, sa.func.count()).where(send_recipient.c.send_id == send_id)
    return dict(connection.execute(query.group_by(state)).all())
