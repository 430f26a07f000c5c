"""Parse unreadable events again: a later version may understand them."""

from dataclasses import dataclass, field

import sqlalchemy as sa

from newsletter.config import Config
from newsletter.db import read_transaction
from newsletter.events.read_events import parse_webhook_body
from newsletter.events.unreadable_store import (
    UnreadableEvent,
    delete_unreadable,
    load_unreadable,
)
from newsletter.sending.feedback.event_intake import (
    IntakeTotals,
    ingest_events,
    reconcile_from_events,
)
from newsletter.sending.ledger.record import Ledger

_CHUNK_SIZE = 500


@dataclass(slots=True)
class UnreadableRetryResult:
    """What became of the unreadable events.

    Attributes:
        understood: how many are understood now, and no longer kept.
        totals: what their events have changed.
    """

    understood: int = 0
    totals: IntakeTotals = field(default_factory=lambda: IntakeTotals(applied_reports=[]))


def retry_unreadable(ledger: Ledger, config: Config) -> UnreadableRetryResult:
    """Apply each unreadable event that is understood now; the others stay.

    If the program is killed after an event was recorded and before its text is deleted, the next
    retry finds it recorded.
    """
    result = UnreadableRetryResult()
    before_id: int | None = None
    while rows := _load_chunk(ledger.engine, before_id):
        before_id = rows[-1].id
        parsed = {
            row.id: parse_webhook_body(row.body, row.received_at) for row in rows if row.is_complete
        }
        understood = {id_: body for id_, body in parsed.items() if body.events}
        if understood:
            events = [event for body in understood.values() for event in body.events]
            unreadable = [item for body in understood.values() for item in body.unreadable]
            intake = ingest_events(ledger, config, events, unreadable)
            result.totals.add(intake, reconcile_from_events(ledger, events))
            with ledger.engine.begin() as connection:
                delete_unreadable(connection, understood.keys())
            result.understood += len(understood)
    return result


def _load_chunk(engine: sa.Engine, before_id: int | None) -> list[UnreadableEvent]:
    with read_transaction(engine) as connection:
        return load_unreadable(connection, _CHUNK_SIZE, before_id=before_id)
