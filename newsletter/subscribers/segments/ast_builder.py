"""From the parser's tree to nodes: names are looked up, values read by their field's type."""

import datetime
import re
from calendar import monthrange
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, get_args

from newsletter.db.schema import STATUSES
from newsletter.errors import Problem, SubscriberListError
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.attribute_types import Type
from newsletter.subscribers.segments.ast import (
    FIELDS,
    All,
    Compare,
    Either,
    Engaged,
    Engagement,
    Field,
    Has,
    InStatus,
    Not,
    Operator,
    Query,
    Sourced,
    Tagged,
    Value,
)
from newsletter.subscribers.segments.error_caret import Span, point

if TYPE_CHECKING:
    from lark import Token, Tree

# SQLite's parser gives up at about a hundred open parentheses, of which a level takes several.
DEEPEST = 20
MOST_SENDS = 1_000
FIRST_DAY, LAST_DAY = datetime.date(1900, 1, 1), datetime.date(2999, 12, 31)

TESTS = ("tag", "status", "source", "has", *get_args(Engagement))
OPERATORS: Mapping[Type, tuple[Operator, ...]] = {
    "text": ("=", "!=", "~"),
    "number": ("=", "!=", "<", "<=", ">", ">="),
    "boolean": ("=", "!="),
    "date": ("=", "!=", "<", "<=", ">", ">="),
}
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_AGO = re.compile(r"(\d{1,5})\s+(day|week|month|year)s?\s+ago", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,15})?", re.ASCII)
_TRUTH = {"true": True, "yes": True, "false": False, "no": False}
_MOST_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Known:
    """The names that a list knows.

    Attributes:
        tags: that some reader has.
        attributes: name -> type of its values.
        issues: the issues that were sent, by name.
    """

    tags: Collection[str] = ()
    attributes: Mapping[str, Type] = field(default_factory=dict)
    issues: Collection[str] = ()


class _Wrong(Exception):
    """A word of the query is wrong."""

    def __init__(self, why: str, token: "Token") -> None:
        self.why, self.token = why, token


class Builder:
    """Builds the query of one text.

    Args:
        text: what the tree was made of.
        known: the names that the list knows.
        today: in the newsletter's zone.

    Attributes:
        problems: what was found to be wrong so far.
    """

    def __init__(self, text: str, known: Known, today: datetime.date) -> None:
        self.problems: list[Problem] = []
        self._text = text
        self._known = known
        self._today = today

    def query(self, tree: "Tree[Token] | Token", depth: int = 1) -> Query | None:
        """The tree as nodes; ``None`` where something in it is wrong, noted in ``problems``."""
        from lark import Token, Tree

        assert isinstance(tree, Tree)
        if depth > DEEPEST:
            why = f"a query may be nested {DEEPEST} deep at most"
            if Problem(why) not in self.problems:
                self.problems.append(Problem(why))
            return None
        if tree.data in {"test", "comparison"}:
            tokens = [child for child in tree.children if isinstance(child, Token)]
            build = self._test if tree.data == "test" else self._comparison
            return self._noting(build, tokens)
        parts = [self.query(child, depth + 1) for child in tree.children]
        whole = tuple(part for part in parts if part is not None)
        if len(whole) < len(parts):
            return None
        if tree.data == "contrary":
            return Not(whole[0])
        return All(whole) if tree.data == "all" else Either(whole)

    def _noting(self, build: Callable[..., Query], tokens: "list[Token]") -> Query | None:
        try:
            return build(*tokens)
        except _Wrong as wrong:
            span = Span(wrong.token.start_pos or 0, len(wrong.token))
            self.problems.append(Problem(point(wrong.why, self._text, span)))
            return None

    def _test(self, name: "Token", value: "Token") -> Query:
        text = _unquoted(value)
        match name.lower():
            case "tag":
                return Tagged(self._spellings(value, text))
            case "status":
                if text.lower() not in STATUSES:
                    raise _Wrong(f"'{text}' is no status. {_hint(text, STATUSES)}", value)
                return InStatus(text.lower())
            case "source":
                return Sourced(text)
            case "has":
                return Has(self._field(value, text))
            case "sent" | "delivered" | "opened" | "clicked" as kind:
                return Engaged(kind, self._sends(value, text))
        if self._is_field(name):
            raise _Wrong(f"'{name}' is compared: write {name} = {value}", name)
        raise _Wrong(f"there is no test '{name}:'. {_hint(name, TESTS)}", name)

    def _comparison(self, name: "Token", operator: "Token", value: "Token") -> Query:
        if name.lower() in TESTS and not self._is_field(name):
            raise _Wrong(f"'{name}' is a test: write {name}:{value}", name)
        of = self._field(name, name)
        if operator not in OPERATORS[of.type]:
            some = " ".join(OPERATORS[of.type])
            raise _Wrong(f"'{of.name}' is {_called(of.type)}, to be compared by {some}", operator)
        sign: Operator = operator.value
        return Compare(of, sign, self._value(of, sign, value))

    def _is_field(self, name: str) -> bool:
        return name.lower() in {*FIELDS, *map(str.lower, self._known.attributes)}

    def _field(self, token: "Token", name: str) -> Field:
        if name.lower() in FIELDS:
            return FIELDS[name.lower()]
        attributes = self._known.attributes
        spelled = [each for each in attributes if each.lower() == name.lower()]
        found = name if name in spelled else next(iter(spelled), None)
        if found is None:
            raise _Wrong(
                f"there is no attribute '{name}'. {_hint(name, (*FIELDS, *attributes))}", token
            )
        return Field(found, attributes[found])

    def _spellings(self, token: "Token", tag: str) -> tuple[str, ...]:
        tags = self._known.tags
        spelled = tuple(sorted(each for each in tags if each.casefold() == tag.casefold()))
        if not spelled:
            raise _Wrong(f"no reader has the tag '{tag}'. {_hint(tag, tags)}".strip(), token)
        return spelled

    def _sends(self, token: "Token", text: str) -> int | str:
        issues = self._known.issues
        if text in issues:
            return text
        last = re.fullmatch(r"last-(\d{1,4})", text, re.ASCII | re.IGNORECASE)
        if last and 1 <= int(last[1]) <= MOST_SENDS:
            return int(last[1])
        if re.match("last", text, re.IGNORECASE):
            raise _Wrong(f"the last five issues are last-5 (at most last-{MOST_SENDS})", token)
        named = [issue for issue in issues if issue[11:] == text]  # without its date
        if len(named) == 1:
            return named[0]
        if named:
            raise _Wrong(f"{len(named)} issues are called '{text}': {', '.join(named)}", token)
        raise _Wrong(f"no issue '{text}' was sent. {_hint(text, issues)}".strip(), token)

    def _value(self, of: Field, sign: Operator, token: "Token") -> Value:
        text = _unquoted(token)
        match of.type:
            case "date":
                return self._day(of, text, token)
            case "number" if _NUMBER.fullmatch(text):
                return float(text) if "." in text else int(text)
            case "number":
                raise _Wrong(f"'{of.name}' is a number, and '{text}' is none", token)
            case "boolean" if text.lower() in _TRUTH:
                return _TRUTH[text.lower()]
            case "boolean":
                raise _Wrong(f"'{of.name}' is true or false, not '{text}'", token)
        if not text:
            raise _Wrong(f"a reader without '{of.name}' is found by: not has:{of.name}", token)
        return text if sign == "~" else _key(of, text, token)

    def _day(self, of: Field, text: str, token: "Token") -> datetime.date:
        day = _day(text, self._today)
        if day is None:
            raise _Wrong(
                f"'{of.name}' is a date, and '{text}' is none: write 2026-01-31, today or "
                "30 days ago",
                token,
            )
        return day


