"""What the editor writes down of a reader besides the status: name, attributes, tags."""

import datetime

import sqlalchemy as sa

from newsletter.subscribers.importing.attributes import Attributes
from newsletter.subscribers.importing.bulk_writer import ListWriter
from newsletter.subscribers.importing.rows.row_parser import Entry


def describe(connection: sa.Connection, entry: Entry, now: datetime.datetime) -> bool:
    """Give a subscriber what an entry tells of them; what it doesn't tell stays.

    Args:
        connection: in a transaction that writes.
        entry: of somebody in the list, with the status that they have; its attributes get
            their types.
        now: the time to record.

    Returns:
        Whether anything is different now.

    Raises:
        ListError: a value is of another type than its attribute.
    """
    attributes = Attributes(connection)
    attributes.learn([entry])
    attributes.fit(entry)
    return bool(ListWriter(connection, "", now).write([entry]).updated)
