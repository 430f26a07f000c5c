"""Build the syntax tree: check names, convert values to their types.

The input is the parse tree of the library, lark.
"""

import datetime
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, get_args

from newsletter.db.schema import STATUSES
from newsletter.errors import Problem, SubscriberListError
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.attribute_types import AttributeType
from newsletter.subscribers.segments.ast import (
    BUILTIN_FIELDS,
    And,
    Comparison,
    ComparisonValue,
    Engagement,
    HasEngagement,
    HasField,
    HasSource,
    HasStatus,
    HasTag,
    Not,
    Operator,
    Or,
    Query,
    SegmentField,
)
from newsletter.subscribers.segments.error_caret import Span, format_with_carets
from newsletter.subscribers.segments.known_sends import KnownSend, engagement_problem
from newsletter.subscribers.segments.query_dates import parse_query_date

if TYPE_CHECKING:
    from lark import Token, Tree

# SQLite's parser fails at about a hundred open parentheses, and each level needs several.
MAX_DEPTH = 20
MAX_SENDS = 1_000

TESTS = ("tag", "status", "source", "has", *get_args(Engagement))
OPERATORS: Mapping[AttributeType, tuple[Operator, ...]] = {
    "text": ("=", "!=", "~"),
    "number": ("=", "!=", "<", "<=", ">", ">="),
    "boolean": ("=", "!="),
    "date": ("=", "!=", "<", "<=", ">", ">="),
}
_TYPE_WORDS: Mapping[AttributeType, str] = {
    "text": "text", "number": "a number", "boolean": "true or false", "date": "a date",
}  # fmt: skip
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,15})?", re.ASCII)
_BOOLEAN_WORDS = {"true": True, "yes": True, "false": False, "no": False}
_MAX_SUGGESTIONS = 8


@dataclass(frozen=True, slots=True)
class KnownNames:
    """The names that a query may use.

    Attributes:
        tags: the tags in use.
        attributes: name -> type of the values.
        sends: the sends of which something was sent, the newest first.
    """

    tags: Collection[str] = ()
    attributes: Mapping[str, AttributeType] = field(default_factory=dict)
    sends: Sequence[KnownSend] = ()


class _TokenError(Exception):
    """A token of the query is not valid."""

    def __init__(self, message: str, token: "Token", remedy: str = "") -> None:
        self.message, self.token, self.remedy = message, token, remedy


