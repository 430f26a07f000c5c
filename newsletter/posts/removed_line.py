"""``RemovedLine``: text of a source deliberately left out of its email."""

from typing import NamedTuple


class RemovedLine(NamedTuple):
    """A passage of the source that was removed on purpose, and why.

    Attributes:
        line: 1-based line of the source where it starts; 0 if it is unknown.
        text: the removed text, with the URLs of the links and images in it.
        why: the kind of content, such as "share bar" or "hidden text".
    """

    line: int
    text: str
    why: str
