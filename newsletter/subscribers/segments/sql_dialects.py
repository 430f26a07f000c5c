"""Typed JSON values and lower-casing in SQLite's and PostgreSQL's SQL.

A JSON value of another type than requested is NULL; a cast never fails.
"""

from typing import Any, overload

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class LowerAscii(FunctionElement[str]):
    """Text with A to Z in lower case; the databases treat other alphabets differently."""

    type = sa.Text()
    inherit_cache = True


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


@overload
def lower_ascii(text: str) -> str: ...
@overload
def lower_ascii(text: sa.ColumnElement[str]) -> LowerAscii: ...
def lower_ascii(text: str | sa.ColumnElement[str]) -> str | LowerAscii:
    """Return ``text`` with A to Z in lower case, computed here or in the database."""
    if isinstance(text, str):
        return "".join(char.lower() if char.isascii() else char for char in text)
    return LowerAscii(text)


# element -> SQL on SQLite and on PostgreSQL; {0}, {1} and {2} are the arguments.
_SQL: dict[type[FunctionElement[Any]], tuple[str, str]] = {
    LowerAscii: ("lower({0})", 'lower({0} COLLATE "C")'),
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
