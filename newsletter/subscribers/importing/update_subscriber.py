"""Update one subscriber's name, attributes and tags."""

import datetime

import sqlalchemy as sa

from newsletter.subscribers.importing.attributes import AttributeRegistry
from newsletter.subscribers.importing.bulk_writer import SubscriberBulkWriter
from newsletter.subscribers.importing.rows.row_parser import ParsedSubscriber


def update_details(
    connection: sa.Connection, entry: ParsedSubscriber, now: datetime.datetime
) -> bool:
    """Update a subscriber with the details of an entry; what the entry lacks is left unchanged.

    Args:
        connection: a connection in a writing transaction.
        entry: an entry for an existing subscriber, with their present status; its attributes are
            converted to their types in place.
        now: the time to record.

    Returns:
        Whether anything has changed.

    Raises:
        SubscriberListError: a value can't be converted to its attribute's type.
    """
    attributes = AttributeRegistry(connection)
    attributes.register_new([entry])
    attributes.coerce_attributes(entry)
    return bool(SubscriberBulkWriter(connection, "", now).write([entry]).updated)
