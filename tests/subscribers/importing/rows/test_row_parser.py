import pytest

from newsletter.errors import Location, SubscriberListError
from newsletter.subscribers.importing.files.csv_reader import FileRow
from newsletter.subscribers.importing.rows.column_mapping import map_columns
from newsletter.subscribers.importing.rows.row_parser import (
    ParsedSubscriber,
    clean_soft_bounces,
    parse_subscriber_row,
)


def parse(**cells: str) -> ParsedSubscriber:
    cells = {"email": "Ada@Example.com"} | cells
    columns = map_columns(list(cells), {}, Location("readers.csv", 1))
    return parse_subscriber_row(FileRow(7, list(cells.values())), columns)


def test_parse_row() -> None:
    assert parse(name=" Ada L ", city="Oslo", note=" ", tags="a b") == ParsedSubscriber(
        7,
        "ada@example.com",
        "Ada@example.com",
        "Ada L",
        "active",
        {"city": "Oslo"},
        tags=("a b",),
    )


def test_name_from_first_and_last_name() -> None:
    assert parse(first_name="Ada", last_name="Lovelace").name == "Ada Lovelace"
    assert parse(first_name="", last_name="Lovelace").name == "Lovelace"


def test_line_breaks_in_an_attribute_become_spaces() -> None:
    assert parse(note="one\r\ntwo\tthree").attributes == {"note": "one two three"}


def test_letters_of_any_script_are_accepted() -> None:
    name = "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627 \U0001f468\u200d\U0001f469"
    assert parse(name=name).name == name


@pytest.mark.parametrize(
    ("cells", "status"),
    [
        ({"status": "subscribed"}, "active"),
        ({"status": " ACTIVE "}, "active"),
        ({"status": "Unconfirmed"}, "pending"),
        ({"status": "unsubscribed"}, "unsubscribed"),
        ({"status": "opted-out"}, "unsubscribed"),
        ({"status": "cleaned"}, "bounced"),
        ({"status": "complained"}, "complained"),
        ({"subscribed": "TRUE"}, "active"),
        ({"subscribed": "no"}, "unsubscribed"),
        ({"unsubscribed_at": ""}, "active"),
        ({"unsubscribed_at": "0"}, "active"),
        ({"unsubscribed_at": "2026-01-01"}, "unsubscribed"),
        ({"status": "active", "bounced": "yes"}, "bounced"),
        ({"status": "active", "subscribed": "false"}, "unsubscribed"),
        ({"status": "complained", "subscribed": "true"}, "complained"),
        ({"status": "pending", "subscribed": "true"}, "pending"),
    ],
)
def test_most_cautious_status_of_a_row_counts(cells: dict[str, str], status: str) -> None:
    assert parse(**cells).status == status


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"email": "ada@"}, "'ada@' is not a valid email address"),
        ({"status": "sleeping"}, "'sleeping' is not a known status"),
        ({"status": ""}, "'' is not a known status"),
        ({"subscribed": "maybe"}, "'maybe' is neither yes nor no"),
        ({"subscribed": ""}, "no consent is stated: the column subscribed is empty"),
        ({"name": "Ada\r\nBcc: x@y.example"}, "the name contains a line break"),
        ({"name": "Ada\u2028L"}, "the name contains a line break"),
        ({"name": "Ada\0"}, "the name contains a control character (U+0000)"),
        ({"name": "Ada\x1b[2J"}, "the name contains a control character (U+001B)"),
        ({"name": "Ren\ufffd"}, "the name contains characters that could not be decoded"),
        ({"name": "x" * 201}, "the name is longer than 200 characters"),
        ({"city": "Os\0lo"}, "'city' contains a control character (U+0000)"),
        ({"city": "x" * 10_001}, "'city' is longer than 10,000 characters"),
        ({"tags": 'readers "old"\nnew'}, "a tag contains a line break"),
        ({"tags": 'readers "old"\rnew'}, "a tag contains a line break"),
        ({"tags": '"' + "x" * 140_000}, "a tag is longer than 100 characters"),
    ],
)
def test_invalid_row_is_rejected_with_the_reason(cells: dict[str, str], reason: str) -> None:
    with pytest.raises(SubscriberListError) as caught:
        parse(**cells)
    assert reason in caught.value.problems[0].message


@pytest.mark.parametrize("depth", [255, 900, 100_000])
def test_json_attribute_that_is_nested_too_deeply_is_rejected(depth: int) -> None:
    header = ["email", "creation_date", "metadata"]
    columns = map_columns(header, {}, Location("readers.csv", 1))
    metadata = '{"notes": ' + "[" * depth + "]" * depth + "}"
    with pytest.raises(SubscriberListError):
        parse_subscriber_row(FileRow(3, ["a@b.com", "2026-11-24", metadata]), columns)


@pytest.mark.parametrize(
    "text", ["1001", "0" * 5_000, "0" * 9 + "9" * 20, "-1", "\xb2", "\u0663", ""]
)
def test_odd_number_of_soft_bounces_is_rejected(text: str) -> None:
    with pytest.raises(SubscriberListError, match="is not a valid number of soft bounces"):
        clean_soft_bounces(text)


def test_problem_of_a_broken_row_is_the_reason() -> None:
    columns = map_columns(["email"], {}, Location("readers.csv", 1))
    with pytest.raises(SubscriberListError, match="the row has 2 cells"):
        parse_subscriber_row(FileRow(3, ["a@b.com", "x"], "the row has 2 cells"), columns)
