"""Typed JSON values and case-insensitive matching in SQL of both databases.

A JSON value of another type than requested is NULL; a cast never fails.

SQLite knows the case of A to Z only, and PostgreSQL that of the letters of its locale. So a text
that is looked for is made a pattern which has each of its letters in both cases.
"""

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

# Letters that lower() and upper() of a single one don't find: Turkish, Greek and German ones.
_OTHER_SPELLINGS = ("iI\u0130\u0131", "\u03c3\u03a3\u03c2", "\u00df\u1e9e")
_ANYTHING = {"sqlite": "*", "postgresql": ".*"}


class MatchesPattern(FunctionElement[bool]):
    """Whether text matches a ``TextPattern``. Arguments: the text, the pattern."""

    type = sa.Boolean()
    inherit_cache = True


class TextPattern(sa.TypeDecorator[Sequence[str]]):
    """Texts with anything between them: a GLOB of SQLite, a regular expression of PostgreSQL."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[str] | None, dialect: sa.Dialect) -> str:
        """Return the pattern in the database's language."""
        is_glob = dialect.name == "sqlite"
        texts = (
            "".join(_match_letter(letter, is_glob=is_glob) for letter in text)
            for text in value or ()
        )
        pattern = _ANYTHING[dialect.name].join(texts)
        return pattern if is_glob else f"^{pattern}$".removeprefix("^.*").removesuffix(".*$")


def _match_letter(letter: str, *, is_glob: bool) -> str:
    cases = {case for case in (letter, letter.lower(), letter.upper()) if len(case) == 1}
    spellings = next((group for group in _OTHER_SPELLINGS if letter in group), "".join(cases))
    if len(spellings) > 1:
        return f"[{spellings}]"
    if is_glob:
        return f"[{letter}]" if letter in "*?[" else letter
    return re.escape(letter)


def text_matches(text: sa.ColumnElement[str], *parts: str) -> MatchesPattern:
    """Return the condition that a text consists of parts with anything between them.

    So it contains what is between two empty parts, and begins with what is before an empty one.
    Case is ignored letter by letter: ``\u00df`` is not ``SS``.
    """
    return MatchesPattern(text, sa.literal(parts, TextPattern()))


class JsonText(FunctionElement[str]):
    """The value of an attribute, if it is text. Arguments: the column, the name, its JSON path."""

    type = sa.Text()
    inherit_cache = True


class JsonNumber(FunctionElement[float]):
    """The value of an attribute, if it is a number."""

    type = sa.Float()
    inherit_cache = True


class JsonBoolean(FunctionElement[str]):
    """The value of an attribute, if it is a boolean, as the text ``true`` or ``false``."""

    type = sa.Text()
    inherit_cache = True


class JsonAny(FunctionElement[str]):
    """The value of an attribute of any type."""

    type = sa.Text()
    inherit_cache = True


# element -> SQL on SQLite and on PostgreSQL; {0}, {1} and {2} are the arguments.
_SQL: dict[type[FunctionElement[Any]], tuple[str, str]] = {
    MatchesPattern: ("{0} GLOB {1}", '{0} COLLATE "C" ~ {1}'),
    JsonText: (
        "CASE json_type({0}, {2}) WHEN 'text' THEN json_extract({0}, {2}) END",
        "CASE jsonb_typeof({0} -> {1}) WHEN 'string' THEN {0} ->> {1} END",
    ),
    JsonNumber: (
        "CASE WHEN json_type({0}, {2}) IN ('integer', 'real') THEN json_extract({0}, {2}) END",
        "CASE jsonb_typeof({0} -> {1}) WHEN 'number' THEN ({0} ->> {1})::numeric END",
    ),
    JsonBoolean: (
        "CASE WHEN json_type({0}, {2}) IN ('true', 'false') THEN json_type({0}, {2}) END",
        "CASE jsonb_typeof({0} -> {1}) WHEN 'boolean' THEN {0} ->> {1} END",
    ),
    JsonAny: ("json_extract({0}, {2})", "{0} ->> {1}"),
}


def _register(element: type[FunctionElement[Any]], dialect: str, template: str) -> None:
    @compiles(element, dialect)
    def render(element: FunctionElement[Any], compiler: SQLCompiler, **options: Any) -> str:
        arguments = [compiler.process(part, **options) for part in element.clauses]
        return f"({template.format(*arguments)})"


for _element, _templates in _SQL.items():
    for _dialect, _template in zip(("sqlite", "postgresql"), _templates, strict=True):
        _register(_element, _dialect, _template)
