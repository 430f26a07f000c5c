"""Parse the segment language.

Text in, a tree of frozen nodes out (docs/reference/segments.md).

``tag:vip and joined >= 2026-01-01 and not opened:last-5``. Pure: the day and the names that the
list knows are handed in.
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

# Long enough for any real question, short enough for a database.
MAX_QUERY_LENGTH = 2_000
# Control characters, and halves of characters (surrogates): no database takes those.
_CONTROL_CATEGORIES = ("Cc", "Cs")

# After a name and its mark a value comes, so that the lexer never takes one for the other.
GRAMMAR = r"""
?start: either
?either: all (_OR all)*
?all: term (_AND term)*
?term: _NOT term -> contrary
    | "(" either ")"
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
    """Read a query.

    Args:
        text: what the editor wrote.
        known: the names that the list knows; any other is a mistake.
        today: what ``today`` and ``30 days ago`` are counted from, in the newsletter's zone.

    Raises:
        ListError: it can't be read, or names what isn't there; all such names at once, each
            with carets under the word.
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
            f"a query has {MAX_QUERY_LENGTH:,} characters at most, this one {len(text):,}"
        )
    for at, char in enumerate(text):
        if not char.isspace() and category(char) in _CONTROL_CATEGORIES:
            raise _query_error("there is a control character here", text, Span(at, 1))
    try:
        return _build_parser().parse(text)
    except UnexpectedInput as error:
        raise _syntax_error(error, text) from error


def _syntax_error(error: "UnexpectedInput", text: str) -> SubscriberListError:
    from lark import UnexpectedCharacters, UnexpectedToken

    at, expected = len(text.rstrip()), frozenset[str]()
    if isinstance(error, UnexpectedCharacters):
        at, expected = cast("int", error.pos_in_stream), frozenset(error.allowed or ())
    elif isinstance(error, UnexpectedToken):
        expected = frozenset(error.expected)
        if error.token.type != "$END":
            at = error.token.start_pos or 0
    span = word_at(text, at)
    word = text[at : at + span.length].strip()
    return _query_error(_describe_syntax_error(word, expected), text, span)


def _describe_syntax_error(word: str, expected: frozenset[str]) -> str:
    """What is wrong with ``word``, the end if it is empty, where ``expected`` could stand."""
    if "BARE" in expected:
        if word[:1] in {'"', "'"}:
            return "this quote is never closed"
        return f"a value is missing before '{word}'" if word else "the last value is missing"
    if "OPERATOR" in expected:
        after = f", not '{word}'" if word else ""
        return f"after a name comes ':' or one of = != < <= > >= ~{after}"
    if "NAME" in expected:
        wanted = "a test like tag:vip or city = Bergen must stand here"
        return f"{wanted}, not '{word}'" if word else "the query ends too early"
    if word == ")":
        return "no parenthesis is open here"
    joined = f"before '{word}' there must be 'and' or 'or'; text with a space goes into quotes"
    return joined if word else "a parenthesis is never closed"


def _query_error(message: str, text: str, span: Span) -> SubscriberListError:
    return SubscriberListError(format_with_carets(message, text, span))


@cache
def _build_parser() -> "Lark":
    from lark import Lark

    return Lark(GRAMMAR, parser="lalr", lexer="contextual")
