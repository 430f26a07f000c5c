"""Events in files and webhook bodies: what is parsed, repaired and rejected."""

import datetime
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import SubscriberListError
from newsletter.events.parse import (
    MAX_ADDRESS_LENGTH,
    MAX_ATTEMPT_NUMBER,
    MAX_EVENT_ID_LENGTH,
    MAX_ID,
    MAX_TYPE_LENGTH,
    Event,
)
from newsletter.events.read_events import (
    MAX_PROBLEMS,
    iter_file_entries,
    parse_event_lines,
    parse_webhook_body,
)
from newsletter.events.unreadable_item import make_unreadable_item

EVENT = {
    "sg_event_id": "e1", "event": "processed", "timestamp": 1796115600, "email": "a@example.com",
    "nl_send": "1", "nl_batch": "2", "nl_attempt": "3", "nl_subscriber": "4",
}  # fmt: skip


def lines(*entries: object) -> list[bytes]:
    return [json.dumps(entry).encode() for entry in entries]


def test_event_has_the_ids_of_send_batch_and_attempt() -> None:
    (event,) = parse_event_lines(lines(EVENT), "events.jsonl")
    assert (event.id, event.type, event.address) == ("e1", "processed", "a@example.com")
    assert (event.send_id, event.batch_id, event.attempt_number) == (1, 2, 3)
    assert event.at.isoformat() == "2026-12-01T09:00:00+00:00"


def test_file_may_have_lists_single_events_empty_lines_and_a_bom() -> None:
    content = [b"\xef\xbb\xbf" + lines(EVENT)[0], b"\n", *lines([EVENT, EVENT])]
    assert len(list(parse_event_lines(content, "events.jsonl"))) == 3


@pytest.mark.parametrize("value", ["test", "", None, "-1", "0", "1.5", "²", str(MAX_ID + 1), []])
def test_id_that_is_not_ours_is_none(value: object) -> None:
    (event,) = parse_event_lines(lines({**EVENT, "nl_batch": value}), "events.jsonl")
    assert event.batch_id is None


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b"1",
        b"[1]",
        b"{}",
        lines({**EVENT, "timestamp": "soon"})[0],
        lines({**EVENT, "timestamp": 10**20})[0],
        lines({**EVENT, "timestamp": []})[0],
        lines({**EVENT, "event": "x" * (MAX_TYPE_LENGTH + 1)})[0],
        b'{"a":' * 300 + lines(EVENT)[0] + b"}" * 300,
        b"[" * 100_000,
        b'{"sg_event_id": "\xff"}',
    ],
)
def test_invalid_line_is_reported_with_its_number(line: bytes) -> None:
    with pytest.raises(SubscriberListError) as error:
        list(parse_event_lines([*lines(EVENT), line], "events.jsonl"))
    first, last = error.value.problems
    assert str(first).startswith("events.jsonl:2: ")
    assert last.message == "nothing was imported from the file"


@pytest.mark.parametrize("id_", [None, "", 7, [], "x" * (MAX_EVENT_ID_LENGTH + 1)])
def test_event_without_an_id_gets_one_of_its_content(id_: object) -> None:
    entry = {**EVENT, "sg_event_id": id_}
    other_order = dict(reversed(entry.items()))
    first, again, other = parse_event_lines(
        lines(entry, other_order, {**entry, "timestamp": 1796115601}), "events.jsonl"
    )
    assert first.id.startswith("sha256:")
    assert (first.id == again.id, first.id == other.id) == (True, False)


@pytest.mark.parametrize(
    "value",
    [
        None, "", "soon", [], 10**20, 1e300, 0, "0", -1, -1796115600, True, False, 1, 86_400,
        1_796_115_600_000, "1796115600000", 4_102_444_800, 1796115600 + 2 * 86_400, "NaN", {},
    ],
)  # fmt: skip
def test_event_without_a_time_happened_when_it_was_received(value: object) -> None:
    received_at = datetime.datetime.fromtimestamp(1796115600, datetime.UTC)
    body = json.dumps([{**EVENT, "timestamp": value}]).encode()
    (event,) = parse_webhook_body(body, received_at).events
    assert event.at == received_at


@pytest.mark.parametrize("value", [None, "soon", 10**20, 0, True])
def test_event_without_a_time_is_rejected_if_it_is_not_known_when_it_was_received(
    value: object,
) -> None:
    body = json.dumps([{**EVENT, "timestamp": value}]).encode()
    assert [len(part) for part in parse_webhook_body(body)] == [0, 1]


@pytest.mark.parametrize("value", [1_248_000_000, 1796115600 + 86_400, "1796115600", 1796115600.7])
def test_plausible_time_is_kept(value: float | str) -> None:
    received_at = datetime.datetime.fromtimestamp(1796115600, datetime.UTC)
    body = json.dumps([{**EVENT, "timestamp": value}]).encode()
    (event,) = parse_webhook_body(body, received_at).events
    assert event.at.timestamp() == int(float(value))


def test_number_of_reported_problems_is_limited() -> None:
    with pytest.raises(SubscriberListError) as error:
        list(parse_event_lines([b"x"] * 10_000, "events.jsonl"))
    assert len(error.value.problems) == MAX_PROBLEMS + 1


@given(st.lists(st.one_of(st.binary(max_size=60), st.just(lines(EVENT)[0])), max_size=5))
def test_any_file_is_parsed_or_rejected(content: list[bytes]) -> None:
    try:
        assert all(event.id for event in parse_event_lines(content, "events.jsonl"))
    except SubscriberListError as error:
        assert all(problem.message for problem in error.problems)  # noqa: PT017


