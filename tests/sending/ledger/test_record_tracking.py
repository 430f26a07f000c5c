"""What a sender asks SendGrid to track is recorded before it sends, whatever happens in between."""

from dataclasses import replace

import pytest
import sqlalchemy as sa
from sending_fixtures import FakeObserver, MakeReaders, Subscribe

from newsletter.config.tracking import TrackedAction, TrackingOptions
from newsletter.db import read_transaction
from newsletter.db.schema import setting
from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.ledger.record import Ledger, Send, get_send
from newsletter.sending.planning.freeze_recipients import discard_send, freeze_send
from newsletter.sending.providers.prepared_email import PreparedEmail
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.subscribers.tracking_record import (
    RequestedTracking,
    insert_tracking,
    load_tracking,
)

ISSUE = "2026-12-01-ice"
Runs = list[tuple[bool, bool, int]]  # tracking.opens, tracking.clicks, batches until it is stopped


class StoppingTransport:
    """Accepts a number of requests and then asks the sender to stop."""

    def __init__(self, ledger: Ledger, observer: FakeObserver, accepted: int) -> None:
        self.ledger, self.observer, self.accepted = ledger, observer, accepted
        self.recorded_before: list[bool] = []

    def post_mail(self, body: bytes) -> Response | NoResponse:
        del body
        with read_transaction(self.ledger.engine) as connection:
            self.recorded_before.append(bool(load_tracking(connection)))
        self.accepted -= 1
        self.observer.stop_requested = self.accepted <= 0
        return Response(202, {"x-message-id": "m"}, b"")


@pytest.fixture
def frozen(
    ledger: Ledger, prepared: PreparedEmail, subscribe: Subscribe, make_readers: MakeReaders
) -> Send:
    """A send of 40 recipients in four batches."""
    subscribe(make_readers(40))
    return freeze_send(ledger, prepared)


def run(ledger: Ledger, prepared: PreparedEmail, observer: FakeObserver, runs: Runs) -> None:
    """Run senders with these settings, one after the other."""
    for opens, clicks, batches in runs:
        tracking = TrackingOptions.model_validate({"opens": opens, "clicks": clicks})
        config = prepared.config.model_copy(update={"tracking": tracking})
        current = get_send(ledger, ISSUE)
        assert current
        observer.stop_requested = False
        transport = StoppingTransport(ledger, observer, batches)
        BatchSender(
            ledger, current, replace(prepared, config=config), transport, observer, concurrency=1
        ).run()
        assert all(transport.recorded_before)


def requested(ledger: Ledger, action: TrackedAction) -> set[RequestedTracking]:
    with read_transaction(ledger.engine) as connection:
        return {*load_tracking(connection).get((ISSUE, action), ())}


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize(
    ("runs", "opens", "clicks"),
    [
        ([(True, True, 4)], {"on"}, {"on"}),
        ([(False, False, 4)], {"off"}, {"off"}),
        ([(True, False, 4)], {"on"}, {"off"}),
        # Stopped, and resumed with the same settings or with others.
        ([(True, True, 2), (True, True, 2)], {"on"}, {"on"}),
        ([(True, True, 1), (False, True, 1), (False, True, 2)], {"on", "off"}, {"on"}),
        # Nothing was left to send.
        ([(True, True, 9), (False, False, 9)], {"on"}, {"on"}),
        ([], set(), set()),
    ],
)
def test_requested_tracking_is_recorded(
    ledger: Ledger,
    prepared: PreparedEmail,
    observer: FakeObserver,
    runs: Runs,
    opens: set[RequestedTracking],
    clicks: set[RequestedTracking],
) -> None:
    run(ledger, prepared, observer, runs)
    assert (requested(ledger, "opens"), requested(ledger, "clicks")) == (opens, clicks)


@pytest.mark.usefixtures("frozen")
def test_part_sent_by_a_version_that_recorded_nothing_is_unknown(
    ledger: Ledger, prepared: PreparedEmail, observer: FakeObserver
) -> None:
    run(ledger, prepared, observer, [(True, True, 1)])
    with ledger.engine.begin() as connection:
        connection.execute(sa.delete(setting))
    run(ledger, prepared, observer, [(True, True, 1), (True, True, 2)])
    assert requested(ledger, "opens") == requested(ledger, "clicks") == {"on", "unknown"}


def test_record_of_a_discarded_plan_is_deleted(ledger: Ledger, frozen: Send) -> None:
    with ledger.engine.begin() as connection:
        for issue in (ISSUE, f"{ISSUE}-cream", f"1 {ISSUE}"):
            insert_tracking(connection, issue, TrackingOptions(), is_partly_sent=True)
    discard_send(ledger, frozen)
    with read_transaction(ledger.engine) as connection:
        assert {issue for issue, _ in load_tracking(connection)} == {
            f"{ISSUE}-cream",
            f"1 {ISSUE}",
        }
