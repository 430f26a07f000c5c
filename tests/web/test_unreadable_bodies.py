"""A signed request is answered with 200 and kept, whatever it contains; never with an error."""

import gzip
import json
import logging
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec
from signed_webhook import WebhookServer, make_body, make_event, sign

from newsletter.db import read_transaction
from newsletter.db.schema import erased, event

GOOD = json.dumps(make_event("good", "open")).encode()


def nested(depth: int) -> bytes:
    return b'{"event":"open","note":' + b"[" * depth + b"]" * depth + b"}"


def made(**fields: Any) -> bytes:
    return json.dumps(make_event("made", "open", **fields)).encode()


# Elements that are not understood, each between two good events.
UNREADABLE_ELEMENTS = {
    "number": b"7",
    "text": b'"hello, [world] \\" {"',
    "nothing": b"null",
    "empty object": b"{}",
    "list": b'[{"event":"open","sg_event_id":"inner"}]',
    "no type": b'{"email":"ada@example.com","timestamp":1}',
    "type that is no text": b'{"event":{"a":1},"email":"ada@example.com"}',
    "type that is too long": b'{"event":"' + b"x" * 101 + b'"}',
    "unsubscribe of nobody": b'{"event":"unsubscribe","timestamp":1}',
    "bounce with an address that is too long": b'{"event":"bounce","email":"' + b"x" * 400 + b'"}',
    "not a number": b'{"event":"open","timestamp":NaN}',
    "infinity": b'{"event":"open","timestamp":-Infinity}',
    "number beyond a double": b'{"event":"open","timestamp":1e999}',
    "5,000 digits": b'{"event":"open","timestamp":' + b"9" * 5_000 + b"}",
    "300 levels": nested(300),
    "900 levels": nested(900),
    "50,000 levels": nested(50_000),
    "1,020 levels in an id": nested(1_020).replace(b"note", b'sg_event_id":"a","nl_send'),
    "single quotes": b"{'event':'open'}",
    "comment": b'{"event":"open"} // note',
    "NUL": b"\0",
    "invalid UTF-8": b"\xff\xfe\x80",
    "a megabyte": b'{"note":"' + b"x" * 1_000_000 + b'"}',
}
# Elements that are events, though odd ones.
READABLE_ELEMENTS = {
    "lone surrogate": made(note="\ud800"),
    "NUL as an escape": made(note="\0"),
    "NUL in every text": made(email="a\0@example.com", useragent="\0", sg_message_id="\0"),
    "invalid UTF-8 in a text": made(note="NOTE").replace(b"NOTE", b"\xff\xc3\0"),
    "duplicate keys": b'{"event":"open","event":"click","email":"a@example.com","email":7}',
    "integer of 30 digits": made(timestamp=10**29, nl_send=10**29, nl_batch=10**29),
    "negative time": made(timestamp=-(10**11)),
    "ids that are lists": made(nl_send=[[1]], nl_batch={"a": 1}, nl_attempt=True),
    "address that is a list": made(email=["ada@example.com"]),
    "200 levels": nested(200),
    "300,000 characters": made(note="x" * 300_000),
}
# Bodies in which nothing is an event.
UNREADABLE_BODIES = {
    "words": b"hello",
    "number": b"1e999",
    "null": b"null",
    "HTML": b"<html>busy</html>",
    "form": b"email=ada%40example.com&event=unsubscribe",
    "gzip": gzip.compress(b"[" + GOOD + b"]", mtime=0),
    "UTF-16": ("[" + GOOD.decode() + "]").encode("utf-16"),
    "open brackets": b"[" * 50_000,
    "closed brackets": b"]" * 50_000,
    "open braces": b"[{" * 50_000,
    "quotes": b'["' + b'\\"' * 100_000,
    "backslashes": b'["' + b"\\" * 100_001,
    "commas": b"[,,,]",
    "wrong bracket": b"[}",
    "NUL": b"\0" * 10,
}