def _key(of: Field, text: str, token: "Token") -> str:
    """An address or domain as the list compares it (RFC 5891); other text as it is."""
    if of not in {FIELDS["email"], FIELDS["domain"]}:
        return text
    address = text if of.name == "email" else f"a@{text}"
    try:
        key = parse_address(address).key
    except SubscriberListError:
        kind = "email address" if of.name == "email" else "domain"
        raise _Wrong(f"'{text}' is no {kind}; a part of one is found by ~", token) from None
    return key if of.name == "email" else key.partition("@")[2]


def _day(text: str, today: datetime.date) -> datetime.date | None:
    day = None
    if text.lower() == "today":
        return today
    if ago := _AGO.fullmatch(text):
        return _ago(today, int(ago[1]), ago[2].lower())
    if _ISO_DAY.fullmatch(text):
        try:
            day = datetime.date.fromisoformat(text)
        except ValueError:
            return None
    return day if day and FIRST_DAY <= day <= LAST_DAY else None


def _ago(today: datetime.date, count: int, unit: str) -> datetime.date:
    """The day so long before; a month before the 31st is the month's last day at most."""
    if unit in {"day", "week"}:
        days = min(count * (7 if unit == "week" else 1), (today - FIRST_DAY).days)
        return today - datetime.timedelta(days=days)
    months = today.year * 12 + today.month - 1 - count * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    if year < FIRST_DAY.year:
        return FIRST_DAY
    last = monthrange(year, month + 1)[1]
    return datetime.date(year, month + 1, min(today.day, last))


def _unquoted(token: "Token") -> str:
    if token.type != "QUOTED":
        return str(token)
    return re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL)


def _called(type_: Type) -> str:
    return {"text": "text", "number": "a number", "boolean": "true or false", "date": "a date"}[
        type_
    ]


def _hint(word: str, names: Collection[str]) -> str:
    """The nearest right name, or some of those there are; empty if there is none."""
    folded = {name.casefold(): name for name in reversed(list(names))}
    near = get_close_matches(word.casefold(), folded, n=1)
    if near:
        return f"Did you mean '{folded[near[0]]}'?"
    if not names:
        return ""
    some = list(names)[:_MOST_SHOWN]
    more = f" and {len(names) - len(some):,} more" if len(names) > len(some) else ""
    return f"There are: {', '.join(some)}{more}"
