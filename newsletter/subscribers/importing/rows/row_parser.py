"""Parse one row, or reject it with the reason.

Pure.
"""

import csv
import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from unicodedata import category

import orjson

from newsletter.errors import SubscriberListError
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.attribute_types import (
    MAX_TEXT_LENGTH,
    AttributeValue,
    format_value,
    parse_boolean,
    parse_timestamp,
)
from newsletter.subscribers.consent.journal import JournalEntry
from newsletter.subscribers.csv_injection import unescape_formula
from newsletter.subscribers.importing.files.csv_reader import FileRow
from newsletter.subscribers.importing.rows.column_mapping import ColumnMapping, make_attribute_key
from newsletter.subscribers.importing.rows.export_formats import STATUS_WORDS, normalize_name

# Where two columns disagree, the later of these counts.
STATUS_PRECEDENCE = ("active", "pending", "bounced", "unsubscribed", "complained")
TOKEN_PATTERN = re.compile(r"[A-Za-z0-9_-]{22}")
MAX_NAME_LENGTH = 200
MAX_TAG_LENGTH = 100
MAX_TAGS = 100
_MAX_SOFT_BOUNCES = 1_000
_LINE_ENDS = "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_REPLACEMENT_CHARACTER = "\ufffd"  # what decoding puts where it fails


class ParsedSubscriber(NamedTuple):
    """A reader as the file has them.

    Attributes:
        line: the row, 1-based.
        key: the address as a key.
        address: the address as typed.
        name: ``""`` if the file has none.
        status: one of ``STATUSES``.
        attributes: the filled ones; as text until they are given their types.
        tags: each once.
        joined_at: since when they are a reader, if the file says.
        confirmed_at: when they confirmed, if the file says.
        source: where they came from, if the file says.
        token: of our own exports: the secret in the links of mails that were sent.
        soft_bounces: of our own exports.
        paused_until: of our own exports.
        journal: of our own exports: how they came to their status.
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


def parse_subscriber_row(
    row: FileRow, columns: ColumnMapping, file_status: str = "active"
) -> ParsedSubscriber:
    """Read one row.

    Args:
        row: as the file has it.
        columns: what its cells are.
        file_status: the status that the whole file tells; a row may only tell a more careful one.

    Raises:
        ListError: the row is broken, has no address or a word for the status that isn't known,
            or characters that must not get into a mail.
    """
    if row.problem:
        raise SubscriberListError(row.problem)
    cells = row.cells
    for _ in range(columns.escape_levels):
        cells = [unescape_formula(cell) for cell in cells]
    address, key = parse_address(cells[columns.address])
    name = clean_name(" ".join(filter(None, [cells[index].strip() for index in columns.names])))
    attributes: dict[str, AttributeValue] = {}
    for index, attribute in columns.attributes.items():
        value = cells[index].strip()
        if value:
            plain = len(value) <= MAX_TEXT_LENGTH and _is_clean(value)
            attributes[attribute] = value if plain else clean_text(value, attribute)
    for index in columns.json:
        attributes.update(_parse_json_attributes(cells[index], columns.header[index], index))
    entry = ParsedSubscriber(
        row.line, key, address, name, _parse_status(cells, columns, file_status), attributes
    )
    if columns.tags:
        tags = [tag for index in columns.tags for tag in _split_tags(cells[index])]
        entry = entry._replace(tags=clean_tags(tags))
    return _add_single_values(entry, cells, columns) if columns.single_columns else entry


def clean_name(name: str) -> str:
    """A name that may stand in a mail's header.

    Raises:
        ListError: it has a line break or a control character, or is far too long.
    """
    _reject_control_characters(name, "the name")
    if len(name) > MAX_NAME_LENGTH:
        raise SubscriberListError(f"the name is longer than {MAX_NAME_LENGTH} characters")
    return name


def clean_text(value: str, label: str) -> str:
    """A text on one line: a note may have several, a merge tag has room for one.

    Raises:
        ListError: it has control characters, or is far too long.
    """
    value = " ".join(value.splitlines()).replace("\t", " ")
    _reject_control_characters(value, f"'{label}'")
    if len(value) > MAX_TEXT_LENGTH:
        raise SubscriberListError(f"'{label}' is longer than {MAX_TEXT_LENGTH:,} characters")
    return value


def clean_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags without the spaces around them, each once.

    Raises:
        ListError: one has control characters or is far too long, or there are far too many.
    """
    found = dict.fromkeys(filter(None, (tag.strip() for tag in tags)))
    if len(found) > MAX_TAGS:
        raise SubscriberListError(f"there are more than {MAX_TAGS} tags")
    for tag in found:
        _reject_control_characters(tag, "a tag")
        if len(tag) > MAX_TAG_LENGTH:
            raise SubscriberListError(f"a tag is longer than {MAX_TAG_LENGTH} characters")
    return tuple(found)


