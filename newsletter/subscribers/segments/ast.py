"""The nodes of a query.

Frozen, and each reads as its own text.
"""

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from newsletter.subscribers.attribute_types import AttributeType

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "~"]
Engagement = Literal["sent", "delivered", "opened", "clicked"]
ComparisonValue = str | int | float | bool | datetime.date

_BARE_VALUE = re.compile(r"[\w@.+*/-]+")
_KEYWORD = re.compile(r"and|or|not", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SegmentField:
    """Something that a reader has a value of, or hasn't.

    Attributes:
        name: as written in a query.
        type: of its values.
        is_attribute: whether it is an attribute of the editor's own.
    """

    name: str
    type: AttributeType
    is_attribute: bool = True


# What every reader has, besides the editor's own attributes.
BUILTIN_FIELDS = {
    field.name: field
    for field in (
        SegmentField("joined", "date", is_attribute=False),
        SegmentField("confirmed", "date", is_attribute=False),
        SegmentField("email", "text", is_attribute=False),
        SegmentField("domain", "text", is_attribute=False),
        SegmentField("name", "text", is_attribute=False),
    )
}


@dataclass(frozen=True, slots=True)
class HasTag:
    """Has the tag, in one of the spellings that the list knows (at least one)."""

    tags: tuple[str, ...]

    def __str__(self) -> str:
        return f"tag:{quote_value(self.tags[0])}"


@dataclass(frozen=True, slots=True)
class HasStatus:
    """Has the status."""

    status: str

    def __str__(self) -> str:
        return f"status:{self.status}"


@dataclass(frozen=True, slots=True)
class HasSource:
    """Came from a source whose name begins so."""

    prefix: str

    def __str__(self) -> str:
        return f"source:{quote_value(self.prefix)}"


@dataclass(frozen=True, slots=True)
class HasField:
    """Has a value of the field."""

    field: SegmentField

    def __str__(self) -> str:
        return f"has:{self.field.name}"


@dataclass(frozen=True, slots=True)
class HasEngagement:
    """Was sent, got, opened or clicked one of the last so many issues, or the one named."""

    kind: Engagement
    sends: int | str

    def __str__(self) -> str:
        which = f"last-{self.sends}" if isinstance(self.sends, int) else quote_value(self.sends)
        return f"{self.kind}:{which}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The field's value against another of its type; never holds of a reader without one."""

    field: SegmentField
    operator: Operator
    value: ComparisonValue

    def __str__(self) -> str:
        value = self.value
        text = quote_value(value) if isinstance(value, str) else str(value).lower()
        return f"{self.field.name} {self.operator} {text}"


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary."""

    part: "Query"

    def __str__(self) -> str:
        return f"not {_parenthesize(self.part)}"


@dataclass(frozen=True, slots=True)
class And:
    """Every part holds (two at least)."""

    parts: "tuple[Query, ...]"

    def __str__(self) -> str:
        return " and ".join(map(_parenthesize, self.parts))


@dataclass(frozen=True, slots=True)
class Or:
    """One part holds, or more (two parts at least)."""

    parts: "tuple[Query, ...]"

    def __str__(self) -> str:
        return " or ".join(map(_parenthesize, self.parts))


Term = HasTag | HasStatus | HasSource | HasField | HasEngagement | Comparison
Query = Term | Not | And | Or


def iter_terms(query: Query) -> Iterator[Term]:
    """The tests and comparisons that a query is made of, in their order."""
    if isinstance(query, Not):
        yield from iter_terms(query.part)
    elif isinstance(query, And | Or):
        for part in query.parts:
            yield from iter_terms(part)
    else:
        yield query


def quote_value(text: str) -> str:
    """``text`` as a value in a query, in quotes if need be."""
    if _BARE_VALUE.fullmatch(text) and not _KEYWORD.fullmatch(text):
        return text
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _parenthesize(part: Query) -> str:
    return f"({part})" if isinstance(part, And | Or) else str(part)
