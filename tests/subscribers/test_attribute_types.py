import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import SubscriberListError
from newsletter.subscribers.attribute_types import (
    AttributeType,
    AttributeValue,
    coerce_value,
    format_value,
    infer_type,
    parse_timestamp,
)

UTC = datetime.UTC


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-20", "0", "7.5"], "number"),
        (["0123"], "text"),  # a postcode
        (["+4712345678"], "text"),  # a telephone
        (["9.90"], "text"),  # would be printed 9.9
        (["1", "two"], "text"),
        (["12345678901234567890"], "text"),
        (["true", "FALSE"], "boolean"),
        (["yes", "no"], "text"),  # would be printed true and false
        (["2026-01-31"], "date"),
        (["2026-02-31"], "text"),
        (["2026-01-31", "1"], "text"),
        ([True, "false"], "boolean"),
        ([1, 2.5], "number"),
        ([], "text"),
    ],
)
def test_the_type_of_a_new_attribute(values: list[AttributeValue], kind: AttributeType) -> None:
    assert infer_type(values) == kind


@given(st.lists(st.text(max_size=12) | st.from_regex(r"-?[0-9]{1,9}(\.[0-9]{1,4})?"), min_size=1))
def test_what_gets_a_type_is_printed_as_it_was(values: list[str]) -> None:
    kind = infer_type(values)
    for value in values:
        assert format_value(coerce_value(value, kind, "x")).casefold() == value.casefold()


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("7", "text", "7"),
        (7, "text", "7"),
        (True, "text", "true"),
        ("+7.50", "number", 7.5),
        ("Yes", "boolean", True),
        ("0", "boolean", False),
        ("2026-01-31", "date", "2026-01-31"),
    ],
)
def test_a_known_type_takes_more(
    value: AttributeValue, kind: AttributeType, expected: AttributeValue
) -> None:
    found = coerce_value(value, kind, "x")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        ("about forty", "number", "'age' holds numbers; 'about forty' is none"),
        (True, "number", "'true' is none"),
        (float("nan"), "number", "is none"),
        (1e300, "number", "is none"),
        ("maybe", "boolean", "'age' holds true or false; 'maybe' is none"),
        (1, "boolean", "'1' is none"),
        ("31.1.2026", "date", "'age' holds dates like 2026-11-24; '31.1.2026' is none"),
    ],
)
def test_another_type_is_refused(value: AttributeValue, kind: AttributeType, said: str) -> None:
    with pytest.raises(SubscriberListError, match="age") as caught:
        coerce_value(value, kind, "age")
    assert said in caught.value.problems[0].message


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-06 07:08:09",
        "2024-05-06T07:08:09Z",
        "2024-05-06T07:08:09.000Z",
        "2024-05-06 07:08:09 UTC",
        "2024-05-06 07:08:09.000000000 +0000 UTC",
        "2024-05-06 09:08:09 +0200 CEST",
        "2024-05-06T09:08:09+02:00",
        "2024-05-06 12:38:09 +0530 +0530",
    ],
)
def test_times_as_exports_write_them(text: str) -> None:
    assert parse_timestamp(text) == datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def test_a_day_is_its_beginning() -> None:
    assert parse_timestamp("2024-05-06") == datetime.datetime(2024, 5, 6, tzinfo=UTC)
    assert parse_timestamp("2024-05-06 07:08") == datetime.datetime(2024, 5, 6, 7, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "5/6/2024",
        "06.05.2024",
        "2024-13-01",
        "yesterday",
        "2024-05-06T25:00",
        "0001-01-01T00:00+23:00",
    ],
)
def test_no_time(text: str) -> None:
    with pytest.raises(
        SubscriberListError, match="no date that can be read; write it like 2026-11-24"
    ):
        parse_timestamp(text)