def flatten_attributes(data: Mapping[str, Any], index: int) -> Iterator[tuple[str, AttributeValue]]:
    """An object of attributes, one level of objects in it taken apart; blank ones left out."""
    for name, value in data.items():
        if isinstance(value, dict):
            for inner, deep in value.items():
                yield from _flatten_value(make_attribute_key(f"{name} {inner}", index), deep)
        else:
            yield from _flatten_value(make_attribute_key(name, index), value)


def _flatten_value(key: str, value: Any) -> Iterator[tuple[str, AttributeValue]]:
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        value = ", ".join(format_value(item) for item in value)
    elif isinstance(value, list | dict):
        value = orjson.dumps(value).decode()
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
        raise SubscriberListError(f"'{column}' is no JSON object")
    return dict(flatten_attributes(data, index))


def _add_single_values(
    entry: ParsedSubscriber, cells: Sequence[str], columns: ColumnMapping
) -> ParsedSubscriber:
    found: dict[str, Any] = {}
    for role, index in columns.single_columns.items():
        cell = cells[index].strip()
        if not cell:
            continue
        if role in {"joined_at", "confirmed_at", "paused_until"}:
            found[role] = parse_timestamp(cell)
        elif role == "source":
            found[role] = clean_text(cell, role)
        elif role == "token":
            found[role] = clean_token(cell)
        else:
            found[role] = clean_soft_bounces(cell)
    return entry._replace(**found)


def clean_token(text: str) -> str:
    """A token of ours.

    Raises:
        ListError: it is none.
    """
    if not TOKEN_PATTERN.fullmatch(text):
        raise SubscriberListError("the token is none of ours")
    return text


def clean_soft_bounces(text: str) -> int:
    """How many soft bounces there were.

    Raises:
        ListError: it is no count.
    """
    if not (text.isascii() and text.isdigit() and int(text[:9]) <= _MAX_SOFT_BOUNCES):
        raise SubscriberListError(f"'{text[:60]}' is no number of soft bounces")
    return int(text)


def _split_tags(cell: str) -> Sequence[str]:
    """Tags as exports list them: commas, each perhaps in quotes; or a JSON list."""
    cell = cell.strip()
    if cell[:1] == "[":
        try:
            data = orjson.loads(cell)
        except orjson.JSONDecodeError:
            data = None
        if isinstance(data, list) and all(isinstance(tag, str) for tag in data):
            return data
    if '"' in cell:
        return next(csv.reader([cell], skipinitialspace=True), [])
    return re.split("," if "," in cell else "[;|]", cell)


def _parse_status(cells: Sequence[str], columns: ColumnMapping, file_status: str) -> str:
    if not (columns.status or columns.consent or columns.opt_out or columns.suppressed_if_filled):
        return file_status
    found = [file_status]
    for index in columns.status:
        word = normalize_name(cells[index])
        status = columns.format.statuses.get(word) or STATUS_WORDS.get(word)
        if status is None:
            raise SubscriberListError(f"'{cells[index][:60]}' is no status that is known")
        found.append(status)
    found += ["unsubscribed" for index in columns.consent if not _parse_consent(cells[index])]
    found += [
        "unsubscribed"
        for index in columns.opt_out
        if cells[index].strip() and _parse_consent(cells[index])
    ]
    for index, status in columns.suppressed_if_filled.items():
        if cells[index].strip() and parse_boolean(cells[index]) is not False:
            found.append(status)
    return max(found, key=STATUS_PRECEDENCE.index)


def _parse_consent(cell: str) -> bool:
    found = parse_boolean(cell)
    if found is None:
        raise SubscriberListError(f"'{cell[:60]}' is neither yes nor no to being subscribed")
    return found


def _is_clean(text: str) -> bool:
    return text.isprintable() and _REPLACEMENT_CHARACTER not in text


def _reject_control_characters(text: str, label: str) -> None:
    """A line break in a name would be a way to write mail headers (RFC 5322)."""
    if _is_clean(text):
        return
    for char in text:
        if char in _LINE_ENDS:
            raise SubscriberListError(f"{label} has a line break in it")
        if char == _REPLACEMENT_CHARACTER:
            raise SubscriberListError(f"{label} has characters that could not be decoded")
        if category(char) in {"Cc", "Cs"}:
            raise SubscriberListError(f"{label} has a control character in it (U+{ord(char):04X})")
