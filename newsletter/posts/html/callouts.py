"""Markdown plugins for callouts in both syntaxes, and for other containers.

``> [!NOTE]`` (GitHub) and ``::: note Title`` … ``:::`` both become::

    <div class="callout callout-note"><p class="callout-title">Note</p> … </div>

``::: gallery`` around images becomes ``<div class="gallery">``, ``::: pullquote`` a
``<blockquote class="pullquote">``, ``::: reply`` a ``<div class="reply-invitation">`` and
``::: sponsor Name`` a ``<div class="sponsor">`` that begins with a ``<p class="sponsor-name">``.

``::: latest 3`` becomes ``<div class="latest-issues latest-issues-3">`` around what is in it: the
place of the latest issues, in an email that may have them.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.container import container_plugin

from newsletter.errors import Location, PostError

LATEST_CLASS = "latest-issues"
DEFAULT_LATEST_COUNT = 3
MAX_LATEST_COUNT = 10
_LATEST_INFO = re.compile(r"latest(?:\s+(?P<count>[0-9]{1,2}))?")

CALLOUT_KINDS = frozenset({"note", "tip", "important", "warning", "caution"})
# The names that other tools have for them.
CALLOUT_KIND_BY_NAME: Mapping[str, str] = {
    **dict.fromkeys(
        ("note", "info", "notice", "information", "primary", "secondary", "question", "example",
         "abstract", "summary", "message", "aside", "callout", "admonition", "alert"),
        "note",
    ),
    **dict.fromkeys(("tip", "success", "hint", "check", "done", "protip"), "tip"),
    "important": "important",
    **dict.fromkeys(("warning", "warn", "attention"), "warning"),
    **dict.fromkeys(("danger", "error", "caution", "bug", "failure"), "caution"),
}  # fmt: skip


class _Container(NamedTuple):
    """What a container becomes; ``title_class`` is for the words after its name."""

    tag: str
    class_name: str
    title_class: str = ""


_CONTAINERS = {
    "gallery": _Container("div", "gallery", "caption"),
    "pullquote": _Container("blockquote", "pullquote"),
    "reply": _Container("div", "reply-invitation"),
    "sponsor": _Container("div", "sponsor", "sponsor-name"),
}
# All that may follow ``:::`` in a post, or in one that is to be imported, without being text.
CONTAINER_NAMES = frozenset({*CALLOUT_KINDS, *CALLOUT_KIND_BY_NAME, *_CONTAINERS, "latest"})


def callouts_plugin(md: MarkdownIt) -> None:
    """Add both callout syntaxes and the other containers to a parser."""
    md.options["alerts"] = True
    container_plugin(md, "callout", validate=lambda info, _: _get_name(info) in CALLOUT_KINDS)
    container_plugin(md, "block", validate=lambda info, _: _get_name(info) in _CONTAINERS)
    md.core.ruler.after("block", "callouts", _normalize_callouts)


def latest_issues_plugin(md: MarkdownIt) -> None:
    """Add the block of the latest issues to a parser.

    Its environment has the ``path`` and the ``first_line`` of the text, for messages.
    """
    container_plugin(md, "latest")
    md.core.ruler.after("block", "latest_issues", _normalize_latest_issues)


def _normalize_latest_issues(state: StateCore) -> None:
    lines = state.src.split("\n")
    for token in state.tokens:
        if token.type != "container_latest_open" or token.map is None:
            continue
        first, last = token.map
        where = Location(state.env["path"], state.env["first_line"] + first)
        if last >= len(lines) or not lines[last].lstrip().startswith(token.markup):
            raise PostError(
                "'::: latest' is never closed",
                where=where,
                remedy="Add a line with only ::: below it; what is between the two is shown above "
                "the issues.",
            )
        info = _LATEST_INFO.fullmatch(token.info.strip())
        count = int(info["count"] or DEFAULT_LATEST_COUNT) if info else 0
        if not 1 <= count <= MAX_LATEST_COUNT:
            raise PostError(
                f"'::: {token.info.strip()}' must name a number of issues from 1 to "
                f"{MAX_LATEST_COUNT}",
                where=where,
                remedy="Example: ::: latest 3",
            )
        token.type = "latest_open"  # so that the container's own rule adds no class
        token.attrs["class"] = f"{LATEST_CLASS} {LATEST_CLASS}-{count}"


def _normalize_callouts(state: StateCore) -> None:
    tokens: list[Token] = []
    open_tags: list[str] = []
    for token in state.tokens:
        tokens.append(token)
        if token.type == "alert_open":
            token.attrs["class"] = _build_classes(token.info.lower(), token)
        elif token.type == "alert_title_open":
            token.attrs["class"] = "callout-title"
        elif token.type == "container_callout_open":
            kind, *title = token.info.strip().split(maxsplit=1)
            token.type = "callout_open"  # so that the container's own rule adds no class
            token.attrs["class"] = _build_classes(kind.lower(), token)
            title_text = title[0] if title else kind.capitalize()
            tokens += _build_paragraph_tokens(title_text, "callout-title")
        elif token.type == "container_block_open":
            tokens += _open_container(token)
            open_tags.append(token.tag)
        elif token.type == "container_block_close":
            token.type, token.tag = "block_close", open_tags.pop()
    state.tokens = tokens


def _get_name(info: str) -> str:
    return (info.split() or [""])[0].lower()


def _open_container(token: Token) -> list[Token]:
    """Give a container its element and class; return the tokens of the words after its name."""
    name, *title = token.info.strip().split(maxsplit=1)
    container = _CONTAINERS[name.lower()]
    token.type, token.tag = "block_open", container.tag
    token.attrs["class"] = " ".join(
        (container.class_name, *str(token.attrs.get("class", "")).split())
    )
    return _build_paragraph_tokens(title[0], container.title_class) if title else []


def _build_classes(kind: str, token: Token) -> str:
    classes = str(token.attrs.get("class", "")).split()
    classes = [name for name in classes if not name.startswith("markdown-alert")]
    return " ".join(("callout", f"callout-{kind}", *classes))


def _build_paragraph_tokens(text: str, class_name: str) -> list[Token]:
    opening = Token("paragraph_open", "p", 1, block=True)
    if class_name:
        opening.attrs["class"] = class_name
    return [
        opening,
        Token("inline", "", 0, content=text, children=[], block=True),
        Token("paragraph_close", "p", -1, block=True),
    ]
