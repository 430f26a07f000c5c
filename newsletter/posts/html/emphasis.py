"""Markdown plugin: emphasis beside CJK characters, and ``==mark==``.

By CommonMark's flanking rules the stars of ``**「x」**は`` close nothing, because a bracket is
before them and a letter behind. In scripts without spaces that is ordinary text, so a CJK bracket
counts as a letter here, and a CJK character beside other punctuation as a space does (the rules of
the markdown-cjk-friendly specification). Nothing changes in text without CJK characters.
"""

import unicodedata

from markdown_it import MarkdownIt
from markdown_it.common.utils import isMdAsciiPunct, isPunctChar, isWhiteSpace
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_inline.state_inline import Delimiter, Scanned, StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType

_MARK = "=="
_CJK_WIDTHS = frozenset({"W", "F", "H"})


def emphasis_plugin(md: MarkdownIt) -> None:
    """Add both to a parser, before its inline rules are enabled."""
    md.inline = _CjkParserInline()
    md.inline.ruler.after("strikethrough", "mark", _tokenize_mark)
    md.inline.ruler2.after("strikethrough", "mark", _resolve_marks)


class _CjkParserInline(ParserInline):
    """``ParserInline`` whose state knows CJK characters."""

    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        state = _CjkStateInline(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


class _CjkStateInline(StateInline):
    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:  # noqa: N802, N803, FBT001 - the overridden method's
        scanned = super().scanDelims(start, canSplitWord)
        end = start + scanned.length
        before = self.src[start - 1] if start > 0 else " "
        after = self.src[end] if end < self.posMax else " "
        if not canSplitWord or not (_is_cjk(before) or _is_cjk(after)):
            return scanned
        if isWhiteSpace(ord(before)) or isWhiteSpace(ord(after)):
            return Scanned(
                not isWhiteSpace(ord(after)), not isWhiteSpace(ord(before)), scanned.length
            )
        can_open = not _is_other_punctuation(after) or _is_boundary(before)
        can_close = not _is_other_punctuation(before) or _is_boundary(after)
        return Scanned(can_open, can_close, scanned.length)


def _is_cjk(char: str) -> bool:
    if char < "\u1100":
        return False
    is_emoji = unicodedata.category(char) in {"So", "Sk"} and not "\u3000" <= char < "\ua000"
    return unicodedata.east_asian_width(char) in _CJK_WIDTHS and not is_emoji


def _is_punctuation(char: str) -> bool:
    return bool(isMdAsciiPunct(ord(char)) or isPunctChar(char))


def _is_other_punctuation(char: str) -> bool:
    return _is_punctuation(char) and not _is_cjk(char)


def _is_boundary(char: str) -> bool:
    return _is_cjk(char) or _is_punctuation(char)


def _tokenize_mark(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - the parser's signature
    if silent or not state.src.startswith(_MARK, state.pos):
        return False
    scanned = state.scanDelims(state.pos, canSplitWord=True)
    end = state.pos + scanned.length
    token = state.push("text", "", 0)
    token.content = state.src[state.pos : end]
    if scanned.length == len(_MARK):
        # Not between letters, where it is a comparison in code that was not marked as code.
        joins_words = (
            _is_plain_letter(state.src[state.pos - 1 : state.pos]),
            _is_plain_letter(state.src[end : end + 1]),
        )
        state.delimiters.append(
            Delimiter(
                marker=ord("="),
                length=0,
                token=len(state.tokens) - 1,
                end=-1,
                open=scanned.can_open and not joins_words[0],
                close=scanned.can_close and not joins_words[1],
            )
        )
    state.pos = end
    return True


def _is_plain_letter(char: str) -> bool:
    return char.isalnum() and not _is_cjk(char)


def _resolve_marks(state: StateInline) -> None:
    metas = (meta for meta in state.tokens_meta if meta)
    for delimiters in (state.delimiters, *(meta.get("delimiters", []) for meta in metas)):
        for delimiter in delimiters:
            if delimiter.marker == ord("=") and delimiter.end >= 0:
                closing = delimiters[delimiter.end]
                _make_mark(state.tokens[delimiter.token], "mark_open", 1)
                _make_mark(state.tokens[closing.token], "mark_close", -1)


def _make_mark(token: Token, token_type: str, nesting: int) -> None:
    token.type, token.tag, token.nesting = token_type, "mark", nesting  # type: ignore[assignment]
    token.markup, token.content = _MARK, ""
