"""Past sends as the list commands need them.

Reads only.
"""

import datetime
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import send
from newsletter.errors import SubscriberListError


class PastSend(NamedTuple):
    """One sending of one issue.

    Attributes:
        id: in the ledger.
        issue: its name.
        frozen_at: when its audience was fixed.
        total: how many readers that were.
        segment: the query that they were selected by, ``""`` for the whole list.
    """

    id: int
    issue: str
    frozen_at: datetime.datetime
    total: int
    segment: str


def find_past_send(connection: sa.Connection, name: str) -> PastSend | None:
    """The send of an issue, by its name with or without the date; ``None`` if there is none.

    Raises:
        ListError: several issues have that name.
    """
    found = [each for each in _load_past_sends(connection) if name in {each.issue, each.issue[11:]}]
    exact = [each for each in found if each.issue == name]
    if len(exact or found) > 1:
        named = ", ".join(each.issue for each in found)
        raise SubscriberListError(f"{len(found)} issues are called '{name}': {named}")
    return next(iter(exact or found), None)


def _load_past_sends(connection: sa.Connection) -> Sequence[PastSend]:
    """Every send, the newest first."""
    columns = [send.c[name] for name in PastSend._fields]
    newest = sa.select(*columns).order_by(send.c.frozen_at.desc(), send.c.id.desc())
    return [PastSend(*row) for row in connection.execute(newest)]
