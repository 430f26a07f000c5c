"""Find the send of an issue in the ledger, for queries over the list."""

import datetime
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import send
from newsletter.errors import SubscriberListError
from newsletter.subscribers.sends_with_catch_ups import load_sends_with_catch_ups
from newsletter.subscribers.topics import send_topic_column


class PastSend(NamedTuple):
    """The send of an issue.

    Attributes:
        id: the send's id in the ledger.
        issue: the name of the issue.
        frozen_at: when its audience was frozen.
        total: the number of recipients, with those of its catch-ups.
        segment: the query that selected them, ``""`` for the whole list.
        topic: its topic, ``""`` for none.
        catch_up_ids: the ids of its catch-ups, whose recipients have the issue too.
    """

    id: int
    issue: str
    frozen_at: datetime.datetime
    total: int
    segment: str
    topic: str = ""
    catch_up_ids: tuple[int, ...] = ()

    @property
    def ids(self) -> tuple[int, ...]:
        """Its id and those of its catch-ups."""
        return (self.id, *self.catch_up_ids)


def find_past_send(connection: sa.Connection, name: str) -> PastSend | None:
    """Return the send of an issue, by its name with or without the date; ``None`` if none exists.

    A send that was recalled counts as none: nobody has it.

    Raises:
        SubscriberListError: several issues have that name.
    """
    columns = (send.c.id, send.c.issue, send.c.frozen_at, send.c.total, send.c.segment)
    query = sa.select(*columns, send_topic_column())
    matches = [
        rows
        for rows in load_sends_with_catch_ups(connection, query)
        if name in {rows[0].issue, rows[0].issue[11:]}
    ]
    exact = [rows for rows in matches if rows[0].issue == name]
    if len(exact or matches) > 1:
        issues = ", ".join(first.issue for first, *_ in matches)
        raise SubscriberListError(f"{len(matches)} issues are called '{name}': {issues}")
    for first, *catch_ups in exact or matches:
        total = first.total + sum(part.total for part in catch_ups)
        ids = tuple(part.id for part in catch_ups)
        return PastSend(
            first.id, first.issue, first.frozen_at, total, first.segment, first.topic, ids
        )
    return None
