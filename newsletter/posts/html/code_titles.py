"""Show the titles of code blocks: ``title="app.js"`` beside the fence."""

import re

from markdown_it.rules_core import StateCore
from markdown_it.token import Token

# As in Docusaurus, MkDocs, Gatsby and Astro.
_CODE_TITLE = re.compile(
    r"""(?<![\w-])(?:title|filename|caption)=\{?"""
    r"""(?:"(?P<double>[^"\n]+)"|'(?P<single>[^'\n]+)'|(?P<bare>[^\s"'{}]+))"""
)


def find_code_title(info: str) -> re.Match[str] | None:
    """Return the title in the info string of a fence; its last group is the title."""
    return _CODE_TITLE.search(info)


def code_titles_rule(state: StateCore) -> None:
    """Put the title of each code block above it, as a paragraph in bold."""
    tokens: list[Token] = []
    for token in state.tokens:
        found = find_code_title(token.info) if token.type == "fence" else None
        if found and (title := found[found.lastgroup or 0].strip()):
            text = Token("text", "", 0, content=title)
            children = [
                Token("strong_open", "strong", 1),
                text,
                Token("strong_close", "strong", -1),
            ]
            tokens += [
                Token("paragraph_open", "p", 1, block=True),
                Token("inline", "", 0, content=title, children=children, block=True),
                Token("paragraph_close", "p", -1, block=True),
            ]
        tokens.append(token)
    state.tokens = tokens
