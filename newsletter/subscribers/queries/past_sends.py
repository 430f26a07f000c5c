"""Find the send of an issue in the ledger, for queries over the list."""

import datetime
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import send
from newsletter.errors import SubscriberListError
from newsletter.subscribers.recalled_sends import is_recalled


class PastSend(NamedTuple):
    """The send of an issue.

    Attributes:
        id: the send's id in the ledger.
        issue: the name of the issue.
        frozen_at: when its audience was frozen.
        total: the number of recipients, with those of its catch-ups.
        segment: the query that selected them, ``""`` for the whole list.
        catch_up_ids: the ids of its catch-ups, whose recipients have the issue too.
    """

    id: int
    issue: str
    frozen_at: datetime.datetime
    total: int
    segment: str
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
    matches = [
        past_send
        for past_send in _load_past_sends(connection)
        if name in {past_send.issue, past_send.issue[11:]}
    ]
    exact = [past_send for past_send in matches if past_send.issue == name]
    if len(exact or matches) > 1:
        issues = ", ".join(past_send.issue for past_send in matches)
        raise SubscriberListError(f"{len(matches)} issues are called '{name}': {issues}")
    return next(iter(exact or matches), None)


def _load_past_sends(connection: sa.Connection) -> Sequence[PastSend]:
    """Return the sends of all issues but the recalled ones, the newest first."""
    names = ("id", "issue", "frozen_at", "total", "segment")
    columns = [send.c[name] for name in names]
    query = sa.select(send.c.parent_id, send.c.scheduled_at, send.c.recalled_at, *columns)
    query = query.order_by(send.c.frozen_at.desc(), send.c.id.desc())
    firsts, catch_ups = list[PastSend](), dict[int, list[PastSend]]()
    for parent_id, scheduled_at, recalled_at, *values in connection.execute(query):
        if not is_recalled(scheduled_at, recalled_at):
            group = firsts if parent_id is None else catch_ups.setdefault(parent_id, [])
            group.append(PastSend(*values))
    return [
        past_send._replace(
            total=past_send.total + sum(part.total for part in catch_ups.get(past_send.id, ())),
            catch_up_ids=tuple(part.id for part in catch_ups.get(past_send.id, ())),
        )
        for past_send in firsts
    ]
