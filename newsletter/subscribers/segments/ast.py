"""Syntax tree of a segment query: immutable nodes and their text form."""

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from newsletter.subscribers.attribute_types import AttributeType

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "~"]
Engagement = Literal["sent", "delivered", "opened", "clicked"]
ComparisonValue = str | int | float | bool | datetime.date

_BARE_VALUE = re.compile(r"[\w@.+*/-]+")
_KEYWORD = re.compile(r"and|or|not", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SegmentField:
    """A field of a subscriber, which may have no value.

    Attributes:
        name: the name as written in a query.
        type: the type of its values.
        is_attribute: whether it is one of the editor's own attributes.
    """

    name: str
    type: AttributeType
    is_attribute: bool = True


# The fields besides the editor's own attributes.
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
    """A test for a tag, given as all its spellings in the list (at least one)."""

    tags: tuple[str, ...]

    def __str__(self) -> str:
        return f"tag:{quote_value(self.tags[0])}"


@dataclass(frozen=True, slots=True)
class HasStatus:
    """A test for a status."""

    status: str

    def __str__(self) -> str:
        return f"status:{self.status}"


@dataclass(frozen=True, slots=True)
class HasSource:
    """A test for a source that begins with the prefix."""

    prefix: str

    def __str__(self) -> str:
        return f"source:{quote_value(self.prefix)}"


@dataclass(frozen=True, slots=True)
class HasField:
    """A test whether a field has a value."""

    field: SegmentField

    def __str__(self) -> str:
        return f"has:{self.field.name}"


@dataclass(frozen=True, slots=True)
class HasEngagement:
    """A test whether an issue was sent to, delivered to, opened or clicked by the subscriber.

    Attributes:
        kind: which of these.
        sends: how many of the last sends count (one match is enough), or the name of an issue.
        send_ids: the ids of these sends in the ledger, when the query was parsed.
        asked_ids: those of them of which only readers were tracked who had agreed.
    """

    kind: Engagement
    sends: int | str
    send_ids: tuple[int, ...] = field(default=(), compare=False)
    asked_ids: tuple[int, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        value = f"last-{self.sends}" if isinstance(self.sends, int) else quote_value(self.sends)
        return f"{self.kind}:{value}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of a field with a value of its type; false if the field has no value."""

    field: SegmentField
    operator: Operator
    value: ComparisonValue

    def __str__(self) -> str:
        value = self.value
        text = quote_value(value) if isinstance(value, str) else str(value).lower()
        return f"{self.field.name} {self.operator} {text}"


@dataclass(frozen=True, slots=True)
class Not:
    """Logical negation."""

    part: "Query"

    def __str__(self) -> str:
        return f"not {_parenthesize(self.part)}"


@dataclass(frozen=True, slots=True)
class And:
    """Conjunction: all parts are true (at least two parts)."""

    parts: "tuple[Query, ...]"

    def __str__(self) -> str:
        return " and ".join(map(_parenthesize, self.parts))


@dataclass(frozen=True, slots=True)
class Or:
    """Disjunction: at least one part is true (at least two parts)."""

    parts: "tuple[Query, ...]"

    def __str__(self) -> str:
        return " or ".join(map(_parenthesize, self.parts))


Term = HasTag | HasStatus | HasSource | HasField | HasEngagement | Comparison
Query = Term | Not | And | Or


def iter_terms(query: Query) -> Iterator[Term]:
    """Yield the tests and comparisons of a query, in their order."""
    if isinstance(query, Not):
        yield from iter_terms(query.part)
    elif isinstance(query, And | Or):
        for part in query.parts:
            yield from iter_terms(part)
    else:
        yield query


def quote_value(text: str) -> str:
    """Return ``text`` as a value in a query, quoted if necessary."""
    if _BARE_VALUE.fullmatch(text) and not _KEYWORD.fullmatch(text):
        return text
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _parenthesize(part: Query) -> str:
    return f"({part})" if isinstance(part, And | Or) else str(part)
