"""CSS cut into rules, far enough to leave some out or turn their colours. Pure text work."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

STYLE_BLOCK = re.compile(r"(<style\b[^>]*>)(.*?)(</style\s*>)", re.DOTALL | re.IGNORECASE)
STYLE_ATTRIBUTE = re.compile(r"""(?<=\s)style=(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
CONDITIONAL = re.compile(r"<!--\[if (?P<when>[^\]]*)\]>(?P<shown>.*?)<!\[endif\]-->", re.DOTALL)
HIDDEN_FROM_OUTLOOK = re.compile(
    r"<!--\[if !mso[^\]]*\]><!-->.*?<!--<!\[endif\]-->", re.DOTALL | re.IGNORECASE
)
_COMMENT = re.compile(r"/\*.*?\*/|<!--|-->", re.DOTALL)
# A quoted text, a function's arguments, or a piece without any of the marks that end one.
_PIECE = r"""(?:"[^"]*"|'[^']*'|\([^()]*(?:\([^()]*\)[^()]*)*\)|[^;{}"'()])"""
_DECLARATION = re.compile(rf"\s*([-\w]+)\s*:((?:(?!;){_PIECE})*)(?:;|$)")
_HEAD = re.compile(rf"{_PIECE}*")


class Rule(NamedTuple):
    """One rule or at-rule.

    Attributes:
        head: the selector, or ``@media …``.
        body: what stands between its braces; ``None`` for one without (``@import``).
    """

    head: str
    body: str | None

    def __str__(self) -> str:
        return f"{self.head};" if self.body is None else f"{self.head} {{{self.body}}}"

    @property
    def nests(self) -> bool:
        """Whether its body holds rules."""
        return self.head.lower().startswith(("@media", "@supports", "@layer", "@container"))


class Declaration(NamedTuple):
    """One property and its value, ``!important`` included."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}: {self.value};"


def rules(css: str) -> Iterator[Rule]:
    """The rules of a style sheet, comments left out; what is broken at its end is dropped."""
    css, at = _COMMENT.sub("", css), 0
    while found := _HEAD.match(css, at):
        head, at = found[0].strip(), found.end()
        mark = css[at : at + 1]
        if mark == "{":
            end = _closing(css, at)
            yield Rule(head, css[at + 1 : end])
            at = end + 1
        elif not mark:
            return
        else:
            if head.startswith("@") and mark == ";":
                yield Rule(head, None)
            at += 1


def declarations(body: str) -> Iterator[Declaration]:
    """The declarations of a rule or of a ``style`` attribute."""
    for name, value in _DECLARATION.findall(body):
        yield Declaration(name.lower(), value.strip())


def restyled(html: str, sheet: Callable[[str], str], attribute: Callable[[str], str]) -> str:
    """An HTML document with its style blocks and its style attributes changed.

    Args:
        html: the document.
        sheet: a style sheet -> what takes its place.
        attribute: declarations -> what takes their place; both unescaped.
    """

    def in_block(found: re.Match[str]) -> str:
        return f"{found[1]}{sheet(found[2])}{found[3]}"

    def in_attribute(found: re.Match[str]) -> str:
        written = found[1] if found[1] is not None else found[2]
        changed = attribute(written.replace("&quot;", '"').replace("&amp;", "&"))
        escaped = changed.replace("&", "&amp;").replace('"', "&quot;")
        return f'style="{escaped}"' if changed else ""

    return STYLE_ATTRIBUTE.sub(in_attribute, STYLE_BLOCK.sub(in_block, html))


def _closing(css: str, at: int) -> int:
    depth = 0
    for found in re.finditer(r"""[{}]|"[^"]*"|'[^']*'""", css[at:]):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if depth == 0:
            return at + found.start()
    return len(css)
