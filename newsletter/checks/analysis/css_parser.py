"""Parse CSS into rules and declarations; rewrite the styles of HTML.

tinycss2 finds the parts; their text is the source's, since its serializer is recursive.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import tinycss2

STYLE_BLOCK = re.compile(r"(<style\b[^>]*>)(.*?)(</style\s*>)", re.DOTALL | re.IGNORECASE)
STYLE_ATTRIBUTE = re.compile(r"""(?<=\s)style=(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
CONDITIONAL_COMMENT = re.compile(
    r"<!--\[if (?P<when>[^\]]*)\]>(?P<shown>.*?)<!\[endif\]-->", re.DOTALL
)
HIDDEN_FROM_OUTLOOK = re.compile(
    r"<!--\[if !mso[^\]]*\]><!-->.*?<!--<!\[endif\]-->", re.DOTALL | re.IGNORECASE
)
_BLANK = frozenset({"whitespace", "comment"})
_PLAIN_NAME = re.compile(r"[-\w]+")


class CssRule(NamedTuple):
    """One rule or at-rule.

    Attributes:
        prelude: the selector, or ``@media …``.
        body: the text between its braces; ``None`` for a rule without braces (``@import``).
        at_keyword: ``media`` of an ``@media`` rule; empty for a rule with a selector.
    """

    prelude: str
    body: str | None
    at_keyword: str = ""

    def __str__(self) -> str:
        return f"{self.prelude};" if self.body is None else f"{self.prelude} {{{self.body}}}"


class CssDeclaration(NamedTuple):
    """One property and its value.

    Attributes:
        name: in lower case.
        value: as written, without ``!important``.
        important: whether it is ``!important``.
        functions: the functions in the value, ``url`` included, in lower case.
        units: the units in the value, in lower case.
    """

    name: str
    value: str
    important: bool
    functions: frozenset[str]
    units: frozenset[str]

    def __str__(self) -> str:
        return f"{self.name}: {self.value}{' !important' if self.important else ''};"


def parse_rules(css: str) -> Iterator[CssRule]:
    """Yield the rules of a style sheet."""
    tokens, texts = _split(css)
    bodies = {id(token.content): texts[id(token)] for token in tokens if token.type == "{} block"}
    for rule in tinycss2.parse_stylesheet(tokens):
        if rule.type in {"qualified-rule", "at-rule"}:
            keyword = rule.lower_at_keyword if rule.type == "at-rule" else ""
            prelude = "".join(texts[id(token)] for token in rule.prelude)
            body = None if rule.content is None else bodies[id(rule.content)]
            yield CssRule(
                (f"@{keyword}{prelude}" if keyword else prelude).strip(),
                body and body[1:].removesuffix("}"),
                keyword,
            )


@lru_cache(maxsize=4_096)  # an email repeats few styles many times
def parse_declarations(body: str) -> tuple[CssDeclaration, ...]:
    """Return the declarations of a rule or of a ``style`` attribute."""
    tokens, texts = _split(body)
    declarations: list[CssDeclaration] = []
    for node in tinycss2.parse_blocks_contents(tokens):
        # Names with escapes are left out: no property needs one.
        if node.type != "declaration" or not _PLAIN_NAME.fullmatch(node.lower_name):
            continue
        nested = list(iter_tokens(node.value))
        if not any(token.type == "error" for token in nested):
            value = "".join(texts[id(token)] for token in node.value).strip()
            functions = {token.lower_name for token in nested if token.type == "function"}
            functions |= {"url" for token in nested if token.type == "url"}
            units = {token.lower_unit for token in nested if token.type == "dimension"}
            declarations.append(
                CssDeclaration(
                    node.lower_name, value, node.important, frozenset(functions), frozenset(units)
                )
            )
    return tuple(declarations)


def parse_style(body: str) -> Mapping[str, str]:
    """Return the properties of a ``style`` attribute: name in lower case -> value."""
    by_weight = sorted(parse_declarations(body), key=lambda declaration: declaration.important)
    return {declaration.name: declaration.value for declaration in by_weight}


@lru_cache(maxsize=2_048)
def parse_dimension(value: str) -> tuple[float, str] | None:
    """Return the number and the unit of a length, ``%`` included; ``None`` if it is none.

    The unit is in lower case, and empty if there is none.
    """
    tokens = [token for token in tokenize(value) if token.type not in _BLANK]
    if len(tokens) != 1 or tokens[0].type not in {"dimension", "percentage", "number"}:
        return None
    token = tokens[0]
    unit = "%" if token.type == "percentage" else getattr(token, "lower_unit", "")
    return (token.value, unit) if 0 <= token.value < math.inf else None


def tokenize(css: str) -> list[Any]:
    """Return the component values of CSS as tinycss2 has them."""
    try:
        return list(tinycss2.parse_component_value_list(css))
    except ValueError:  # Python refuses to parse a number of thousands of digits
        return []


def iter_tokens(tokens: Iterable[Any]) -> Iterator[Any]:
    """Yield component values, each before what is nested in it, however deep that is."""
    stack = [*tokens][::-1]
    while stack:
        token = stack.pop()
        yield token
        stack += reversed(getattr(token, "arguments", ()) or getattr(token, "content", ()))


def rewrite_styles(
    html: str, rewrite_sheet: Callable[[str], str], rewrite_attribute: Callable[[str], str]
) -> str:
    """Return an HTML document with its style blocks and style attributes rewritten.

    Args:
        html: the document.
        rewrite_sheet: style sheet -> its replacement.
        rewrite_attribute: declarations -> their replacement; both unescaped.
    """

    def replace_block(found: re.Match[str]) -> str:
        return f"{found[1]}{rewrite_sheet(found[2])}{found[3]}"

    def replace_attribute(found: re.Match[str]) -> str:
        original = found[1] if found[1] is not None else found[2]
        changed = rewrite_attribute(original.replace("&quot;", '"').replace("&amp;", "&"))
        escaped = changed.replace("&", "&amp;").replace('"', "&quot;")
        return f'style="{escaped}"' if changed else ""

    return STYLE_ATTRIBUTE.sub(replace_attribute, STYLE_BLOCK.sub(replace_block, html))


def _split(css: str) -> tuple[list[Any], dict[int, str]]:
    """Return the component values without comments, and the text of each by its ``id``."""
    css = re.sub(r"\r\n?|\f", "\n", css)  # as tinycss2 counts lines
    tokens = tokenize(css)
    lines = [0, *(found.end() for found in re.finditer("\n", css))]
    starts = [lines[token.source_line - 1] + token.source_column - 1 for token in tokens]
    texts = {
        id(token): css[start:end]
        for token, start, end in zip(tokens, starts, [*starts, len(css)][1:], strict=True)
    }
    return [token for token in tokens if token.type != "comment"], texts
