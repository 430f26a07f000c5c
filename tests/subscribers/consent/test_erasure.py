"""Whoever asks to be forgotten is, and doesn't come back by accident."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.db import open_database, read_transaction
from newsletter.db.schema import (
    batch,
    erased,
    event,
    metadata,
    send,
    send_recipient,
    subscriber_tag,
    suppression,
)
from newsletter.errors import SubscriberListError
from newsletter.subscribers import iter_audience
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.erasure import ErasureResult, erase_address, find_erased
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.importing.import_list import ImportSummary

Import = Callable[..., ImportSummary]

NOW = datetime.datetime(2026, 11, 22, 9, 0, tzinfo=datetime.UTC)
ADA = parse_address("Ada@example.com")
BO = parse_address("bo@example.com")


def insert(engine: sa.Engine, table: sa.Table, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(sa.insert(table).values(values))


@pytest.fixture
def mailed(engine: sa.Engine, imported: Import) -> None:
    """Ada and Bo have got an issue, and the vendor has told of it."""
    imported("email,name\nAda@example.com,Ada Lovelace\nbo@example.com,Bo\n")
    insert(engine, subscriber_tag, subscriber_id=1, tag="harbour-patron")
    insert(
        engine, send, id=1, issue="ice", state="done", content_sha="", subject="", frozen_at=NOW,
        total=2, excluded={},
    )  # fmt: skip
    insert(
        engine, batch, id=1, send_id=1, number=1, size=2, state="accepted",
        error="ADA@example.com is unknown here",
    )  # fmt: skip
    for id_, address in ((1, ADA), (2, BO)):
        insert(
            engine, send_recipient, send_id=1, subscriber_id=id_, address_key=address.key,
            batch_id=1, state="accepted", error=f"{address.key} is slow",
        )  # fmt: skip
        insert(
            engine, event, sg_event_id=str(id_), type="delivered", at=NOW, send_id=1,
            address_key=address.key, raw={"email": address.address, "ip": "192.0.2.1"},
        )  # fmt: skip
    insert(engine, suppression, address_key=ADA.key, reason="block", since=NOW, source="")


def everything(engine: sa.Engine) -> str:
    """Every cell of the database."""
    with read_transaction(engine) as connection:
        rows = [connection.execute(sa.select(each)).all() for each in metadata.tables.values()]
    return str(rows).casefold()


@pytest.mark.usefixtures("mailed")
def test_nothing_of_the_reader_is_left(engine: sa.Engine) -> None:
    assert "ada@example" in everything(engine)
    assert erase_address(engine, ADA.key, NOW) == ErasureResult(
        subscriber=True, suppressions=1, sends=1, events=1
    )
    left = everything(engine)
    # Nothing shorter: hashes and tokens are made of letters too.
    assert "ada@" not in left
    assert "lovelace" not in left
    assert "harbour-patron" not in left
    assert "bo@example.com is slow" in left


@pytest.mark.usefixtures("mailed")
def test_the_ledger_still_adds_up(engine: sa.Engine) -> None:
    erase_address(engine, ADA.key, NOW)
    erase_address(engine, BO.key, NOW)
    with read_transaction(engine) as connection:
        rows = connection.execute(sa.select(send_recipient).order_by("subscriber_id")).all()
        events = connection.execute(sa.select(event.c.type, event.c.send_id)).all()
    assert [(row.subscriber_id, row.state) for row in rows] == [(1, "accepted"), (2, "accepted")]
    assert rows[0].address_key != rows[1].address_key
    assert events == [("delivered", 1), ("delivered", 1)]


def test_an_unknown_address_is_not_erased(engine: sa.Engine) -> None:
    assert erase_address(engine, ADA.key, NOW) is None
    with read_transaction(engine) as connection:
        assert connection.execute(sa.select(erased)).all() == []


def test_an_erased_address_is_not_imported(engine: sa.Engine, imported: Import) -> None:
    imported("email\nada@example.com\nbo@example.com\n")
    erase_address(engine, ADA.key, NOW)
    report = imported("email\nADA@example.com\ncy@example.com\n")
    assert (report.erased, report.new) == (1, {"active": 1})
    assert report.remarks == [
        (2, "'ADA@example.com' asked to be erased, and an import brings nobody back")
    ]
    with read_transaction(engine) as connection:
        assert [each.address for each in iter_audience(connection)] == [
            BO.address,
            "cy@example.com",
        ]


def test_an_erased_address_comes_back_by_a_consent_alone(
    engine: sa.Engine, imported: Import
) -> None:
    imported("email\nada@example.com\n")
    erase_address(engine, ADA.key, NOW)
    with (
        engine.begin() as connection,
        pytest.raises(SubscriberListError, match="erased on 2026-11-22"),
    ):
        changes.subscribe(connection, ADA, "active", ChangeOrigin(NOW, "form"))
    with engine.begin() as connection:
        letter = ChangeOrigin(NOW, "cli", wording="by letter")
        assert changes.resubscribe(connection, ADA, "active", letter).after == "active"
        assert find_erased(connection, [ADA.key]) == {}
    assert imported("email\nada@example.com\n").unchanged == 1


def test_hashes_of_two_lists_differ(tmp_path: Path) -> None:
    hashes = []
    for name in ("one", "two"):
        engine = open_database(f"sqlite:///{name}.db", tmp_path)
        with engine.begin() as connection:
            changes.subscribe(connection, ADA, "active", ChangeOrigin(NOW, "cli"))
        erase_address(engine, ADA.key, NOW)
        with read_transaction(engine) as connection:
            hashes.append(connection.scalar(sa.select(erased.c.address_hash)))
        engine.dispose()
    assert hashes[0] != hashes[1]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_file_does_not_hold_the_address_any_more(
    engine: sa.Engine, imported: Import, tmp_path: Path
) -> None:
    imported("email,name\n" + "".join(f"reader{n}@example.com,Reader {n}\n" for n in range(5_000)))
    for number in range(0, 5_000, 50):
        erase_address(engine, f"reader{number}@example.com", NOW)
    held = b"".join(path.read_bytes() for path in tmp_path.glob("newsletter.db*"))
    assert b"reader51@example.com" in held
    assert [n for n in range(0, 5_000, 50) if f"reader{n}@example.com".encode() in held] == []
