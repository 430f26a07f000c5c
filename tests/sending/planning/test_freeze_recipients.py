"""Freezing the recipients of a segment: the same ones, in batches, whatever its condition is."""

import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sending_fixtures import NAME, MakeReaders, Subscribe, configured

from newsletter.config import Config
from newsletter.config.tracking import TrackingOptions
from newsletter.db import read_transaction
from newsletter.db.schema import batch, event, send, send_recipient, subscriber, subscriber_tag
from newsletter.render.email import Email
from newsletter.sending.ledger.record import Ledger
from newsletter.sending.planning.batches import insert_batches
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.sendgrid.payload import prepare_email
from newsletter.subscribers.segments import find_segment
from newsletter.subscribers.tracking_record import insert_tracking

SUBSCRIBERS = 24
BATCH_SIZE = 4
EARLIER_ISSUE = "2026-11-01-tide"
EVEN = range(2, SUBSCRIBERS + 1, 2)
# Fewer bytes than four recipients might take, so that each one's size is computed.
TIGHT_REQUEST_BYTES = 40_000


@pytest.fixture
def config() -> Config:
    return configured(
        limits={"batch_size": BATCH_SIZE}, attributes={"name": "friend", "city": "your town"}
    )


@pytest.fixture(autouse=True)
def _list(
    engine: sa.Engine,
    subscribe: Subscribe,
    make_readers: MakeReaders,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every second subscriber is tagged ``weekly``, every third lives in Oslo."""
    monkeypatch.setattr(insert_batches, "RECIPIENTS_PER_PAGE", 2 * BATCH_SIZE)
    subscribe(make_readers(SUBSCRIBERS))
    with engine.begin() as connection:
        tagged = [{"subscriber_id": number, "tag": "weekly"} for number in EVEN]
        connection.execute(sa.insert(subscriber_tag), tagged)
        connection.execute(
            sa.update(subscriber)
            .where(subscriber.c.id % 3 == 0)
            .values(attributes={"city": "Oslo"})
        )
        _insert_earlier_send(connection)


def _insert_earlier_send(connection: sa.Connection) -> None:
    """Insert a tracked send to everybody, which the first subscriber has opened."""
    at = datetime.datetime(2026, 11, 1, 9, 0, tzinfo=datetime.UTC)
    row: dict[str, Any] = {
        "id": 100, "issue": EARLIER_ISSUE, "state": "done", "content_sha": "", "subject": "",
        "frozen_at": at, "total": SUBSCRIBERS, "excluded": {},
    }  # fmt: skip
    connection.execute(sa.insert(send).values(row))
    row = {"id": 100, "send_id": 100, "number": 1, "size": SUBSCRIBERS, "state": "accepted"}
    connection.execute(sa.insert(batch).values(row))
    columns = ("send_id", "subscriber_id", "address_key", "batch_id", "state", "root_id")
    recipients = sa.select(
        sa.literal(100),
        subscriber.c.id,
        subscriber.c.address_key,
        sa.literal(100),
        sa.literal("accepted"),
        sa.literal(100),
    )
    connection.execute(sa.insert(send_recipient).from_select(columns, recipients))
    row = {"sg_event_id": "e1", "type": "open", "at": at, "raw": {}, "send_id": 100}
    connection.execute(sa.insert(event).values(row | {"address_key": "reader1@example.com"}))
    tracking = TrackingOptions(opens="all", clicks="all")
    insert_tracking(connection, EARLIER_ISSUE, tracking, is_partly_sent=False)


def freeze_segment(ledger: Ledger, email: Email, config: Config, query: str) -> list[list[int]]:
    """Freeze a send to a segment; return the subscriber ids of each batch."""
    with read_transaction(ledger.engine) as connection:
        segment = find_segment(connection, query, config, ledger.clock(connection))
    frozen = freeze_send(ledger, prepare_email(email, config), segment=segment)
    with read_transaction(ledger.engine) as connection:
        sizes = connection.scalars(
            sa.select(batch.c.size).where(batch.c.send_id == frozen.id).order_by(batch.c.number)
        ).all()
        rows = connection.execute(
            sa.select(batch.c.number, send_recipient.c.subscriber_id)
            .join(batch, batch.c.id == send_recipient.c.batch_id)
            .where(batch.c.send_id == frozen.id)
            .order_by(batch.c.number, send_recipient.c.subscriber_id)
        ).all()
    batches = [[id_ for number, id_ in rows if number == n] for n in range(1, len(sizes) + 1)]
    assert [len(ids) for ids in batches] == list(sizes)
    assert frozen.total == sum(sizes)
    return batches


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("tag:weekly", [*EVEN]),
        ("not tag:weekly", [*range(1, SUBSCRIBERS, 2)]),
        ("city = Oslo", [*range(3, SUBSCRIBERS + 1, 3)]),
        ("sent:last-3", [*range(1, SUBSCRIBERS + 1)]),
        (
            "not opened:last-3 and not (tag:weekly and city = Oslo)",
            [n for n in range(2, SUBSCRIBERS + 1) if n % 6],
        ),
        (
            "tag:weekly or (city = Oslo and not clicked:last-1)",
            [n for n in range(1, SUBSCRIBERS + 1) if not n % 2 or not n % 3],
        ),
    ],
)
@pytest.mark.parametrize("request_bytes", [20_000_000, TIGHT_REQUEST_BYTES])
def test_segment_is_frozen_in_several_batches(
    ledger: Ledger,
    email: Email,
    config: Config,
    *,
    query: str,
    expected: list[int],
    request_bytes: int,
) -> None:
    limits = config.limits.model_copy(update={"request_bytes": request_bytes})
    config = config.model_copy(update={"limits": limits})
    assert prepare_email(email, config).always_fits == (request_bytes != TIGHT_REQUEST_BYTES)
    batches = freeze_segment(ledger, email, config, query)
    assert batches == [
        expected[start : start + BATCH_SIZE] for start in range(0, len(expected), BATCH_SIZE)
    ]


def test_each_recipient_is_a_batch_with_one_request_per_recipient(
    ledger: Ledger, email: Email, config: Config
) -> None:
    assert NAME in email.merge_tags
    options = config.sendgrid.model_copy(update={"personalize": "per_request"})
    config = config.model_copy(update={"sendgrid": options})
    assert freeze_segment(ledger, email, config, "tag:weekly") == [[number] for number in EVEN]
