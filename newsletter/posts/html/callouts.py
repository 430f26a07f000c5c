"""Markdown plugin for callouts in both syntaxes, and for galleries.

``> [!NOTE]`` (GitHub) and ``::: note Title`` … ``:::`` both become::

    <div class="callout callout-note"><p class="callout-title">Note</p> … </div>

``::: gallery`` around images becomes ``<div class="gallery">``.
"""

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.container import container_plugin

CALLOUT_KINDS = frozenset({"note", "tip", "important", "warning", "caution"})


def callouts_plugin(md: MarkdownIt) -> None:
    """Add both callout syntaxes and galleries to a parser."""
    md.options["alerts"] = True
    container_plugin(
        md,
        "callout",
        validate=lambda params, _: (params.split() or [""])[0].lower() in CALLOUT_KINDS,
    )
    container_plugin(md, "gallery")
    md.core.ruler.after("block", "callouts", _normalize_callouts)


def _normalize_callouts(state: StateCore) -> None:
    tokens: list[Token] = []
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
            tokens += _build_title_tokens(title[0] if title else kind.capitalize())
    state.tokens = tokens


def _build_classes(kind: str, token: Token) -> str:
    classes = str(token.attrs.get("class", "")).split()
    classes = [name for name in classes if not name.startswith("markdown-alert")]
    return " ".join(("callout", f"callout-{kind}", *classes))


def _build_title_tokens(text: str) -> list[Token]:
    return [
        Token("paragraph_open", "p", 1, attrs={"class": "callout-title"}, block=True),
        Token("inline", "", 0, content=text, children=[], block=True),
        Token("paragraph_close", "p", -1, block=True),
    ]
