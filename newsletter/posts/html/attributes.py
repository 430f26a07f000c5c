"""Markdown plugin for attributes: ``{.class}``, ``{: .class }``.

Everything else in braces is text: template tags like ``{% include x %}``, which the attribute
syntax would take for a comment, and lines with words behind the closing brace.
"""

import re
from collections.abc import Callable
from functools import lru_cache, partial

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.attrs import attrs_block_plugin, attrs_plugin
from mdit_py_plugins.attrs.parse import ParseError, parse

_ATTRIBUTE = r"(?:[.#][\w:-]+|[\w:-]+=(?:\"[^\"{}]*\"|'[^'{}]*'|[^\s\"'{}=]+)|toc|no_toc|footnotes)"
_KRAMDOWN = re.compile(rf"\{{:[ \t]*(?P<list>{_ATTRIBUTE}(?:[ \t]+{_ATTRIBUTE})*)?[ \t]*\}}")
_HEADING_ATTRIBUTES = re.compile(r"[ \t]\{:?[ \t]*(?P<list>#[^{}\n]{1,200})\}[ \t]*$")
_ATTRIBUTE_PATTERN = re.compile(_ATTRIBUTE)
_MAX_LENGTH = 400  # characters of one list
_INLINE_ELEMENTS = {"link_close": "link_open", "image": "image", "code_inline": "code_inline"}

BlockRule = Callable[[StateBlock, int, int, bool], bool]
InlineRule = Callable[[StateInline, bool], bool]


def attributes_plugin(md: MarkdownIt) -> None:
    """Add attributes in both syntaxes to a parser."""
    md.use(attrs_plugin, spans=True).use(attrs_block_plugin)
    # The plugins' rules, less what they should leave alone.
    block_rule = get_rule(md.block.ruler, "attr")
    md.block.ruler.at("attr", partial(_attribute_line_rule, rule=block_rule))
    for name in ("attr", "span"):
        md.inline.ruler.at(name, partial(_inline_rule, rule=get_rule(md.inline.ruler, name)))
    md.inline.ruler.before("attr", "kramdown", _kramdown_inline_rule)
    md.core.ruler.before("inline", "kramdown", _kramdown_block_rule)


def match_kramdown_attributes(text: str, position: int = 0) -> re.Match[str] | None:
    """Return the match of kramdown's ``{: … }`` that begins at ``position``, if there is one."""
    return _KRAMDOWN.match(text, position, position + _MAX_LENGTH)


def get_rule(ruler: object, name: str) -> Callable[..., bool]:
    """Return a rule of one of the parser's rulers by its name."""
    rules = ruler.__rules__  # type: ignore[attr-defined]  # the ruler has no public getter
    rule: Callable[..., bool] = next(rule.fn for rule in rules if rule.name == name)
    return rule


def _attribute_line_rule(
    state: StateBlock,
    start_line: int,
    end_line: int,
    silent: bool,  # noqa: FBT001 - the parser's signature
    rule: BlockRule,
) -> bool:
    start = state.bMarks[start_line] + state.tShift[start_line]
    if not state.src.startswith("{", start):
        return False
    line = state.src[start : state.eMarks[start_line]].rstrip()
    try:
        end, attributes = parse(line)
    except ParseError:
        return False
    return bool(attributes) and end == len(line) - 1 and rule(state, start_line, end_line, silent)


def _inline_rule(state: StateInline, silent: bool, rule: InlineRule) -> bool:  # noqa: FBT001 - the parser's signature
    if state.src.startswith(("{%", "{{"), state.pos):
        return False
    if state.src.startswith("[", state.pos) and _has_tag_after_bracket(state.src):
        return False
    return rule(state, silent)


@lru_cache(maxsize=1)
def _has_tag_after_bracket(text: str) -> bool:
    return "]{%" in text or "]{{" in text


def _kramdown_inline_rule(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - the parser's signature
    if not state.src.startswith("{:", state.pos):
        return False
    found = match_kramdown_attributes(state.src, state.pos)
    if found is None or _is_table_of_contents(found):
        return False
    if not silent and found["list"] and state.tokens and not state.pending:
        opening = _INLINE_ELEMENTS.get(state.tokens[-1].type)
        element = next((t for t in reversed(state.tokens) if t.type == opening), None)
        if element is not None:
            _add_attributes(element, found["list"])
    state.pos = found.end()
    return True


def _kramdown_block_rule(state: StateCore) -> None:
    """Move attributes behind a heading, and below a paragraph or heading, to that block."""
    tokens: list[Token] = []
    removed_paragraph = False
    for index, token in enumerate(state.tokens):
        if token.type == "inline":
            opening = state.tokens[index - 1]
            if opening.type == "heading_open" and (
                found := _HEADING_ATTRIBUTES.search(token.content[-_MAX_LENGTH:])
            ):
                _add_attributes(opening, found["list"])
                token.content = token.content[: -len(found[0])].rstrip()
            _take_last_lines(token, opening)
            if not token.content and opening.type == "paragraph_open":
                _move_to_heading(tokens, opening)
                tokens.pop()
                removed_paragraph = True
                continue
        elif removed_paragraph and token.type == "paragraph_close":
            removed_paragraph = False
            continue
        tokens.append(token)
    state.tokens = tokens


def _take_last_lines(inline: Token, opening: Token) -> None:
    while True:
        text, _, last_line = inline.content.rpartition("\n")
        found = match_kramdown_attributes(last_line.strip())
        if found is None or found.end() != len(last_line.strip()) or _is_table_of_contents(found):
            return
        _add_attributes(opening, found["list"] or "")
        inline.content = text.rstrip()


def _move_to_heading(tokens: list[Token], paragraph: Token) -> None:
    """Give the heading directly above the attributes of a paragraph without text."""
    heading = tokens[-4] if len(tokens) > 3 else None  # noqa: PLR2004 - open, inline, close
    if (
        heading is not None
        and heading.type == "heading_open"
        and heading.map
        and paragraph.map
        and heading.map[1] == paragraph.map[0]
    ):
        heading.attrs.update(paragraph.attrs)


def _is_table_of_contents(attributes: re.Match[str]) -> bool:
    """Whether kramdown puts a table of contents here; as text, the checks find it."""
    return "toc" in (attributes["list"] or "").split()


def _add_attributes(token: Token, attribute_list: str) -> None:
    """Add the classes and the id of a list; kramdown's other attributes are for web pages."""
    for name in _ATTRIBUTE_PATTERN.findall(attribute_list):
        if name.startswith("."):
            token.attrJoin("class", name[1:])
        elif name.startswith("#"):
            token.attrSet("id", name[1:])