class QueryBuilder:
    """A builder of the syntax tree of one query.

    Args:
        text: the text that was parsed.
        known: the names that the query may use.
        today: the current day in the newsletter's time zone.

    Attributes:
        problems: the problems found so far.
    """

    def __init__(self, text: str, known: KnownNames, today: datetime.date) -> None:
        self.problems: list[Problem] = []
        self._text = text
        self._known = known
        self._today = today

    def build_query(self, tree: "Tree[Token] | Token", depth: int = 1) -> Query | None:
        """Return the tree as nodes; ``None`` if it has a problem, added to ``problems``."""
        from lark import Token, Tree

        assert isinstance(tree, Tree)
        if depth > MAX_DEPTH:
            message = f"a query may be nested at most {MAX_DEPTH} levels deep"
            if Problem(message) not in self.problems:
                self.problems.append(Problem(message))
            return None
        if tree.data in {"test", "comparison"}:
            tokens = [child for child in tree.children if isinstance(child, Token)]
            is_test = tree.data == "test"
            build: Callable[..., Query] = self._build_test if is_test else self._build_comparison
            try:
                return build(*tokens)
            except _TokenError as error:
                span = Span(error.token.start_pos or 0, len(error.token))
                message = format_with_carets(error.message, self._text, span)
                self.problems.append(Problem(message, remedy=error.remedy))
                return None
        parts = [self.build_query(child, depth + 1) for child in tree.children]
        valid_parts = tuple(part for part in parts if part is not None)
        if len(valid_parts) < len(parts):
            return None
        if tree.data == "negation":
            return Not(valid_parts[0])
        return And(valid_parts) if tree.data == "conjunction" else Or(valid_parts)

    def _build_test(self, name: "Token", value: "Token") -> Query:
        text = _unquote(value)
        match name.lower():
            case "tag":
                tags = self._known.tags
                folded = text.casefold()
                if spellings := tuple(sorted(tag for tag in tags if tag.casefold() == folded)):
                    return HasTag(spellings)
                hint = _suggest_names(text, tags)
                raise _TokenError(f"no reader has the tag '{text}'. {hint}".strip(), value)
            case "status":
                if text.lower() in STATUSES:
                    return HasStatus(text.lower())
                hint = _suggest_names(text, STATUSES)
                raise _TokenError(f"'{text}' is not a status. {hint}", value)
            case "source":
                return HasSource(text)
            case "has":
                return HasField(self._find_field(value, text))
            case "sent" | "delivered" | "opened" | "clicked" as kind:
                return self._build_engagement(kind, value, text)
        if self._is_field(name):
            raise _TokenError(f"'{name}' is a field: write {name} = {value}", name)
        raise _TokenError(f"there is no test '{name}:'. {_suggest_names(name, TESTS)}", name)

    def _build_comparison(self, name: "Token", operator: "Token", value: "Token") -> Query:
        if name.lower() in TESTS and not self._is_field(name):
            raise _TokenError(f"'{name}' is a test: write {name}:{value}", name)
        segment_field = self._find_field(name, name)
        if operator not in OPERATORS[segment_field.type]:
            operators = " ".join(OPERATORS[segment_field.type])
            raise _TokenError(
                f"'{segment_field.name}' is {_TYPE_WORDS[segment_field.type]}; "
                f"compare it with one of {operators}",
                operator,
            )
        sign: Operator = operator.value
        return Comparison(segment_field, sign, self._parse_value(segment_field, sign, value))

    def _is_field(self, name: str) -> bool:
        return name.lower() in {*BUILTIN_FIELDS, *map(str.lower, self._known.attributes)}

    def _find_field(self, token: "Token", name: str) -> SegmentField:
        if name.lower() in BUILTIN_FIELDS:
            return BUILTIN_FIELDS[name.lower()]
        attributes = self._known.attributes
        spellings = [attribute for attribute in attributes if attribute.lower() == name.lower()]
        found = name if name in spellings else next(iter(spellings), None)
        if found is None:
            raise _TokenError(
                f"there is no attribute '{name}'. "
                f"{_suggest_names(name, (*BUILTIN_FIELDS, *attributes))}",
                token,
            )
        return SegmentField(found, attributes[found])

    def _build_engagement(self, kind: Engagement, token: "Token", text: str) -> HasEngagement:
        sends = self._parse_sends(token, text)
        known_sends = self._known.sends
        if isinstance(sends, int):
            selected = [*known_sends[:sends]]
        else:
            selected = [known for known in known_sends if known.issue == sends]
        problem = engagement_problem(kind, selected, is_range=isinstance(sends, int))
        if problem:
            raise _TokenError(problem.message, token, problem.remedy)
        return HasEngagement(
            kind,
            sends,
            tuple(id_ for known in selected for id_ in known.ids),
            tuple(id_ for known in selected for id_ in known.find_asked_ids(kind)),
        )

    def _parse_sends(self, token: "Token", text: str) -> int | str:
        issues = [known.issue for known in self._known.sends]
        if text in issues:
            return text
        last = re.fullmatch(r"last-(\d{1,4})", text, re.ASCII | re.IGNORECASE)
        if last and 1 <= int(last[1]) <= MAX_SENDS:
            return int(last[1])
        if re.match("last", text, re.IGNORECASE):
            raise _TokenError(
                f"for the last five issues write last-5 (at most last-{MAX_SENDS})", token
            )
        matches = [issue for issue in issues if issue[11:] == text]  # without its date
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise _TokenError(
                f"{len(matches)} issues are called '{text}': {', '.join(matches)}", token
            )
        raise _TokenError(
            f"no issue '{text}' was sent. {_suggest_names(text, issues)}".strip(), token
        )

    def _parse_value(
        self, segment_field: SegmentField, sign: Operator, token: "Token"
    ) -> ComparisonValue:
        text = _unquote(token)
        match segment_field.type:
            case "date":
                if day := parse_query_date(text, self._today):
                    return day
                raise _TokenError(
                    f"'{segment_field.name}' is a date, '{text}' is not: write 2026-01-31, today "
                    "or 30 days ago",
                    token,
                )
            case "number" if _NUMBER.fullmatch(text):
                return float(text) if "." in text else int(text)
            case "number":
                raise _TokenError(f"'{segment_field.name}' is a number, '{text}' is not", token)
            case "boolean" if text.lower() in _BOOLEAN_WORDS:
                return _BOOLEAN_WORDS[text.lower()]
            case "boolean":
                raise _TokenError(f"'{segment_field.name}' is true or false, not '{text}'", token)
        if not text:
            raise _TokenError(
                f"to find readers without '{segment_field.name}' write: "
                f"not has:{segment_field.name}",
                token,
            )
        return text if sign == "~" else _comparison_key(segment_field, text, token)


def _comparison_key(segment_field: SegmentField, text: str, token: "Token") -> str:
    """Return an address or a domain normalized as in address keys (RFC 5891); other text as is."""
    if segment_field not in {BUILTIN_FIELDS["email"], BUILTIN_FIELDS["domain"]}:
        return text
    address = text if segment_field.name == "email" else f"a@{text}"
    try:
        key = parse_address(address).key
    except SubscriberListError:
        kind = "email address" if segment_field.name == "email" else "domain"
        raise _TokenError(
            f"'{text}' is not a valid {kind}; to match part of one use ~", token
        ) from None
    return key if segment_field.name == "email" else key.partition("@")[2]


def _unquote(token: "Token") -> str:
    if token.type != "QUOTED":
        return str(token)
    return re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL)


def _suggest_names(word: str, names: Collection[str]) -> str:
    """Return a hint with the closest name, or else the first names; empty if there are none."""
    folded = {name.casefold(): name for name in reversed(list(names))}
    near = get_close_matches(word.casefold(), folded, n=1)
    if near:
        return f"Did you mean '{folded[near[0]]}'?"
    if not names:
        return ""
    shown = list(names)[:_MAX_SUGGESTIONS]
    more = f" and {len(names) - len(shown):,} more" if len(names) > len(shown) else ""
    return f"There are: {', '.join(shown)}{more}"
