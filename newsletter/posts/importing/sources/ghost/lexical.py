"""Render Lexical, the format of Ghost's editor since version 5, as HTML."""

import html
from collections.abc import Iterable, Mapping
from typing import Any

from newsletter.errors import PostError
from newsletter.posts.importing.sources.ghost.cards import (
    CARD_NAMES,
    CardRenderer,
    Payload,
    get_string,
)

# The bits of a text's format: LexicalConstants.ts of facebook/lexical.
_FORMATS = (
    (1, "strong"), (2, "em"), (4, "s"), (8, "u"), (16, "code"), (32, "sub"), (64, "sup"),
    (128, "mark"),
)  # fmt: skip
_BLOCKS = {
    "paragraph": "p",
    "quote": "blockquote",
    "extended-quote": "blockquote",
    "aside": "blockquote",
}
_BREAKS = {"linebreak": "<br>", "tab": "\t"}
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_MAX_DEPTH = 60
_BOXES = {True: "\u2611 ", False: "\u2610 "}


def render_lexical(state: object, cards: CardRenderer) -> str:
    """Return the HTML of an editor's state, parsed from JSON.

    Raises:
        PostError: it isn't Lexical, or nests too deeply.
    """
    root = state.get("root") if isinstance(state, Mapping) else None
    if not isinstance(root, Mapping):
        raise PostError("its text is not in the format that Ghost writes (Lexical)")
    return _render_children(root, cards, 0)


def _render_children(node: Payload, cards: CardRenderer, depth: int) -> str:
    if depth > _MAX_DEPTH:
        raise PostError("its text nests too deeply")
    return "".join(_render_node(child, cards, depth + 1) for child in _list_children(node))


def _list_children(node: Payload) -> list[Mapping[str, Any]]:
    children = node.get("children")
    if not isinstance(children, list):
        return []
    return [child for child in children if isinstance(child, Mapping)]


def _render_node(node: Payload, cards: CardRenderer, depth: int) -> str:
    node_type = get_string(node, "type")
    if node_type in CARD_NAMES:
        return cards.render(node_type, node)
    is_inline = depth > 1 and isinstance(node.get("text"), str)
    if node_type in {"text", "extended-text", "tk"} or is_inline:
        return _render_text(node)
    if node_type in _BREAKS:
        return _BREAKS[node_type]
    if node_type == "list":
        return _render_list(node, cards, depth)
    return _render_element(node, node_type, cards, depth)


def _render_element(node: Payload, node_type: str, cards: CardRenderer, depth: int) -> str:
    """Render a block or a link; what is unknown and has nothing inside is a card."""
    tag = _BLOCKS.get(node_type, "")
    if node_type in {"heading", "extended-heading"}:
        name = get_string(node, "tag")
        tag = name if name in _HEADINGS else "h2"
    if not tag and not _list_children(node):
        return cards.render(node_type or "?", {k: v for k, v in node.items() if k != "type"})
    inside = _render_children(node, cards, depth)
    url = html.escape(get_string(node, "url"))
    if node_type in {"link", "autolink", "at-link"} and url:
        return f'<a href="{url}">{inside}</a>'
    return f"<{tag}>{inside}</{tag}>" if tag else inside


def _render_text(node: Payload) -> str:
    text = html.escape(get_string(node, "text"), quote=False)
    bits = node.get("format")
    if isinstance(bits, int) and text.strip():
        for bit, tag in _FORMATS:
            text = f"<{tag}>{text}</{tag}>" if bits & bit else text
    return text


def _render_list(node: Payload, cards: CardRenderer, depth: int) -> str:
    """Render a list; one that is alone in an item belongs to the item before it."""
    tag = "ol" if node.get("listType") == "number" or node.get("tag") == "ol" else "ul"
    start = node.get("start")
    attribute = f' start="{start}"' if tag == "ol" and _is_start(start) else ""
    items: list[str] = []
    for item in _list_children(node):
        children = _list_children(item)
        inside = _render_children(item, cards, depth)
        is_nested_list = bool(children) and all(_is_list(child) for child in children)
        if is_nested_list and items:
            items[-1] += inside
            continue
        checked = item.get("checked")
        box = _BOXES[checked] if isinstance(checked, bool) else ""
        items.append(f"<li>{box}{inside}")
    return f"<{tag}{attribute}>{_join_items(items)}</{tag}>"


def _join_items(items: Iterable[str]) -> str:
    return "".join(f"{item}</li>" for item in items)


def _is_list(node: Payload) -> bool:
    return node.get("type") == "list"


def _is_start(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 < value < 1 << 31
