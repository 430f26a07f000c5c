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
    ("values", "attribute_type"),
    [
        (["1", "-20", "0", "7.5"], "number"),
        (["0123"], "text"),  # a postal code
        (["+4712345678"], "text"),  # a telephone number
        (["9.90"], "text"),  # would be formatted as 9.9
        (["1", "two"], "text"),
        (["12345678901234567890"], "text"),
        (["true", "FALSE"], "boolean"),
        (["yes", "no"], "text"),  # would be formatted as true and false
        (["2026-01-31"], "date"),
        (["2026-02-31"], "text"),
        (["2026-01-31", "1"], "text"),
        ([True, "false"], "boolean"),
        ([1, 2.5], "number"),
        ([], "text"),
    ],
)
def test_infer_type(values: list[AttributeValue], attribute_type: AttributeType) -> None:
    assert infer_type(values) == attribute_type


@given(st.lists(st.text(max_size=12) | st.from_regex(r"-?[0-9]{1,9}(\.[0-9]{1,4})?"), min_size=1))
def test_value_of_an_inferred_type_is_formatted_as_before(values: list[str]) -> None:
    attribute_type = infer_type(values)
    for value in values:
        assert format_value(coerce_value(value, attribute_type, "x")).casefold() == value.casefold()


@pytest.mark.parametrize(
    ("value", "attribute_type", "expected"),
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
def test_coercion_to_a_known_type(
    value: AttributeValue, attribute_type: AttributeType, expected: AttributeValue
) -> None:
    found = coerce_value(value, attribute_type, "x")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "attribute_type", "message"),
    [
        ("about forty", "number", "'age' must be a number, not 'about forty'"),
        (True, "number", "not 'true'"),
        (float("nan"), "number", "must be a number"),
        (1e300, "number", "must be a number"),
        ("maybe", "boolean", "'age' must be true or false, not 'maybe'"),
        (1, "boolean", "not '1'"),
        ("31.1.2026", "date", "'age' must be a date like 2026-11-24, not '31.1.2026'"),
    ],
)
def test_value_of_another_type_is_rejected(
    value: AttributeValue, attribute_type: AttributeType, message: str
) -> None:
    with pytest.raises(SubscriberListError, match="age") as caught:
        coerce_value(value, attribute_type, "age")
    assert message in caught.value.problems[0].message


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
def test_timestamp_formats_of_exports(text: str) -> None:
    assert parse_timestamp(text) == datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def test_date_without_a_time_is_midnight() -> None:
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
def test_invalid_timestamp_is_rejected(text: str) -> None:
    with pytest.raises(SubscriberListError, match="not a valid date; write it like 2026-11-24"):
        parse_timestamp(text)
