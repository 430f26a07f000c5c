"""Parse one row of a file into a subscriber, or reject it with a reason.

Pure functions.
"""

import csv
import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from unicodedata import category

import orjson

from newsletter.config.tracking import TRACKED_ACTIONS
from newsletter.config.value_types import parse_topic_key
from newsletter.errors import SubscriberListError
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.attribute_types import (
    MAX_TEXT_LENGTH,
    AttributeValue,
    format_value,
)
from newsletter.subscribers.consent.journal import JournalEntry
from newsletter.subscribers.consent.tracking_answers import TrackingAnswers
from newsletter.subscribers.csv_injection import unescape_formula
from newsletter.subscribers.importing.files.csv_reader import FileRow
from newsletter.subscribers.importing.rows.address_cell import AddressCell, parse_address_cell
from newsletter.subscribers.importing.rows.column_mapping import ColumnMapping, make_attribute_key
from newsletter.subscribers.importing.rows.date_cell import parse_date_cell
from newsletter.subscribers.importing.rows.export_formats import NEWSLETTER_FORMAT
from newsletter.subscribers.importing.rows.row_status import parse_answer_cell, parse_row_status

TOKEN_PATTERN = re.compile(r"[A-Za-z0-9_-]{22}")
MAX_NAME_LENGTH = 200  # characters
MAX_TAG_LENGTH = 100  # characters
MAX_TAGS = 100
_SOFT_BOUNCES = re.compile("[0-9]{1,9}")
_MAX_SOFT_BOUNCES = 1_000
_LINE_ENDS = "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_REPLACEMENT_CHARACTER = "\ufffd"  # what undecodable bytes are decoded to


class ParsedSubscriber(NamedTuple):
    """A subscriber parsed from a row.

    Attributes:
        line: the line of the row, from 1.
        key: the address as a key.
        address: the address as typed.
        name: the name; ``""`` if the file has none.
        status: one of ``STATUSES``.
        attributes: the attributes that aren't blank; text until converted to their types.
        tags: the tags, without duplicates.
        joined_at: when they joined, if the file states it.
        confirmed_at: when they confirmed, if the file states it.
        source: where they came from, if the file states it.
        token: the secret in the links of emails already sent; only in our own exports.
        soft_bounces: number of soft bounces in a row; only in our own exports.
        paused_until: the end of a pause; only in our own exports.
        journal: the journal entries that led to the status; only in our own exports.
        opens_consent: whether opens may be recorded; ``None`` if the file doesn't state it.
        clicks_consent: likewise, whether clicks may be recorded.
        opted_out: the topics that they don't want; only in our own exports.
    """

    line: int
    key: str
    address: str
    name: str
    status: str
    attributes: dict[str, AttributeValue]
    tags: tuple[str, ...] = ()
    joined_at: datetime.datetime | None = None
    confirmed_at: datetime.datetime | None = None
    source: str = ""
    token: str = ""
    soft_bounces: int = 0
    paused_until: datetime.datetime | None = None
    journal: tuple[JournalEntry, ...] = ()
    opens_consent: bool | None = None
    clicks_consent: bool | None = None
    opted_out: tuple[str, ...] = ()

    @property
    def tracking_answers(self) -> TrackingAnswers:
        """What the file states about consent to tracking."""
        answers = zip(TRACKED_ACTIONS, (self.opens_consent, self.clicks_consent), strict=True)
        return {action: answer for action, answer in answers if answer is not None}


