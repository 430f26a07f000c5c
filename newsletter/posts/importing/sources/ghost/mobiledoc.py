"""Render mobiledoc, the format of Ghost's editor up to version 4, as HTML.

Source: github.com/bustle/mobiledoc-kit, MOBILEDOC.md (version 0.3).
"""

import html
from collections.abc import Iterator
from typing import Any

from newsletter.errors import PostError
from newsletter.posts.importing.sources.ghost.cards import CardRenderer, get_string

_MARKUP, _IMAGE, _LIST, _CARD = 1, 2, 3, 10
_SECTION_TAGS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pull-quote"})
_INLINE_TAGS = frozenset(
    {"b", "code", "del", "em", "i", "mark", "s", "strike", "strong", "sub", "sup", "u"}
)
_OTHER_TAGS = {"pull-quote": "blockquote", "aside": "blockquote"}


def render_mobiledoc(document: object, cards: CardRenderer) -> str:
    """Return the HTML of a document, parsed from JSON.

    Raises:
        PostError: it isn't mobiledoc.
    """
    if not isinstance(document, dict) or not isinstance(document.get("sections"), list):
        raise PostError("its text is not in the format that Ghost writes (mobiledoc)")
    renderer = _Renderer(document, cards)
    return "".join(renderer.render_section(section) for section in document["sections"])


class _Renderer:
    """The tables of one document, to which its sections refer by index."""

    def __init__(self, document: dict[str, Any], cards: CardRenderer) -> None:
        self._markups = _list_items(document.get("markups"))
        self._atoms = _list_items(document.get("atoms"))
        self._cards = _list_items(document.get("cards"))
        self._renderer = cards

    def render_section(self, section: object) -> str:
        parts = section if isinstance(section, list) else []
        kind, first, second = (*parts, None, None, None)[:3]
        if kind == _CARD:
            return self._render_card(first)
        if kind == _IMAGE:
            return self._renderer.render("image", {"src": first})
        tag = first.lower() if isinstance(first, str) else "p"
        if kind == _LIST:
            name = "ol" if tag == "ol" else "ul"
            items = (f"<li>{self._render_markers(item)}</li>" for item in _list_items(second))
            return f"<{name}>{''.join(items)}</{name}>"
        if kind != _MARKUP:
            return ""
        tag = _OTHER_TAGS.get(tag, tag if tag in _SECTION_TAGS else "p")
        inside = self._render_markers(second)
        return f"<{tag}>{inside}</{tag}>" if inside else ""

    def _render_card(self, index: object) -> str:
        name, payload = (*_list_items(_get_item(self._cards, index)), None, None)[:2]
        if not isinstance(name, str):
            return ""
        return self._renderer.render(name, payload if isinstance(payload, dict) else {})

    def _render_markers(self, markers: object) -> str:
        """Render text with its markups; what is open at the end is closed."""
        open_tags: list[str] = []
        parts: list[str] = []
        for marker in _list_items(markers):
            kind, opened, closed_count, value = (*_list_items(marker), 0, None, 0, "")[:4]
            for index in _list_items(opened):
                start, end = self._render_markup(index)
                parts.append(start)
                open_tags.append(end)
            parts.append(self._render_atom(value) if kind == 1 else _escape(value))
            count = max(closed_count, 0) if isinstance(closed_count, int) else 0
            parts += (open_tags.pop() for _ in range(min(count, len(open_tags))))
        parts += reversed(open_tags)
        return "".join(parts)

    def _render_markup(self, index: object) -> tuple[str, str]:
        name, attributes = (*_list_items(_get_item(self._markups, index)), "", None)[:2]
        if name == "a":
            pairs = dict(_iter_pairs(_list_items(attributes)))
            url = html.escape(get_string(pairs, "href"))
            return (f'<a href="{url}">', "</a>") if url else ("", "")
        return (f"<{name}>", f"</{name}>") if name in _INLINE_TAGS else ("", "")

    def _render_atom(self, index: object) -> str:
        name, text = (*_list_items(_get_item(self._atoms, index)), "", "")[:2]
        return "<br>" if name == "soft-return" else _escape(text)


def _list_items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _get_item(items: list[Any], index: object) -> object:
    is_index = isinstance(index, int) and not isinstance(index, bool) and 0 <= index < len(items)
    return items[index] if is_index and isinstance(index, int) else None


def _iter_pairs(values: list[Any]) -> Iterator[tuple[str, Any]]:
    for key, value in zip(values[::2], values[1::2], strict=False):
        if isinstance(key, str):
            yield key, value


def _escape(value: object) -> str:
    return html.escape(value, quote=False) if isinstance(value, str) else ""
