"""One row of a list's file becomes one entry, or is refused with the reason. Pure."""

from collections.abc import Sequence
from typing import NamedTuple
from unicodedata import category

from newsletter.errors import ListError
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.columns import Columns
from newsletter.subscribers.csv_file import Row

# What other services call a status -> ours; the most careful reading where a word is vague.
_STATUS_WORDS = {
    "active": "active", "subscribed": "active", "confirmed": "active", "enabled": "active",
    "opted in": "active", "regular": "active", "premium": "active", "gifted": "active",
    "pending": "pending", "unconfirmed": "pending", "unactivated": "pending",
    "not confirmed": "pending",
    "unsubscribed": "unsubscribed", "inactive": "unsubscribed", "removed": "unsubscribed",
    "disabled": "unsubscribed", "blocklisted": "unsubscribed", "blocked": "unsubscribed",
    "opted out": "unsubscribed", "cancelled": "unsubscribed", "canceled": "unsubscribed",
    "non subscribed": "unsubscribed", "nonsubscribed": "unsubscribed",
    "bounced": "bounced", "cleaned": "bounced", "undeliverable": "bounced", "invalid": "bounced",
    "complained": "complained", "complaint": "complained", "spam": "complained",
}  # fmt: skip
_YES = frozenset({"true", "yes", "y", "1", "t"})
_NO = frozenset({"false", "no", "n", "0", "f"})
# Where two columns disagree, the later of these counts.
_CAREFUL = ("active", "pending", "unsubscribed", "bounced", "complained")
_LINE_ENDS = "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_REPLACED = "\ufffd"  # what decoding puts where it fails
_MOST_NAME = 200
_MOST_VALUE = 10_000


class Entry(NamedTuple):
    """A reader as the file has them.

    Attributes:
        line: the row, 1-based.
        key: the address as a key.
        address: the address as typed.
        name: ``""`` if the file has none.
        status: one of ``STATUSES``.
        attributes: the filled ones, key -> text.
    """

    line: int
    key: str
    address: str
    name: str
    status: str
    attributes: dict[str, str]


def read_entry(row: Row, columns: Columns) -> Entry:
    """Read one row.

    Raises:
        ListError: the row is broken, has no address or a word for the status that isn't known,
            or characters that must not get into a mail.
    """
    if row.problem:
        raise ListError(row.problem)
    cells = row.cells
    address, key = parse_address(cells[columns.address])
    name = " ".join(filter(None, [cells[index].strip() for index in columns.names]))
    _refuse_control(name, "the name")
    if len(name) > _MOST_NAME:
        raise ListError(f"the name is longer than {_MOST_NAME} characters")
    attributes = {
        attribute: value
        for index, attribute in columns.attributes.items()
        if (value := cells[index].strip())
    }
    for attribute, value in attributes.items():
        if not _plain(value) or len(value) > _MOST_VALUE:
            attributes[attribute] = _cleaned(value, attribute)
    return Entry(row.line, key, address, name, _status(cells, columns), attributes)


def _status(cells: Sequence[str], columns: Columns) -> str:
    if not (columns.status or columns.consent or columns.left):
        return "active"
    found = ["active"]
    for index in columns.status:
        word = " ".join(cells[index].casefold().replace("-", " ").replace("_", " ").split())
        if word not in _STATUS_WORDS:
            raise ListError(f"'{cells[index][:60]}' is no status that is known")
        found.append(_STATUS_WORDS[word])
    if not all(_yes(cells[index]) for index in columns.consent):
        found.append("unsubscribed")
    for index, status in columns.left.items():
        word = cells[index].strip().casefold()
        if word and word not in _NO:
            found.append(status)
    return max(found, key=_CAREFUL.index)


def _yes(cell: str) -> bool:
    word = cell.strip().casefold()
    if word in _YES or word in _NO:
        return word in _YES
    raise ListError(f"'{cell[:60]}' is neither yes nor no to being subscribed")


def _cleaned(value: str, attribute: str) -> str:
    """An attribute on one line: a note may have several, a merge tag has room for one."""
    value = " ".join(value.splitlines()).replace("\t", " ")
    _refuse_control(value, f"'{attribute}'")
    if len(value) > _MOST_VALUE:
        raise ListError(f"'{attribute}' is longer than {_MOST_VALUE:,} characters")
    return value


def _plain(text: str) -> bool:
    return text.isprintable() and _REPLACED not in text


def _refuse_control(text: str, what: str) -> None:
    """A line break in a name would be a way to write mail headers (RFC 5322)."""
    if _plain(text):
        return
    for char in text:
        if char in _LINE_ENDS:
            raise ListError(f"{what} has a line break in it")
        if char == _REPLACED:
            raise ListError(f"{what} has characters that could not be decoded")
        if category(char) in {"Cc", "Cs"}:
            raise ListError(f"{what} has a control character in it (U+{ord(char):04X})")