def parse_subscriber_row(
    row: FileRow, columns: ColumnMapping, file_status: str = "active"
) -> ParsedSubscriber:
    """Parse one row into a subscriber.

    Args:
        row: the row.
        columns: the columns of the file.
        file_status: the status implied by the file; a row can only state a more cautious one.

    Raises:
        SubscriberListError: the row is broken, has no valid address or an unknown status, or
            contains characters that must not get into an email.
    """
    if row.problem:
        raise SubscriberListError(row.problem)
    cells = row.cells
    for _ in range(columns.escape_levels):
        cells = [unescape_formula(cell) for cell in cells]
    cell = cells[columns.address]
    # An address in our own export may begin with an apostrophe; it is imported as it was.
    is_own_export = columns.format is NEWSLETTER_FORMAT
    found = AddressCell(parse_address(cell)) if is_own_export else parse_address_cell(cell)
    address, key = found.parsed
    name = " ".join(filter(None, [cells[index].strip() for index in columns.names]))
    name = clean_name(name or found.name)
    attributes: dict[str, AttributeValue] = {}
    for index, attribute in columns.attributes.items():
        value = cells[index].strip()
        if value:
            is_clean = len(value) <= MAX_TEXT_LENGTH and _is_clean(value)
            attributes[attribute] = value if is_clean else clean_text(value, attribute)
    for index in columns.json:
        attributes.update(_parse_json_attributes(cells[index], columns.header[index], index))
    entry = ParsedSubscriber(
        row.line, key, address, name, parse_row_status(cells, columns, file_status), attributes
    )
    if columns.tags:
        tags = [tag for index in columns.tags for tag in _split_tags(cells[index])]
        entry = entry._replace(tags=clean_tags(tags))
    return _add_single_values(entry, cells, columns) if columns.single_columns else entry


def clean_name(name: str) -> str:
    """Return a name that may be used in an email header.

    Raises:
        SubscriberListError: the name contains a line break or a control character, or is too long.
    """
    _reject_control_characters(name, "the name")
    if len(name) > MAX_NAME_LENGTH:
        raise SubscriberListError(f"the name is longer than {MAX_NAME_LENGTH} characters")
    return name


def clean_text(value: str, label: str) -> str:
    """Return a text on one line, as merge tags need it; line breaks and tabs become spaces.

    Args:
        value: the text.
        label: the name of the attribute or field, for error messages.

    Raises:
        SubscriberListError: the text contains control characters or is too long.
    """
    value = " ".join(value.splitlines()).replace("\t", " ")
    _reject_control_characters(value, f"'{label}'")
    if len(value) > MAX_TEXT_LENGTH:
        raise SubscriberListError(f"'{label}' is longer than {MAX_TEXT_LENGTH:,} characters")
    return value