@pytest.mark.parametrize("element", UNREADABLE_ELEMENTS.values(), ids=UNREADABLE_ELEMENTS)
def test_element_that_is_no_event_is_kept_and_the_others_are_applied(
    webhook: WebhookServer, element: bytes
) -> None:
    other = GOOD.replace(b"good", b"other")
    body = b" [ " + GOOD + b" , " + element + b",\n" + other + b" ] "
    assert webhook.post_signed(body) == (200, {"new": 2, "known": 0, "odd": 1})
    assert webhook.post_signed(body) == (200, {"new": 0, "known": 2, "odd": 1})
    [(kept, reason)] = webhook.load_unreadable()
    assert element.startswith(kept)
    assert len(kept) in {len(element), 16_384} or len(kept) > 14_000
    assert reason.startswith("it ")
    assert "\n" not in reason


@pytest.mark.parametrize("element", READABLE_ELEMENTS.values(), ids=READABLE_ELEMENTS)
def test_odd_event_is_stored(webhook: WebhookServer, element: bytes) -> None:
    assert webhook.post_signed(b"[" + element + b"]") == (200, {"new": 1, "known": 0, "odd": 0})
    assert webhook.post_signed(b"[" + element + b"]")[1]["known"] == 1
    assert (webhook.count_events(), webhook.load_unreadable()) == (1, [])


@pytest.mark.parametrize("body", UNREADABLE_BODIES.values(), ids=UNREADABLE_BODIES)
def test_body_without_any_event_is_kept_once(webhook: WebhookServer, body: bytes) -> None:
    with webhook.engine.begin() as connection:  # so that each body is searched for addresses
        connection.execute(sa.insert(erased).values(address_hash="", at=sa.func.now()))
    assert webhook.post_signed(body)[0] == 200
    kept = webhook.load_unreadable()
    assert webhook.post_signed(body)[0] == 200
    assert webhook.load_unreadable() == kept
    assert kept
    assert all(text and text in body for text, _ in kept)
    assert webhook.count_events() == 0


def test_single_object_and_cut_off_array_are_read(webhook: WebhookServer) -> None:
    assert webhook.post_signed(GOOD) == (200, {"new": 1, "known": 0, "odd": 0})
    other = GOOD.replace(b"good", b"other")
    cut_off = b"[" + GOOD + b"," + other + b',{"event":"unsubscr'
    assert webhook.post_signed(cut_off) == (200, {"new": 1, "known": 1, "odd": 1})
    assert webhook.load_unreadable() == [(b'{"event":"unsubscr', "it is not valid JSON")]


@pytest.mark.parametrize("body", [b"", b" \n", b"[]", b" [ ] ", b"\xef\xbb\xbf[]"])
def test_body_that_says_nothing_is_not_kept(webhook: WebhookServer, body: bytes) -> None:
    assert webhook.post_signed(body) == (200, {"new": 0, "known": 0, "odd": 0})
    assert webhook.load_unreadable() == []


def test_ten_thousand_elements_are_kept(webhook: WebhookServer) -> None:
    body = make_body(*range(10_000), make_event())
    assert webhook.post_signed(body) == (200, {"new": 1, "known": 0, "odd": 10_000})
    assert [text for text, _ in webhook.load_unreadable()] == [b"%d" % n for n in range(10_000)]


@pytest.mark.parametrize("body", [b"hello", make_body(7), b'{"event":"unsubscribe"}'])
def test_forged_request_leaves_nothing(webhook: WebhookServer, body: bytes) -> None:
    other_key = ec.generate_private_key(ec.SECP256R1())
    assert webhook.post(body)[0] == 403
    assert webhook.post(body, sign(body, secret=other_key))[0] == 403
    assert webhook.post(body, sign(body + b" "))[0] == 403
    assert webhook.load_unreadable() == []


def test_log_counts_but_holds_nothing_of_the_body(
    webhook: WebhookServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        webhook.post_signed(b'[{"email":"ada@example.com"}, "ada@example.com"]')
    assert "2 entries that are not events" in caplog.text
    assert "ada@" not in caplog.text


def test_event_is_stored_with_what_can_be_stored(webhook: WebhookServer) -> None:
    webhook.post_signed(b"[" + READABLE_ELEMENTS["NUL in every text"] + b"]")
    with read_transaction(webhook.engine) as connection:
        raw = connection.execute(sa.select(event.c.raw)).scalar_one()
        assert raw["email"] == "a\ufffd@example.com"