def test_list_over_several_lines_is_parsed() -> None:
    text = json.dumps([EVENT, {**EVENT, "sg_event_id": "e2"}], indent=2).encode()
    events = list(parse_event_lines(text.splitlines(keepends=True), "events.json"))
    assert [event.id for event in events] == ["e1", "e2"]


def test_values_too_large_for_the_database_are_dropped() -> None:
    oversized = {
        **EVENT,
        "email": "a" * MAX_ADDRESS_LENGTH + "@x",
        "nl_attempt": str(MAX_ATTEMPT_NUMBER + 1),
    }
    (event,) = parse_event_lines(lines(oversized), "events.jsonl")
    assert (event.address, event.attempt_number) == ("", None)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (rb"a\u0000b", "a\ufffdb"),
        (rb"a\\u0000b", "a\\u0000b"),
        (rb"a\\\u0000b", "a\\\ufffdb"),
        (rb"a\ud800b", "a?b"),
        (b"a\xffb", "a\ufffdb"),
        (b"a\0b", "a\ufffdb"),
    ],
)
def test_text_that_cannot_be_stored_is_repaired(broken: bytes, reason: str) -> None:
    line = lines({**EVENT, "reason": "REASON"})[0].replace(b"REASON", broken)
    body = parse_webhook_body(b"[" + line + b"]")
    assert body.unreadable == []
    assert body.events[0].raw["reason"] == reason
    assert json.loads(body.events[0].raw_json)["reason"] == reason


def test_invalid_entries_are_counted_and_the_others_parsed() -> None:
    body = parse_webhook_body(
        json.dumps([EVENT, 7, {}, {**EVENT, "timestamp": None}, EVENT]).encode()
    )
    assert [event.id for event in body.events] == ["e1", "e1"]
    assert [(item.body, item.reason, item.source) for item in body.unreadable] == [
        (b"7", "it is not a JSON object", "webhook"),
        (b"{}", "it has no event type, or one that is too long", "webhook"),
        (
            json.dumps({**EVENT, "timestamp": None}).encode(),
            "its timestamp is not a time in seconds",
            "webhook",
        ),
    ]


def test_event_of_unknown_type_is_kept_completely() -> None:
    entry = {**EVENT, "event": "teleported", "where": {"to": ["Bergen"]}, "category": ["a", "b"]}
    (event,) = parse_webhook_body(json.dumps([entry]).encode()).events
    assert (event.type, json.loads(event.raw_json)) == ("teleported", entry)


@pytest.mark.parametrize("body", [b"{}", b"null", b"[", b"hello", b"\x1f\x8b\x08", b'["]'])
def test_body_that_is_not_a_list_is_unreadable(body: bytes) -> None:
    events, [item] = parse_webhook_body(body)
    assert (events, item.body, item.length) == ([], body.removeprefix(b"[") or body, item.length)


@given(st.binary(max_size=200))
def test_any_body_is_parsed_and_its_events_are_found(body: bytes) -> None:
    parse_webhook_body(b"[" + body + b"]")
    events, _ = parse_webhook_body(b"[" + lines(EVENT)[0] + b"," + body)
    assert events[0].id == "e1"


def test_long_text_is_cut_off_before_an_unfinished_word() -> None:
    text = b'{"note": "' + b"x " * 8_180 + b"ada@example.com" * 20 + b'"}'
    _, [item] = parse_webhook_body(text)
    assert (item.length, item.sha256) == (len(text), hashlib.sha256(text).hexdigest())
    assert item.body == text[:16_370]
    assert make_unreadable_item(b"x" * 20_000, "").body == b"x" * 14_384


@pytest.mark.parametrize("kind", ["bounce", "dropped", "spamreport", "unsubscribe"])
def test_event_that_changes_a_subscriber_needs_an_address(kind: str) -> None:
    for address in (None, "", 7, "x" * (MAX_ADDRESS_LENGTH + 1)):
        entry = {**EVENT, "event": kind, "email": address}
        events, [item] = parse_webhook_body(json.dumps([entry]).encode())
        assert (events, item.reason) == ([], "it has no email address")


def test_entries_of_a_file_that_are_not_events_have_their_line() -> None:
    content = [*lines(EVENT), b"\n", b"hello\n", b"[7, {}]\n", *lines([EVENT, 8])]
    entries = list(iter_file_entries(content, "events.jsonl"))
    found = [(item.body, item.source) for item in entries if not isinstance(item, Event)]
    assert found == [
        (b"hello", "events.jsonl:3"),
        (b"7", "events.jsonl:4"),
        (b"{}", "events.jsonl:4"),
        (b"8", "events.jsonl:5"),
    ]
    assert len(entries) == 6


def test_entries_of_a_list_over_several_lines_have_their_line() -> None:
    text = json.dumps([EVENT, 7, {**EVENT, "sg_event_id": "e2"}, 8], indent=2).encode()
    entries = list(iter_file_entries(text.splitlines(keepends=True), "e.json"))
    found = [item.source for item in entries if not isinstance(item, Event)]
    rows = text.splitlines()
    assert found == [f"e.json:{rows.index(b'  7,') + 1}", f"e.json:{rows.index(b'  8') + 1}"]


def test_file_whose_first_line_is_a_list_without_end_is_read_line_by_line() -> None:
    content = [b"[" + lines(EVENT)[0] + b",\n", lines({**EVENT, "sg_event_id": "e2"})[0]]
    entries = list(iter_file_entries(content, "events.jsonl"))
    assert [item.id for item in entries if isinstance(item, Event)] == ["e1", "e2"]
