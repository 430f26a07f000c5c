"""Grammar of the segment query language; parse a query, explain errors.

Example: ``tag:vip and joined >= 2026-01-01 and not opened:last-5`` (docs/reference/segments.md).
Pure functions: the current day and the names in the list are passed in.
"""

import datetime
from functools import cache
from typing import TYPE_CHECKING, cast
from unicodedata import category

from newsletter.errors import SubscriberListError
from newsletter.subscribers.segments.ast import Query
from newsletter.subscribers.segments.ast_builder import KnownNames, QueryBuilder
from newsletter.subscribers.segments.error_caret import (
    EXAMPLE_QUERY,
    Span,
    format_with_carets,
    word_at,
)

if TYPE_CHECKING:
    from lark import Lark, Token, Tree, UnexpectedInput

# Long enough for any real query, short enough for a database.
MAX_QUERY_LENGTH = 2_000
# Control characters and lone surrogates, which no database accepts.
_CONTROL_CATEGORIES = ("Cc", "Cs")

# A value can only follow ':' or an operator, so the contextual lexer never takes it for a name.
GRAMMAR = r"""
?start: disjunction
?disjunction: conjunction (_OR conjunction)*
?conjunction: term (_AND term)*
?term: _NOT term -> negation
    | "(" disjunction ")"
    | NAME ":" _value -> test
    | NAME OPERATOR _value -> comparison
_value: QUOTED | AGO | BARE
_AND.2: /and\b/i
_OR.2: /or\b/i
_NOT.2: /not\b/i
NAME: /(?!(?:and|or|not)\b)[^\W\d]\w*(?![\w@.-])/i
OPERATOR: "<=" | ">=" | "!=" | "=" | "<" | ">" | "~"
QUOTED: /"(?:[^"\\]|\\.)*"/s | /'(?:[^'\\]|\\.)*'/s
AGO.2: /\d+\s+(?:day|week|month|year)s?\s+ago\b/i
BARE: /(?!(?:and|or|not)(?![^\s()"']))[^\s()"'<>=!~:][^\s()"']*/i
%ignore /\s+/
"""


def parse_query(text: str, known: KnownNames, today: datetime.date) -> Query:
    """Parse a query.

    Args:
        text: the query as the editor wrote it.
        known: the names that the query may use; all others are errors.
        today: the day to which ``today`` and ``30 days ago`` refer, in the newsletter's time zone.

    Raises:
        SubscriberListError: the query has a syntax error or uses unknown names; all such names are
            reported at once, each with carets under the word.
    """
    tree = _parse_tree(text)
    builder = QueryBuilder(text, known, today)
    query = builder.build_query(tree)
    if builder.problems:
        raise SubscriberListError.from_problems(builder.problems)
    assert query is not None
    return query


def _parse_tree(text: str) -> "Tree[Token] | Token":
    from lark import UnexpectedInput

    if not text.strip():
        raise SubscriberListError("the query is empty", remedy=f"For example: {EXAMPLE_QUERY}")
    if len(text) > MAX_QUERY_LENGTH:
        raise SubscriberListError(
            f"a query may have at most {MAX_QUERY_LENGTH:,} characters, this one has {len(text):,}"
        )
    for index, char in enumerate(text):
        if not char.isspace() and category(char) in _CONTROL_CATEGORIES:
            raise _query_error("control characters are not allowed", text, Span(index, 1))
    try:
        return _build_parser().parse(text)
    except UnexpectedInput as error:
        raise _syntax_error(error, text) from error


def _syntax_error(error: "UnexpectedInput", text: str) -> SubscriberListError:
    from lark import UnexpectedCharacters, UnexpectedToken

    start, expected = len(text.rstrip()), frozenset[str]()
    if isinstance(error, UnexpectedCharacters):
        start, expected = cast("int", error.pos_in_stream), frozenset(error.allowed or ())
    elif isinstance(error, UnexpectedToken):
        expected = frozenset(error.expected)
        if error.token.type != "$END":
            start = error.token.start_pos or 0
    span = word_at(text, start)
    word = text[start : start + span.length].strip()
    return _query_error(_describe_syntax_error(word, expected), text, span)


def _describe_syntax_error(word: str, expected: frozenset[str]) -> str:
    """Return what is wrong with ``word`` (``""`` at the end) in place of ``expected`` terminals."""
    if "BARE" in expected:
        if word[:1] in {'"', "'"}:
            return "this quote is never closed"
        return f"a value is missing before '{word}'" if word else "the last value is missing"
    if "OPERATOR" in expected:
        found = f", not '{word}'" if word else ""
        return f"expected ':' or one of = != < <= > >= ~ after a name{found}"
    if "NAME" in expected:
        message = f"expected a test like tag:vip or city = Bergen, not '{word}'"
        return message if word else "the query ends too early"
    if word == ")":
        return "no parenthesis is open here"
    message = f"expected 'and' or 'or' before '{word}'; text with a space needs quotes"
    return message if word else "a parenthesis is never closed"


def _query_error(message: str, text: str, span: Span) -> SubscriberListError:
    return SubscriberListError(format_with_carets(message, text, span))


@cache
def _build_parser() -> "Lark":
    from lark import Lark

    return Lark(GRAMMAR, parser="lalr", lexer="contextual")
