"""Split a JSON array that can't be parsed into its elements. Pure.

One element may be invalid (a number that is no number, nested too deeply, cut off), and the others
must still be read.
"""

import re
from typing import NamedTuple

# A string, also one that is cut off; or a character of the structure. Possessive, so that the time
# it takes grows with the length only.
_TOKEN = re.compile(rb'"(?>(?:[^"\\]++|\\.)*)(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)


class ArrayElement(NamedTuple):
    """One element of an array, as it was written.

    Attributes:
        offset: where it begins.
        text: the element, without white space around it.
    """

    offset: int
    text: bytes


class SplitArray(NamedTuple):
    """The elements of an array.

    Attributes:
        elements: in their order; without empty ones, as after a comma too many.
        is_closed: whether the array has an end. What comes after the end is one more element.
    """

    elements: list[ArrayElement]
    is_closed: bool


def split_array(data: bytes) -> SplitArray | None:
    """Split the text of an array; return ``None`` if it does not begin as one."""
    start = len(data) - len(data.lstrip())
    if data[start : start + 1] != b"[":
        return None
    depth, begin, elements = 0, start + 1, list[ArrayElement]()
    for token in _TOKEN.finditer(data, start):
        match token[0]:
            case b"[" | b"{":
                depth += 1
            case b"]" | b"}":
                depth -= 1
            case b"," if depth == 1:
                _append_element(elements, data, begin, token.start())
                begin = token.end()
        if depth == 0:
            _append_element(elements, data, begin, token.start())
            _append_element(elements, data, token.end(), len(data))
            return SplitArray(elements, is_closed=True)
    _append_element(elements, data, begin, len(data))
    return SplitArray(elements, is_closed=False)


def _append_element(elements: list[ArrayElement], data: bytes, begin: int, end: int) -> None:
    text = data[begin:end]
    if stripped := text.strip():
        elements.append(ArrayElement(begin + len(text) - len(text.lstrip()), stripped))
