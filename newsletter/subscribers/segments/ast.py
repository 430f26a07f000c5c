"""What a query is made of: a tree of frozen nodes, each of which reads as its own text."""

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from newsletter.subscribers.attribute_types import Type

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "~"]
Engagement = Literal["sent", "delivered", "opened", "clicked"]
Value = str | int | float | bool | datetime.date

_BARE = re.compile(r"[\w@.+*/-]+")
_KEYWORD = re.compile(r"and|or|not", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Field:
    """Something that a reader has a value of, or hasn't.

    Attributes:
        name: as written in a query.
        type: of its values.
        own: whether it is an attribute of the editor's own.
    """

    name: str
    type: Type
    own: bool = True


# What every reader has, besides the editor's own attributes.
FIELDS = {
    field.name: field
    for field in (
        Field("joined", "date", own=False),
        Field("confirmed", "date", own=False),
        Field("email", "text", own=False),
        Field("domain", "text", own=False),
        Field("name", "text", own=False),
    )
}


@dataclass(frozen=True, slots=True)
class Tagged:
    """Has the tag, in one of the spellings that the list knows (at least one)."""

    tags: tuple[str, ...]

    def __str__(self) -> str:
        return f"tag:{quoted(self.tags[0])}"


@dataclass(frozen=True, slots=True)
class InStatus:
    """Has the status."""

    status: str

    def __str__(self) -> str:
        return f"status:{self.status}"


@dataclass(frozen=True, slots=True)
class Sourced:
    """Came from a source whose name begins so."""

    prefix: str

    def __str__(self) -> str:
        return f"source:{quoted(self.prefix)}"


@dataclass(frozen=True, slots=True)
class Has:
    """Has a value of the field."""

    field: Field

    def __str__(self) -> str:
        return f"has:{self.field.name}"


@dataclass(frozen=True, slots=True)
class Engaged:
    """Was sent, got, opened or clicked one of the last so many issues, or the one named."""

    kind: Engagement
    sends: int | str

    def __str__(self) -> str:
        which = f"last-{self.sends}" if isinstance(self.sends, int) else quoted(self.sends)
        return f"{self.kind}:{which}"


@dataclass(frozen=True, slots=True)
class Compare:
    """The field's value against another of its type; never holds of a reader without one."""

    field: Field
    operator: Operator
    value: Value

    def __str__(self) -> str:
        value = self.value
        text = quoted(value) if isinstance(value, str) else str(value).lower()
        return f"{self.field.name} {self.operator} {text}"


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary."""

    part: "Query"

    def __str__(self) -> str:
        return f"not {_within(self.part)}"


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds (two at least)."""

    parts: "tuple[Query, ...]"

    def __str__(self) -> str:
        return " and ".join(map(_within, self.parts))


@dataclass(frozen=True, slots=True)
class Either:
    """One part holds, or more (two parts at least)."""

    parts: "tuple[Query, ...]"

    def __str__(self) -> str:
        return " or ".join(map(_within, self.parts))


Term = Tagged | InStatus | Sourced | Has | Engaged | Compare
Query = Term | Not | All | Either


def terms(query: Query) -> Iterator[Term]:
    """The tests and comparisons that a query is made of, in their order."""
    if isinstance(query, Not):
        yield from terms(query.part)
    elif isinstance(query, All | Either):
        for part in query.parts:
            yield from terms(part)
    else:
        yield query


def quoted(text: str) -> str:
    """``text`` as a value in a query, in quotes if need be."""
    if _BARE.fullmatch(text) and not _KEYWORD.fullmatch(text):
        return text
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _within(part: Query) -> str:
    return f"({part})" if isinstance(part, All | Either) else str(part)
