"""Check front matter for values that can't be written or shown."""

from collections.abc import Iterator, Mapping
from typing import Any

from newsletter.config import safe_yaml
from newsletter.errors import Location, PostError

TOO_LONG_NUMBER_MESSAGE = "the front matter has a number with too many digits"
_SURROGATE_MESSAGE = r"there is half of a character here (\ud800 to \udfff)"
# str() writes no more than 4,300 digits, and int() reads no more; except in hexadecimal.
_MAX_BITS = 14_000


def check_values(data: Mapping[str, Any], lines: Mapping[str, int], path: str) -> None:
    """Reject too many or too deeply nested values, control characters and gigantic numbers.

    Args:
        data: the settings.
        lines: top-level key -> 1-based line in the file.
        path: the file's name, for messages.

    Raises:
        PostError: with the line of the setting.
    """
    value_count = 0
    for key, value in data.items():
        where = Location(path, lines[key])
        for item, depth in _iter_values(value):
            value_count += 1
            if value_count > safe_yaml.MAX_NODES or depth > safe_yaml.MAX_DEPTH:
                message = f"the front matter has {safe_yaml.LIMITS_MESSAGE}"
                raise PostError(message, where=where, remedy="Delete what no tool needs.")
            if isinstance(item, int) and item.bit_length() > _MAX_BITS:
                raise PostError(
                    TOO_LONG_NUMBER_MESSAGE, where=where, remedy="Put quotes around it."
                )
            _check_characters(item, where)
        _check_characters(key, where)


def _check_characters(value: Any, where: Location) -> None:
    if isinstance(value, str) and (found := safe_yaml.INVALID_CHARACTER.search(value)):
        is_surrogate = "\ud800" <= found[0] <= "\udfff"
        message = f"there is a control character here (U+{ord(found[0]):04X})"
        raise PostError(
            _SURROGATE_MESSAGE if is_surrogate else message,
            where=where,
            remedy="Delete it, or write the character itself.",
        )


def _iter_values(value: Any) -> Iterator[tuple[Any, int]]:
    """Yield a value and those in it, keys among them, with the depth of each.

    Not recursive, since JSON may be nested more deeply than functions may be.
    """
    pending = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        yield item, depth
        if isinstance(item, Mapping):
            pending += [(inner, depth + 1) for pair in item.items() for inner in pair]
        elif isinstance(item, list):
            pending += [(inner, depth + 1) for inner in item]
