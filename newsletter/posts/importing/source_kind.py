"""Detect what a source is: Markdown, HTML, text, an export, a table."""

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Literal

SourceKind = Literal["markdown", "html", "text"]

_KIND_BY_SUFFIX: Mapping[str, SourceKind] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".mdx": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".txt": "text",
}
_PAGE_START = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?><!--.*?-->\s*)*<(?:!doctype html|html)\b", re.IGNORECASE | re.DOTALL
)
_FRAGMENT_START = re.compile(
    r"\s*<(?:article|section|main|div|p|h[1-6]|figure|header|ul|ol)\b[^>]*>", re.IGNORECASE
)
_MARKDOWN_SYNTAX = re.compile(
    r"^(?:#{1,6} \S|```|~~~|!\[)|\[[^\]\n]+\]\([^)\s]+\)|^(?:={3,}|-{3,})$", re.MULTILINE
)
# Ghost's and Substack's JSON, WordPress's XML, RSS and Atom.
_EXPORT = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?><!--.*?-->\s*)*<(?:rss|feed|rdf:rdf)\b[^>]*>"
    r"|\s*\[\s*\{\s*\"|\s*\{\s*\"(?:db|posts)\"\s*:\s*\[\s*\{",
    re.IGNORECASE | re.DOTALL,
)
_TABLE_SUFFIXES = frozenset({".csv", ".tsv"})
_ADDRESS_CELL = re.compile(r"""(?:^|[,;\t])[ "]*[^\s@,;"<>]+@[^\s@,;"<>]+\.\w+[ "]*(?:$|[,;\t])""")
_CHECKED_LINES = 50
_FRONT_MATTER_START = re.compile(
    r"---[ \t]*(?:json|toml|ya?ml|js|javascript)[ \t]*\n"
    r"|---[ \t]*\n(?:[ \t]*(?:#.*)?\n)*[\w-]+:|\+\+\+[ \t]*\n\s*[\w-]+ *=|\{\s*\""
)


def detect_source_kind(text: str, path: str) -> SourceKind:
    """Return the kind of a source, by its name, or by its content if the name doesn't decide.

    A ``.txt`` is plain text, unless it is clearly a web page or begins with front matter.
    """
    kind_by_name = _KIND_BY_SUFFIX.get(PurePath(path).suffix.lower())
    if kind_by_name in {"markdown", "html"}:
        return kind_by_name
    if _FRONT_MATTER_START.match(text):
        return "markdown"
    if _PAGE_START.match(text):
        return "html"
    if kind_by_name == "text":
        return "text"
    if _FRAGMENT_START.match(text):
        return "html"
    return "markdown" if _MARKDOWN_SYNTAX.search(text) else "text"


def is_table(text: str, path: str) -> bool:
    """Return whether a source is a table, such as a list of readers with an address in each row."""
    if PurePath(path).suffix.lower() in _TABLE_SUFFIXES:
        return True
    first, *others = [line for line in text[:100_000].split("\n") if line.strip()] or [""]
    lines = others[:_CHECKED_LINES] or [first]
    return all(map(_ADDRESS_CELL.search, lines))


def is_export(text: str) -> bool:
    """Return whether a source is an export of many posts, or a feed."""
    return _EXPORT.match(text) is not None
