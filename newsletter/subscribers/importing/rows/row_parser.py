"""One row of a list's file becomes one entry, or is refused with the reason. Pure."""

import csv
import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from unicodedata import category

import orjson

from newsletter.errors import SubscriberListError
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.attribute_types import MOST_TEXT, Value, read_time, read_truth, shown
from newsletter.subscribers.consent.journal import Line
from newsletter.subscribers.csv_injection import restored
from newsletter.subscribers.importing.files.csv_reader import Row
from newsletter.subscribers.importing.rows.column_mapping import Columns, key_of
from newsletter.subscribers.importing.rows.export_formats import STATUS_WORDS, folded

# Where two columns disagree, the later of these counts.
CAREFUL = ("active", "pending", "bounced", "unsubscribed", "complained")
TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")
MOST_NAME = 200
MOST_TAG = 100
MOST_TAGS = 100
_MOST_SOFT_BOUNCES = 1_000
_LINE_ENDS = "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_REPLACED = "\ufffd"  # what decoding puts where it fails


class Entry(NamedTuple):
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
    attributes: dict[str, Value]
    tags: tuple[str, ...] = ()
    joined_at: datetime.datetime | None = None
    confirmed_at: datetime.datetime | None = None
    source: str = ""
    token: str = ""
    soft_bounces: int = 0
    paused_until: datetime.datetime | None = None
    journal: tuple[Line, ...] = ()


def read_entry(row: Row, columns: Columns, told: str = "active") -> Entry:
    """Read one row.

    Args:
        row: as the file has it.
        columns: what its cells are.
        told: the status that the whole file tells; a row may only tell a more careful one.

    Raises:
        ListError: the row is broken, has no address or a word for the status that isn't known,
            or characters that must not get into a mail.
    """
    if row.problem:
        raise SubscriberListError(row.problem)
    cells = row.cells
    for _ in range(columns.neutralised):
        cells = [restored(cell) for cell in cells]
    address, key = parse_address(cells[columns.address])
    name = clean_name(" ".join(filter(None, [cells[index].strip() for index in columns.names])))
    attributes: dict[str, Value] = {}
    for index, attribute in columns.attributes.items():
        value = cells[index].strip()
        if value:
            plain = len(value) <= MOST_TEXT and _plain(value)
            attributes[attribute] = value if plain else clean_text(value, attribute)
    for index in columns.json:
        attributes.update(_from_json(cells[index], columns.header[index], index))
    entry = Entry(row.line, key, address, name, _status(cells, columns, told), attributes)
    if columns.tags:
        tags = [tag for index in columns.tags for tag in _split(cells[index])]
        entry = entry._replace(tags=clean_tags(tags))
    return _with_singles(entry, cells, columns) if columns.single else entry


def clean_name(name: str) -> str:
    """A name that may stand in a mail's header.

    Raises:
        ListError: it has a line break or a control character, or is far too long.
    """
    _refuse_control(name, "the name")
    if len(name) > MOST_NAME:
        raise SubscriberListError(f"the name is longer than {MOST_NAME} characters")
    return name


def clean_text(value: str, what: str) -> str:
    """A text on one line: a note may have several, a merge tag has room for one.

    Raises:
        ListError: it has control characters, or is far too long.
    """
    value = " ".join(value.splitlines()).replace("\t", " ")
    _refuse_control(value, f"'{what}'")
    if len(value) > MOST_TEXT:
        raise SubscriberListError(f"'{what}' is longer than {MOST_TEXT:,} characters")
    return value