def clean_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Return tags without surrounding spaces and without duplicates.

    Raises:
        SubscriberListError: a tag contains control characters or is too long, or there are too
            many tags.
    """
    cleaned = dict.fromkeys(filter(None, (tag.strip() for tag in tags)))
    if len(cleaned) > MAX_TAGS:
        raise SubscriberListError(f"there are more than {MAX_TAGS} tags")
    for tag in cleaned:
        _reject_control_characters(tag, "a tag")
        if len(tag) > MAX_TAG_LENGTH:
            raise SubscriberListError(f"a tag is longer than {MAX_TAG_LENGTH} characters")
    return tuple(cleaned)


def clean_topics(topics: Sequence[str]) -> tuple[str, ...]:
    """Return the keys of topics, without duplicates.

    Raises:
        SubscriberListError: one is not a valid key, or there are too many.
    """
    cleaned = dict.fromkeys(filter(None, (topic.strip() for topic in topics)))
    if len(cleaned) > MAX_TAGS:
        raise SubscriberListError(f"there are more than {MAX_TAGS} topics")
    try:
        return tuple(map(parse_topic_key, cleaned))
    except ValueError as error:
        raise SubscriberListError(str(error)) from None


def flatten_attributes(data: Mapping[str, Any], index: int) -> Iterator[tuple[str, AttributeValue]]:
    """Yield the attributes of a JSON object, flattening one level of objects; skip blank ones.

    Args:
        data: the object.
        index: the index of its column, to make empty and reserved names unique.
    """
    for name, value in data.items():
        if isinstance(value, dict):
            for inner_name, inner_value in value.items():
                key = make_attribute_key(f"{name} {inner_name}", index)
                yield from _flatten_value(key, inner_value)
        else:
            yield from _flatten_value(make_attribute_key(name, index), value)


def _flatten_value(key: str, value: Any) -> Iterator[tuple[str, AttributeValue]]:
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        value = ", ".join(format_value(item) for item in value)
    elif isinstance(value, list | dict):
        try:
            value = orjson.dumps(value).decode()
        except TypeError:  # it reads more levels than it writes
            raise SubscriberListError(f"'{key}' is nested too deeply") from None
    if isinstance(value, str):
        value = clean_text(value.strip(), key)
    if value is not None and value != "":
        yield key, value


def _parse_json_attributes(cell: str, column: str, index: int) -> dict[str, AttributeValue]:
    if not cell.strip():
        return {}
    try:
        data = orjson.loads(cell)
    except orjson.JSONDecodeError:
        data = None
    if not isinstance(data, dict):
        raise SubscriberListError(f"'{column}' must be a JSON object")
    return dict(flatten_attributes(data, index))


def _add_single_values(
    entry: ParsedSubscriber, cells: Sequence[str], columns: ColumnMapping
) -> ParsedSubscriber:
    values: dict[str, Any] = {}
    for role, index in columns.single_columns.items():
        cell = cells[index].strip()
        if not cell:
            continue
        if role in {"joined_at", "confirmed_at", "paused_until"}:
            values[role] = parse_date_cell(cell, columns.date_orders.get(index))
        elif role in {"opens_consent", "clicks_consent"}:
            values[role] = parse_answer_cell(cell, columns.header[index])
        elif role == "source":
            values[role] = clean_text(cell, role)
        elif role == "token":
            values[role] = clean_token(cell)
        elif role == "opted_out":
            values[role] = clean_topics(cell.split(","))
        else:
            values[role] = clean_soft_bounces(cell)
    return entry._replace(**values)


def clean_token(text: str) -> str:
    """Return a token if it has the format of ``TOKEN_PATTERN``.

    Raises:
        SubscriberListError: the token has another format.
    """
    if not TOKEN_PATTERN.fullmatch(text):
        raise SubscriberListError("the token is not valid")
    return text


def clean_soft_bounces(text: str) -> int:
    """Return a number of soft bounces.

    Raises:
        SubscriberListError: ``text`` is not a number or is too large.
    """
    if not _SOFT_BOUNCES.fullmatch(text) or int(text) > _MAX_SOFT_BOUNCES:
        raise SubscriberListError(f"'{text[:60]}' is not a valid number of soft bounces")
    return int(text)


def _split_tags(cell: str) -> Sequence[str]:
    """Split tags as exports write them: separated by commas and perhaps quoted, or a JSON list."""
    cell = cell.strip()
    if cell[:1] == "[":
        try:
            data = orjson.loads(cell)
        except orjson.JSONDecodeError:
            data = None
        if isinstance(data, list) and all(isinstance(tag, str) for tag in data):
            return data
    if '"' in cell:
        try:
            return next(csv.reader([cell], skipinitialspace=True), [])
        except csv.Error:  # a line break outside quotes, or too long: no valid tag either
            return [cell]
    return re.split("," if "," in cell else "[;|]", cell)


def _is_clean(text: str) -> bool:
    return text.isprintable() and _REPLACEMENT_CHARACTER not in text


def _reject_control_characters(text: str, label: str) -> None:
    """Reject control characters: a line break in a name would allow header injection (RFC 5322)."""
    if _is_clean(text):
        return
    for char in text:
        if char in _LINE_ENDS:
            raise SubscriberListError(f"{label} contains a line break")
        if char == _REPLACEMENT_CHARACTER:
            raise SubscriberListError(f"{label} contains characters that could not be decoded")
        if category(char) in {"Cc", "Cs"}:
            raise SubscriberListError(f"{label} contains a control character (U+{ord(char):04X})")
