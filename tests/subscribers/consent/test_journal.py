import datetime

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import UtcDateTime, subscriber
from newsletter.subscribers.consent import journal
from newsletter.subscribers.consent.journal import ChangeOrigin, JournalEntry
from newsletter.subscribers.consent.transitions import StatusChange

NOW = datetime.datetime(2026, 11, 22, 9, 0, tzinfo=datetime.UTC)
FIRST = JournalEntry(
    NOW, "subscribed", "pending", "form", "https://harbour-notes.org", "Yes, weekly"
)
SECOND = JournalEntry(NOW, "confirmed", "active", "form")


@pytest.fixture(autouse=True)
def subscribers(engine: sa.Engine) -> None:
    rows = [
        {
            "id": id_, "address": f"{id_}@b.com", "address_key": f"{id_}@b.com", "status": status,
            "attributes": {}, "token": f"t{id_}", "source": f"import readers.csv:{id_}",
            "joined_at": NOW, "updated_at": NOW,
        }
        for id_, status in ((1, "active"), (2, "bounced"), (3, "pending"))
    ]  # fmt: skip
    with engine.begin() as connection:
        connection.execute(sa.insert(subscriber), rows)


def load_entries(engine: sa.Engine, id_: int) -> list[JournalEntry]:
    with read_transaction(engine) as connection:
        return journal.load_journal(connection, id_)


def test_entries_are_loaded_in_order(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        for entry in (FIRST, SECOND):
            journal.append_entry(connection, 1, entry)
        journal.append_entry(connection, 2, SECOND)
    assert load_entries(engine, 1) == [FIRST, SECOND]
    assert load_entries(engine, 2) == [SECOND]
    assert journal.to_changes([FIRST, SECOND]) == [
        StatusChange("subscribed", "pending"),
        StatusChange("confirmed", "active"),
    ]


def test_append_import_entries_for_all_new_subscribers(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        journal.append_import_entries(
            connection, 1, ChangeOrigin(NOW, "import", wording="on paper")
        )
    source = "import readers.csv:"
    assert load_entries(engine, 1) == []
    assert load_entries(engine, 2) == [
        JournalEntry(NOW, "imported", "bounced", "import", f"{source}2", "on paper")
    ]
    assert load_entries(engine, 3) == [
        JournalEntry(NOW, "imported", "pending", "import", f"{source}3", "on paper")
    ]


def test_bulk_insert_numbers_entries_per_subscriber(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        journal.append_entry(connection, 1, FIRST)
        at = UtcDateTime().process_bind_param(NOW, connection.dialect)
        rows = [(id_, at, *SECOND[1:]) for id_ in (1, 2, 1)]
        journal.build_bulk_insert(connection.dialect).execute(connection, rows)
    assert load_entries(engine, 1) == [FIRST, SECOND, SECOND]
    assert load_entries(engine, 2) == [SECOND]


def test_origin_to_entry() -> None:
    origin = ChangeOrigin(NOW, "form", "https://harbour-notes.org", "Yes, weekly")
    assert origin.to_entry("subscribed", "pending") == FIRST
