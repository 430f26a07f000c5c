"""Edges of the rules on subject and preheader: what fires, and what stays quiet."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

GetMessages = Callable[..., list[str]]

EDGES: list[tuple[str, Mapping[str, Any], str]] = [
    ("no-subject", {"subject": '{{ subscriber.name | default("") }}'}, "the subject is empty"),
    ("no-subject", {"subject": "A"}, ""),
    ("long-subject", {"subject": "a" * 71}, "71 characters: Gmail ends at"),
    ("long-subject", {"subject": "a" * 70}, ""),
    ("long-subject", {"subject": "潮" * 35}, ""),
    (
        "long-subject",
        {"subject": "潮" * 34 + "a港b"},
        "37 characters, as wide as 72: Gmail ends at “…潮潮潮潮潮潮潮潮潮潮潮a”",
    ),
    ("long-subject", {"subject": "e\u0301" * 70}, ""),
    ("long-subject", {"subject": "👩‍👩‍👧" * 30}, ""),
    ("long-preheader", {"preheader": "潮" * 71}, "71 characters, as wide as 142"),
    ("long-preheader", {"preheader": "潮" * 70}, ""),
    ("shouting-subject", {"subject": "潮が来る\uff01\uff01\uff01"}, "the subject is shouting"),
    ("shouting-subject", {"subject": "潮が来る\uff01\uff01"}, ""),
    ("shouting-subject", {"subject": "ALL BOATS"}, "the subject is shouting"),
    *[
        ("shouting-subject", {"subject": subject}, "the subject is shouting")
        for subject in (
            "BUY NOW AND SAVE BIG",
            "LIMITED OFFER: HTML",
            "SALE, LAST CALL, HURRY",
            "HTML5 IS HERE TODAY",
            "NOW OR NEVER: BOATS",
        )
    ],
    *[
        ("shouting-subject", {"subject": subject}, "")
        for subject in (
            "HTML, CSS, SQL & XML",
            "NASA, ESA and JAXA",
            "AWS/GCP/AZURE",
            "HTTP2 vs. HTTP3 vs. QUIC",
            "MJML, HTML + CSS",
            "TCP, UDP or QUIC",
        )
    ],
    ("shouting-subject", {"subject": "ALL BOA"}, ""),  # seven letters are an abbreviation
    ("shouting-subject", {"subject": "ALL 12345678 BO"}, ""),
    ("shouting-subject", {"subject": "AAAAAAAbbb"}, ""),  # seven of ten
    ("shouting-subject", {"subject": "AAAAAAAAbbb"}, "the subject is shouting"),
    ("shouting-subject", {"subject": "Boats!!!"}, "the subject is shouting"),
    ("shouting-subject", {"subject": "Boats! Terns!"}, ""),
    ("shouting-subject", {"subject": "潮の満ち引きについて考える"}, ""),
    ("emoji-subject", {"subject": "⛵ !?"}, "the subject has no word in it"),
    ("emoji-subject", {"subject": "⛵ 7"}, ""),
    ("emoji-subject", {"subject": "⛵ é"}, ""),
    ("emoji-subject", {"subject": "潮"}, ""),
    ("emoji-subject", {"subject": "_"}, "the subject has no word in it"),
    ("no-preheader", {"preheader": ""}, "inboxes will show the first sentence"),
    ("no-preheader", {"preheader": "A"}, ""),
    ("long-preheader", {"preheader": "a" * 141}, "141 characters"),
    ("long-preheader", {"preheader": "a" * 140}, ""),
    ("preheader-repeats", {"preheader": "the boats ARE back!"}, "the preheader repeats"),
    ("preheader-repeats", {"preheader": "The boats are back, and so is the fog."}, ""),
    ("preheader-repeats", {"preheader": "Spring in the harbour"}, ""),  # the title: not shown there
    ("preheader-repeats", {"preheader": "!", "subject": "?"}, ""),
]


@pytest.mark.parametrize(("rule", "front", "message"), EDGES)
def test_edge(get_messages: GetMessages, rule: str, front: Mapping[str, Any], message: str) -> None:
    found = get_messages(rule, front=front)
    assert len(found) == bool(message)
    assert not message or message in found[0]


def test_preheader_of_an_import_that_is_the_opening_is_no_repetition(
    get_messages: GetMessages,
) -> None:
    opening = "The tide goes out and comes back in, and nobody on the quay has ever asked it why."
    assert get_messages("preheader-repeats", front={"preheader": opening}) == []


@pytest.mark.parametrize(("size", "count"), [(70, 0), (71, 1)])
def test_long_merge_value(get_messages: GetMessages, size: int, count: int) -> None:
    options: dict[str, Any] = {
        "front": {"subject": "{{ subscriber.name }}"},
        "longest_values": {"name": "x" * size},
    }
    assert len(get_messages("long-merge-value", **options)) == count
    options["front"] = {"subject": "{{ subscriber.name }}" + "a" * 71}
    assert get_messages("long-merge-value", **options) == []


@pytest.mark.parametrize(
    ("earlier", "count"),
    [("The Boats are back", 1), ("The boats, are back!", 1), ("The boat is back", 0), ("", 0)],
)
def test_repeated_subject(get_messages: GetMessages, earlier: str, count: int) -> None:
    subjects = {"2026-11-15-ice": earlier, "2026-11-08-fog": earlier}
    found = get_messages("repeated-subject", earlier_subjects=subjects)
    assert found == ["2026-11-15-ice had the same subject"] * count
