"""Parse CSS into rules and declarations, and rewrite the styles of HTML.

It parses just enough to drop rules or to change colors; pure functions over text.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

STYLE_BLOCK = re.compile(r"(<style\b[^>]*>)(.*?)(</style\s*>)", re.DOTALL | re.IGNORECASE)
STYLE_ATTRIBUTE = re.compile(r"""(?<=\s)style=(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
CONDITIONAL_COMMENT = re.compile(
    r"<!--\[if (?P<when>[^\]]*)\]>(?P<shown>.*?)<!\[endif\]-->", re.DOTALL
)
HIDDEN_FROM_OUTLOOK = re.compile(
    r"<!--\[if !mso[^\]]*\]><!-->.*?<!--<!\[endif\]-->", re.DOTALL | re.IGNORECASE
)
_COMMENT = re.compile(r"/\*.*?\*/|<!--|-->", re.DOTALL)
# A quoted string, a function's arguments, or a character that is not a delimiter.
_PIECE = r"""(?:"[^"]*"|'[^']*'|\([^()]*(?:\([^()]*\)[^()]*)*\)|[^;{}"'()])"""
_DECLARATION = re.compile(rf"\s*([-\w]+)\s*:((?:(?!;){_PIECE})*)(?:;|$)")
_PRELUDE = re.compile(rf"{_PIECE}*")


class CssRule(NamedTuple):
    """One rule or at-rule.

    Attributes:
        prelude: the selector, or ``@media …``.
        body: the text between its braces; ``None`` for a rule without braces (``@import``).
    """

    prelude: str
    body: str | None

    def __str__(self) -> str:
        return f"{self.prelude};" if self.body is None else f"{self.prelude} {{{self.body}}}"

    @property
    def has_nested_rules(self) -> bool:
        """Whether its body contains rules."""
        return self.prelude.lower().startswith(("@media", "@supports", "@layer", "@container"))


class CssDeclaration(NamedTuple):
    """One property and its value, ``!important`` included."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}: {self.value};"


def parse_rules(css: str) -> Iterator[CssRule]:
    """Yield the rules of a style sheet without its comments; drop text after the last rule."""
    css, position = _COMMENT.sub("", css), 0
    while found := _PRELUDE.match(css, position):
        prelude, position = found[0].strip(), found.end()
        delimiter = css[position : position + 1]
        if delimiter == "{":
            end = _find_closing_brace(css, position)
            yield CssRule(prelude, css[position + 1 : end])
            position = end + 1
        elif not delimiter:
            return
        else:
            if prelude.startswith("@") and delimiter == ";":
                yield CssRule(prelude, None)
            position += 1


def parse_declarations(body: str) -> Iterator[CssDeclaration]:
    """Yield the declarations of a rule or of a ``style`` attribute."""
    for name, value in _DECLARATION.findall(body):
        yield CssDeclaration(name.lower(), value.strip())


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


def _find_closing_brace(css: str, start: int) -> int:
    depth = 0
    for found in re.finditer(r"""[{}]|"[^"]*"|'[^']*'""", css[start:]):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if depth == 0:
            return start + found.start()
    return len(css)