def clean_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags without the spaces around them, each once.

    Raises:
        ListError: one has control characters or is far too long, or there are far too many.
    """
    found = dict.fromkeys(filter(None, (tag.strip() for tag in tags)))
    if len(found) > MOST_TAGS:
        raise SubscriberListError(f"there are more than {MOST_TAGS} tags")
    for tag in found:
        _refuse_control(tag, "a tag")
        if len(tag) > MOST_TAG:
            raise SubscriberListError(f"a tag is longer than {MOST_TAG} characters")
    return tuple(found)


def flattened(data: Mapping[str, Any], index: int) -> Iterator[tuple[str, Value]]:
    """An object of attributes, one level of objects in it taken apart; blank ones left out."""
    for name, value in data.items():
        if isinstance(value, dict):
            for inner, deep in value.items():
                yield from _scalar(key_of(f"{name} {inner}", index), deep)
        else:
            yield from _scalar(key_of(name, index), value)


def _scalar(key: str, value: Any) -> Iterator[tuple[str, Value]]:
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        value = ", ".join(shown(item) for item in value)
    elif isinstance(value, list | dict):
        value = orjson.dumps(value).decode()
    if isinstance(value, str):
        value = clean_text(value.strip(), key)
    if value is not None and value != "":
        yield key, value


def _from_json(cell: str, column: str, index: int) -> dict[str, Value]:
    if not cell.strip():
        return {}
    try:
        data = orjson.loads(cell)
    except orjson.JSONDecodeError:
        data = None
    if not isinstance(data, dict):
        raise SubscriberListError(f"'{column}' is no JSON object")
    return dict(flattened(data, index))


def _with_singles(entry: Entry, cells: Sequence[str], columns: Columns) -> Entry:
    found: dict[str, Any] = {}
    for role, index in columns.single.items():
        cell = cells[index].strip()
        if not cell:
            continue
        if role in {"joined_at", "confirmed_at", "paused_until"}:
            found[role] = read_time(cell)
        elif role == "source":
            found[role] = clean_text(cell, role)
        elif role == "token":
            found[role] = clean_token(cell)
        else:
            found[role] = clean_count(cell)
    return entry._replace(**found)


def clean_token(text: str) -> str:
    """A token of ours.

    Raises:
        ListError: it is none.
    """
    if not TOKEN.fullmatch(text):
        raise SubscriberListError("the token is none of ours")
    return text


def clean_count(text: str) -> int:
    """How many soft bounces there were.

    Raises:
        ListError: it is no count.
    """
    if not (text.isascii() and text.isdigit() and int(text[:9]) <= _MOST_SOFT_BOUNCES):
        raise SubscriberListError(f"'{text[:60]}' is no number of soft bounces")
    return int(text)


def _split(cell: str) -> Sequence[str]:
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


def _status(cells: Sequence[str], columns: Columns, told: str) -> str:
    if not (columns.status or columns.consent or columns.refusal or columns.left):
        return told
    found = [told]
    for index in columns.status:
        word = folded(cells[index])
        status = columns.format.statuses.get(word) or STATUS_WORDS.get(word)
        if status is None:
            raise SubscriberListError(f"'{cells[index][:60]}' is no status that is known")
        found.append(status)
    found += ["unsubscribed" for index in columns.consent if not _yes(cells[index])]
    found += [
        "unsubscribed" for index in columns.refusal if cells[index].strip() and _yes(cells[index])
    ]
    for index, status in columns.left.items():
        if cells[index].strip() and read_truth(cells[index]) is not False:
            found.append(status)
    return max(found, key=CAREFUL.index)


def _yes(cell: str) -> bool:
    found = read_truth(cell)
    if found is None:
        raise SubscriberListError(f"'{cell[:60]}' is neither yes nor no to being subscribed")
    return found


def _plain(text: str) -> bool:
    return text.isprintable() and _REPLACED not in text


def _refuse_control(text: str, what: str) -> None:
    """A line break in a name would be a way to write mail headers (RFC 5322)."""
    if _plain(text):
        return
    for char in text:
        if char in _LINE_ENDS:
            raise SubscriberListError(f"{what} has a line break in it")
        if char == _REPLACED:
            raise SubscriberListError(f"{what} has characters that could not be decoded")
        if category(char) in {"Cc", "Cs"}:
            raise SubscriberListError(f"{what} has a control character in it (U+{ord(char):04X})")
