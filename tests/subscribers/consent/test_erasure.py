"""Erasure deletes all records of a subscriber and prevents accidental re-import."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.db import open_database, read_transaction
from newsletter.db.schema import (
    address_change,
    batch,
    erased,
    event,
    metadata,
    send,
    send_recipient,
    subscriber_tag,
    suppression,
    transactional_email,
    unreadable_event,
)
from newsletter.errors import SubscriberListError
from newsletter.events.unreadable_item import make_unreadable_item
from newsletter.events.unreadable_store import record_unreadable
from newsletter.subscribers import iter_audience
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.erasure import ErasureResult, erase_address, find_erased
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.consent.unreadable_events import OTHERS_REMARK
from newsletter.subscribers.gdpr_export import find_profile, profile_to_dict
from newsletter.subscribers.importing.import_list import ImportSummary

ImportText = Callable[..., ImportSummary]

NOW = datetime.datetime(2026, 11, 22, 9, 0, tzinfo=datetime.UTC)
ADA = parse_address("Ada@example.com")
BO = parse_address("bo@example.com")


def insert(engine: sa.Engine, table: sa.Table, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(sa.insert(table).values(values))


@pytest.fixture
def sent_issue(engine: sa.Engine, import_text: ImportText) -> None:
    """An issue sent to Ada and Bo, with events from the provider."""
    import_text("email,name\nAda@example.com,Ada Lovelace\nbo@example.com,Bo\n")
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
            batch_id=1, state="accepted", error=f"{address.key} is slow", root_id=1,
        )  # fmt: skip
        insert(
            engine, event, sg_event_id=str(id_), type="delivered", at=NOW, send_id=1,
            address_key=address.key, raw={"email": address.address, "ip": "192.0.2.1"},
        )  # fmt: skip
    insert(engine, suppression, address_key=ADA.key, reason="block", since=NOW, source="")


def dump_database(engine: sa.Engine) -> str:
    """Return all cells of the database as text."""
    with read_transaction(engine) as connection:
        rows = [connection.execute(sa.select(table)).all() for table in metadata.tables.values()]
    return str(rows).casefold()


@pytest.mark.usefixtures("sent_issue")
def test_no_data_of_the_subscriber_remains(engine: sa.Engine) -> None:
    assert "ada@example" in dump_database(engine)
    assert erase_address(engine, ADA.key, NOW) == ErasureResult(
        subscriber=True, suppressions=1, sends=1, events=1
    )
    remaining = dump_database(engine)
    # Search for no shorter text: hashes and tokens may contain it by chance.
    assert "ada@" not in remaining
    assert "lovelace" not in remaining
    assert "harbour-patron" not in remaining
    assert "bo@example.com is slow" in remaining


@pytest.mark.usefixtures("sent_issue")
def test_ledger_and_events_keep_their_rows(engine: sa.Engine) -> None:
    erase_address(engine, ADA.key, NOW)
    erase_address(engine, BO.key, NOW)
    with read_transaction(engine) as connection:
        rows = connection.execute(sa.select(send_recipient).order_by("subscriber_id")).all()
        events = connection.execute(sa.select(event.c.type, event.c.send_id)).all()
    assert [(row.subscriber_id, row.state) for row in rows] == [(1, "accepted"), (2, "accepted")]
    assert rows[0].address_key != rows[1].address_key
    assert events == [("delivered", 1), ("delivered", 1)]


def test_erasing_an_unknown_address_records_nothing(engine: sa.Engine) -> None:
    assert erase_address(engine, ADA.key, NOW) is None
    with read_transaction(engine) as connection:
        assert connection.execute(sa.select(erased)).all() == []


@pytest.mark.usefixtures("sent_issue")
def test_nobody_else_is_erased_who_has_the_address_by_now(engine: sa.Engine) -> None:
    tables = (subscriber_tag, send_recipient, event, suppression, erased)
    with read_transaction(engine) as connection:
        before = [connection.execute(sa.select(table)).all() for table in tables]
    assert erase_address(engine, ADA.key, NOW, subscriber_id=2) is None
    with read_transaction(engine) as connection:
        assert [connection.execute(sa.select(table)).all() for table in tables] == before
    assert erase_address(engine, ADA.key, NOW, subscriber_id=1)


def test_erased_address_is_not_imported_again(engine: sa.Engine, import_text: ImportText) -> None:
    import_text("email\nada@example.com\nbo@example.com\n")
    erase_address(engine, ADA.key, NOW)
    summary = import_text("email\nADA@example.com\ncy@example.com\n")
    assert (summary.erased, summary.new) == (1, {"active": 1})
    assert summary.remarks == [
        (2, "'ADA@example.com' was erased on request and can't be added by an import")
    ]
    with read_transaction(engine) as connection:
        assert [recipient.address for recipient in iter_audience(connection)] == [
            BO.address,
            "cy@example.com",
        ]


def test_erased_address_can_be_added_again_only_with_consent(
    engine: sa.Engine, import_text: ImportText
) -> None:
    import_text("email\nada@example.com\n")
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
    assert import_text("email\nada@example.com\n").unchanged == 1


def test_hashes_of_the_same_address_differ_between_databases(tmp_path: Path) -> None:
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


def add_unreadable(engine: sa.Engine, *texts: bytes) -> None:
    with engine.begin() as connection:
        items = [make_unreadable_item(text, "it is not valid JSON") for text in texts]
        record_unreadable(connection, items, NOW)


def test_unreadable_events_that_mention_the_address_are_deleted(engine: sa.Engine) -> None:
    theirs = (
        b"unsubscribe ADA@example.com now",
        rb'["ada\u0040example.com"]',
        b"email=ada%40example.com&x=1",
        b"to: ada+news@example.com.",
        b"ada@example.com, bo@example.com",
    )
    others = (b"bo@example.com", b"canada@example.com", b"ada@example.com.au", b"\0\xff", b"@")
    add_unreadable(engine, *theirs, *others)
    result = erase_address(engine, ADA.key, NOW)
    assert result == ErasureResult(
        subscriber=False, suppressions=0, sends=0, events=0, unreadable=len(theirs)
    )
    with read_transaction(engine) as connection:
        kept = connection.scalars(sa.select(unreadable_event.c.body).order_by("id")).all()
    assert kept == list(others)


def test_unreadable_event_about_an_erased_address_is_counted_without_it(engine: sa.Engine) -> None:
    add_unreadable(engine, b"ada@example.com")
    erase_address(engine, ADA.key, NOW)
    add_unreadable(engine, b"spam: Ada%40Example.com", b"bo@example.com")
    with read_transaction(engine) as connection:
        rows = connection.execute(sa.select(unreadable_event).order_by("id")).all()
    assert [(row.body, row.length) for row in rows] == [(b"", 23), (b"bo@example.com", 14)]
    assert "erased reader" in rows[0].reason
    assert "ada@" not in dump_database(engine)


def test_profile_has_the_unreadable_events_but_nobody_elses_address(
    engine: sa.Engine, import_text: ImportText
) -> None:
    import_text("email\nAda@example.com\n")
    add_unreadable(
        engine, b"ADA@example.com \xff", b"ada@example.com bo@example.com", b"bo@example.com"
    )
    with read_transaction(engine) as connection:
        profile = find_profile(connection, ADA)
    assert [mention.text for mention in profile.unreadable_events] == [
        OTHERS_REMARK,
        "ADA@example.com \\xff",
    ]
    mentions = profile_to_dict(profile)["unreadable_events"]
    assert mentions[0] == {"received_at": NOW, "source": "webhook", "text": OTHERS_REMARK}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_database_file_does_not_contain_erased_addresses(
    engine: sa.Engine, import_text: ImportText, tmp_path: Path
) -> None:
    import_text(
        "email,name\n" + "".join(f"reader{n}@example.com,Reader {n}\n" for n in range(5_000))
    )
    for number in range(0, 5_000, 50):
        erase_address(engine, f"reader{number}@example.com", NOW)
    content = b"".join(path.read_bytes() for path in tmp_path.glob("newsletter.db*"))
    assert b"reader51@example.com" in content
    assert [n for n in range(0, 5_000, 50) if f"reader{n}@example.com".encode() in content] == []


@pytest.fixture
def requested_change(engine: sa.Engine) -> None:
    """Bo has asked to change to Ada's address, with an email to each."""
    with engine.begin() as connection:
        bo = changes.subscribe(connection, BO, "active", ChangeOrigin(NOW, "cli"))
        changes.subscribe(connection, ADA, "active", ChangeOrigin(NOW, "cli"))
        connection.execute(
            sa.insert(address_change).values(
                subscriber_id=bo.id, address=ADA.address, address_key=ADA.key, requested_at=NOW
            )
        )
        row = {"window": "1", "created_at": NOW, "state": "accepted"}
        connection.execute(
            sa.insert(transactional_email),
            [
                row | {"kind": "move_from", "address": BO.address, "address_key": BO.key,
                       "data": {"url": "https://n.example/move/x", "address": "ADA@Example.com"}},
                row | {"kind": "confirm", "address": BO.address, "address_key": BO.key,
                       "data": {"name": "Bo"}},
                row | {"kind": "move_to", "address": ADA.address, "address_key": ADA.key,
                       "data": {"url": "https://n.example/move/y", "address": ADA.address}},
                row | {"kind": "welcome", "address": ADA.address, "address_key": ADA.key,
                       "data": {}},
            ],
        )  # fmt: skip


@pytest.mark.usefixtures("requested_change")
@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
def test_others_requests_to_change_to_the_address_are_deleted(engine: sa.Engine) -> None:
    assert erase_address(engine, ADA.key, NOW)
    with read_transaction(engine) as connection:
        assert connection.execute(sa.select(address_change)).all() == []
        kinds = connection.scalars(sa.select(transactional_email.c.kind)).all()
        assert kinds == ["confirm"], "Ada's welcome email is deleted, Bo's own email is not"
        remaining = [
            repr(connection.execute(sa.select(table)).all()).casefold()
            for table in metadata.sorted_tables
        ]
    assert [rows for rows in remaining if ADA.key in rows] == []


@pytest.mark.usefixtures("requested_change")
def test_erasing_the_one_who_asked_keeps_the_owner_of_the_address(engine: sa.Engine) -> None:
    assert erase_address(engine, BO.key, NOW)
    with read_transaction(engine) as connection:
        assert connection.execute(sa.select(address_change)).all() == []
        assert find_profile(connection, ADA).status == "active"
