"""CSS cut into rules, far enough to leave some out or turn their colours. Pure text work."""

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
# A quoted text, a function's arguments, or a piece without any of the marks that end one.
_PIECE = r"""(?:"[^"]*"|'[^']*'|\([^()]*(?:\([^()]*\)[^()]*)*\)|[^;{}"'()])"""
_DECLARATION = re.compile(rf"\s*([-\w]+)\s*:((?:(?!;){_PIECE})*)(?:;|$)")
_PRELUDE = re.compile(rf"{_PIECE}*")


class CssRule(NamedTuple):
    """One rule or at-rule.

    Attributes:
        prelude: the selector, or ``@media …``.
        body: what stands between its braces; ``None`` for one without (``@import``).
    """

    prelude: str
    body: str | None

    def __str__(self) -> str:
        return f"{self.prelude};" if self.body is None else f"{self.prelude} {{{self.body}}}"

    @property
    def has_nested_rules(self) -> bool:
        """Whether its body holds rules."""
        return self.prelude.lower().startswith(("@media", "@supports", "@layer", "@container"))


class CssDeclaration(NamedTuple):
    """One property and its value, ``!important`` included."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}: {self.value};"


def parse_rules(css: str) -> Iterator[CssRule]:
    """The rules of a style sheet, comments left out; what is broken at its end is dropped."""
    css, at = _COMMENT.sub("", css), 0
    while found := _PRELUDE.match(css, at):
        head, at = found[0].strip(), found.end()
        mark = css[at : at + 1]
        if mark == "{":
            end = _find_closing_brace(css, at)
            yield CssRule(head, css[at + 1 : end])
            at = end + 1
        elif not mark:
            return
        else:
            if head.startswith("@") and mark == ";":
                yield CssRule(head, None)
            at += 1


def parse_declarations(body: str) -> Iterator[CssDeclaration]:
    """The declarations of a rule or of a ``style`` attribute."""
    for name, value in _DECLARATION.findall(body):
        yield CssDeclaration(name.lower(), value.strip())


def rewrite_styles(
    html: str, rewrite_sheet: Callable[[str], str], rewrite_attribute: Callable[[str], str]
) -> str:
    """An HTML document with its style blocks and its style attributes changed.

    Args:
        html: the document.
        rewrite_sheet: a style sheet -> what takes its place.
        rewrite_attribute: declarations -> what takes their place; both unescaped.
    """

    def in_block(found: re.Match[str]) -> str:
        return f"{found[1]}{rewrite_sheet(found[2])}{found[3]}"

    def in_attribute(found: re.Match[str]) -> str:
        written = found[1] if found[1] is not None else found[2]
        changed = rewrite_attribute(written.replace("&quot;", '"').replace("&amp;", "&"))
        escaped = changed.replace("&", "&amp;").replace('"', "&quot;")
        return f'style="{escaped}"' if changed else ""

    return STYLE_ATTRIBUTE.sub(in_attribute, STYLE_BLOCK.sub(in_block, html))


def _find_closing_brace(css: str, start: int) -> int:
    depth = 0
    for found in re.finditer(r"""[{}]|"[^"]*"|'[^']*'""", css[start:]):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if depth == 0:
            return start + found.start()
    return len(css)
