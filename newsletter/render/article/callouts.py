"""Give callouts a glyph, and a title in the language of the issue.

Kinds must differ without colour and without images, and a screen reader should say each once. So
the glyph is a character, hidden from screen readers if the title is the kind's own name; beside
a title of the author's, it is labelled with that name. The characters are in the system fonts of
Windows, macOS, Android and Linux; none has an emoji form, which clients draw in their own colours.
"""

from collections.abc import Mapping

from newsletter.render.article.dom import (
    Element,
    append_child,
    get_classes,
    get_visible_text,
)

GLYPH_CLASS = "callout-glyph"
_TITLE_CLASS = "callout-title"
_GLYPHS = {
    "note": "\N{BLACK CIRCLE}",
    "tip": "\N{BLACK STAR}",
    "important": "\N{BLACK DIAMOND}",
    "warning": "\N{BLACK UP-POINTING TRIANGLE}",
    "caution": "\N{BLACK SQUARE}",
}


def mark_callouts(root: Element, words: Mapping[str, str]) -> None:
    """Put a glyph before the title of every callout; name its kind.

    Args:
        root: the article; it is changed.
        words: those of the group ``article``; a kind's name is under the kind.
    """
    for callout in root.iter("div"):
        classes = get_classes(callout)
        kind = next((kind for kind in _GLYPHS if f"callout-{kind}" in classes), None)
        if kind is not None and "callout" in classes:
            _mark_title(_find_or_add_title(callout), kind, words[kind])


def _find_or_add_title(callout: Element) -> Element:
    title = next((e for e in callout if _TITLE_CLASS in get_classes(e)), None)
    if title is None:
        title = append_child(callout, "p", class_=_TITLE_CLASS)
        title.tail, callout.text = callout.text, None
        callout.insert(0, title)
    return title


def _mark_title(title: Element, kind: str, name: str) -> None:
    glyph = title.makeelement("span", {"class": GLYPH_CLASS})
    glyph.text = _GLYPHS[kind]
    own_title = get_visible_text(title).strip()
    if own_title.casefold() in {"", kind, name.casefold()}:
        for child in list(title):
            title.remove(child)
        glyph.set("aria-hidden", "true")
        glyph.tail = f"\N{NO-BREAK SPACE}{name}"
    else:
        glyph.set("role", "img")
        glyph.set("aria-label", name)
        glyph.tail = f"\N{NO-BREAK SPACE}{(title.text or '').lstrip()}"
    title.text = None
    title.insert(0, glyph)
