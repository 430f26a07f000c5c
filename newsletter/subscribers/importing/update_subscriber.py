"""Update what the editor states: name, attributes, tags."""

import datetime

import sqlalchemy as sa

from newsletter.subscribers.importing.attributes import AttributeRegistry
from newsletter.subscribers.importing.bulk_writer import SubscriberBulkWriter
from newsletter.subscribers.importing.rows.row_parser import ParsedSubscriber


def update_details(
    connection: sa.Connection, entry: ParsedSubscriber, now: datetime.datetime
) -> bool:
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
    attributes = AttributeRegistry(connection)
    attributes.register_new([entry])
    attributes.coerce_attributes(entry)
    return bool(SubscriberBulkWriter(connection, "", now).write([entry]).updated)
