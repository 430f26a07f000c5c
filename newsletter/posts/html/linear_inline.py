"""Keep the inline rules linear on hostile text: brackets, links, quotes.

A post from a feed is untrusted. The parser tries a link at each ``[`` and reads to the end of the
paragraph for its ``]``; the rules for bare links look at all pending text at each ``:`` and copy
the rest of the paragraph. Each alone is quadratic: 60 KB of ``[a`` take half a minute. It also
tries all twenty rules at each mark, though only one to five can begin with it.
"""

import re
from functools import lru_cache, partial
from itertools import accumulate

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_core.smartquotes import smartquotes
from markdown_it.rules_inline import StateInline

from newsletter.posts.html.attributes import InlineRule, get_rule

# More than any author writes in one paragraph.
_MAX_BRACKET_DEPTH = 6
_MAX_UNCLOSED_SEARCH = 20_000  # characters read for the ends of brackets that have none
_MAX_QUOTATION_MARKS = 1_000  # apostrophes too
_MAX_URL_LENGTH = 2_000  # characters
_MAX_LOCAL_PART = 64  # characters before the @ of an address (RFC 5321, 4.5.3.1.1)
_URL_END = re.compile(r"[ \t\r\n\x00\x0b\x0c]")
_LOCAL_PART_END = re.compile(r"[A-Za-z0-9.+_-]")
_DOMAIN_END = re.compile(r"[^A-Za-z0-9._-]")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_BRACKET = re.compile(r"\\.|[\[\]]", re.DOTALL)
_BARE_LINK_MARKERS = {
    "gfm_autolink_www": "www.",
    "gfm_autolink_protocol": ":",
    "gfm_autolink_email": "@",
}
# The characters that a rule can begin with; it is tried at all others too if it is not in here.
_RULE_STARTS = {
    "newline": "\n",
    "escape": "\\",
    "backticks": "`",
    "strikethrough": "~",
    "mark": "=",
    "emphasis": "*_",
    "link": "[",
    "span": "[",
    "image": "!",
    "footnote_inline": "^",
    "footnote_ref": "[",
    "autolink": "<",
    "html_inline": "<",
    "entity": "&",
    "linkify": ":",
    "gfm_autolink_www": "w",
    "gfm_autolink_protocol": ":",
    "gfm_autolink_email": "@",
    "kramdown": "{",
    "attr": "{",
}
_PROTOCOLS = ("http", "https", "mailto", "xmpp")


def limit_inline_rules(md: MarkdownIt) -> None:
    """Wrap the rules of a parser that search far ahead or behind; call it after all plugins.

    Rules that the parser lacks are left out.
    """
    names = md.get_all_rules()["inline"]
    for name in ("link", "image", "span", "footnote_inline"):
        if name in names:
            md.inline.ruler.at(name, partial(_bracket_rule, rule=get_rule(md.inline.ruler, name)))
    for name, marker in _BARE_LINK_MARKERS.items():
        if name in names:
            rule = get_rule(md.inline.ruler, name)
            md.inline.ruler.at(name, partial(_bare_link_rule, rule=rule, marker=marker))
    _dispatch_on_first_character(md)
    md.core.ruler.at("smartquotes", _smart_quotes_rule)


def _dispatch_on_first_character(md: MarkdownIt) -> None:
    """Replace all inline rules by one, which tries only those that can begin with a character."""
    names = md.get_active_rules()["inline"]
    rules = [(_RULE_STARTS.get(name), get_rule(md.inline.ruler, name)) for name in names]
    other_rules = tuple(rule for starts, rule in rules if starts is None)
    rules_of_character = {
        char: tuple(rule for starts, rule in rules if starts is None or char in starts)
        for char in "".join(_RULE_STARTS.values())
    }

    def try_rules(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - the parser's signature
        # Not any(), which takes twice as long.
        for rule in rules_of_character.get(state.src[state.pos], other_rules):
            if rule(state, silent):
                return True
        return False

    md.inline.ruler.push("first_character", try_rules)
    md.inline.ruler.enableOnly("first_character")


def _smart_quotes_rule(state: StateCore) -> None:
    """Make typographic quotes of paragraphs that people write; leave the others as they are.

    For each mark the parser copies the text that it is in and compares all that are still open.
    """
    tokens = state.tokens
    state.tokens = [
        token
        for token in tokens
        if token.content.count('"') + token.content.count("'") <= _MAX_QUOTATION_MARKS
    ]
    smartquotes(state)
    state.tokens = tokens


def _bracket_rule(state: StateInline, silent: bool, rule: InlineRule) -> bool:  # noqa: FBT001 - the parser's signature
    char = state.src[state.pos]
    if char not in "[!^":
        return False
    bracket = state.pos if char == "[" else state.pos + 1
    return bracket not in _find_hopeless_brackets(state.src) and rule(state, silent)


@lru_cache(maxsize=8)
def _find_hopeless_brackets(text: str) -> frozenset[int]:
    """Return the opening brackets that are nested too deep, or among too many without an end."""
    if text.count("[") <= _MAX_BRACKET_DEPTH and len(text) <= _MAX_UNCLOSED_SEARCH:
        return frozenset()
    pairs: dict[int, int] = {}
    opening: list[int] = []
    for found in _BRACKET.finditer(text):
        if found[0] == "[":
            opening.append(found.start())
        elif found[0] == "]" and opening:
            pairs[opening.pop()] = found.start()
    searched = accumulate(len(text) - start for start in opening)
    hopeless = {
        start
        for start, total in zip(opening, searched, strict=True)
        if total > _MAX_UNCLOSED_SEARCH
    }
    ends: list[int] = []
    for start in sorted(pairs):
        while ends and ends[-1] < start:
            ends.pop()
        ends.append(pairs[start])
        if len(ends) > _MAX_BRACKET_DEPTH:
            hopeless.add(start)
    return frozenset(hopeless)


def _bare_link_rule(state: StateInline, silent: bool, rule: InlineRule, marker: str) -> bool:  # noqa: FBT001 - the parser's signature
    # In silent mode the rules never match.
    if silent or state.linkLevel or not state.src.startswith(marker, state.pos):
        return False
    # Not by the source: attributes in braces may stand between.
    if marker == "@" and not _LOCAL_PART_END.match(state.pending[-1:]):
        return False
    before = state.src[max(state.pos - _MAX_LOCAL_PART, 0) : state.pos]
    if marker == ":" and not before.endswith(_PROTOCOLS):
        return False
    pattern, start = (_DOMAIN_END, state.pos + 1) if marker == "@" else (_URL_END, state.pos)
    end = pattern.search(state.src, start, min(state.pos + _MAX_URL_LENGTH, state.posMax))
    if end is None and state.posMax - state.pos > _MAX_URL_LENGTH:
        return False
    pending, maximum = state.pending, state.posMax
    if len(pending) > _MAX_URL_LENGTH:
        state.pending = pending[:-_MAX_LOCAL_PART]
        state.pushPending()
        state.pending = pending[-_MAX_LOCAL_PART:]
    state.posMax = end.end() if end else maximum
    is_link = rule(state, silent)
    state.posMax = maximum
    if is_link:
        _decode_bare_link(state)
    return is_link


def _decode_bare_link(state: StateInline) -> None:
    r"""Decode a bare URL as all other text: converters to Markdown write ``a\_b`` and ``&amp;``."""
    opening, label, _ = state.tokens[-3:]
    url = _ESCAPE.sub(r"\1", label.content).replace("&amp;", "&")
    if url != label.content:
        scheme = "" if "://" in url else "http://"
        opening.attrs["href"] = state.md.normalizeLink(scheme + url)
        label.content = url
