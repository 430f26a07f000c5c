"""Normalize footnotes, and the marks that link to them."""

import re

from lxml import etree

from newsletter.render.article.dom import (
    Element,
    add_class,
    append_child,
    drop_element,
    get_classes,
    get_visible_text,
    is_blank,
    wrap_element,
)

_FOOTNOTE_CLASSES = frozenset({"footnotes", "wp-block-footnotes"})
_MARK = re.compile(r"\s*\[?(\d{1,3})\]?\s*")
_RAISED_TAGS = ("sup", "sub")
_CODE_TAGS = ("pre", "code")  # where every character counts


def normalize_footnotes(root: Element) -> None:
    """Give footnotes of any tool the classes and the form of our own."""
    _collect_single_notes(root)
    notes = next((e for e in root.iter() if _FOOTNOTE_CLASSES.intersection(get_classes(e))), None)
    anchors = {e.get("id"): e for e in root.iter() if e.get("id")}
    for link in list(root.iter("a")):
        if notes is None or notes not in link.iterancestors():
            _raise_mark(link, anchors)
    if notes is None:
        return
    if notes.tag in {"ol", "ul"}:
        notes = wrap_element(notes, "div")
    add_class(notes, "footnotes")
    previous = notes.getprevious()
    if previous is None or previous.tag != "hr":
        rule = notes.makeelement("hr", {"class": "footnotes-sep"})
        notes.addprevious(rule)
    targets = {f"#{e.get('id')}" for e in notes.iter() if e.get("id")}
    for link in root.iter("a"):
        href = link.get("href") or ""
        if href in targets:
            add_class(link, "footnote-link")
        elif href.startswith("#") and notes in link.iterancestors():
            add_class(link, "footnote-backref")


def serialize_trailing_footnotes(root: Element) -> str:
    """Return the HTML of the footnotes and the rule above them, if they end the article."""
    if len(root) == 0 or "footnotes" not in get_classes(root[-1]) or not is_blank(root[-1].tail):
        return ""
    rule = root[-1].getprevious()
    has_rule = rule is not None and "footnotes-sep" in get_classes(rule) and is_blank(rule.tail)
    parts = [rule, root[-1]] if has_rule else [root[-1]]
    return "".join(
        etree.tostring(part, method="html", encoding="unicode")
        for part in parts
        if part is not None
    ).rstrip()


def _collect_single_notes(root: Element) -> None:
    """Turn Substack's ``<div class="footnote">`` of each note into items of one list."""
    single_notes = [e for e in root.iter("div") if "footnote" in get_classes(e)]
    numbers = [
        next((a for a in e if "footnote-number" in get_classes(a)), None) for e in single_notes
    ]
    if not single_notes or None in numbers:
        return
    section = append_child(root.makeelement("div"), "div", class_="footnotes")
    items = append_child(section, "ol")
    single_notes[0].addprevious(section)
    for note, number in zip(single_notes, numbers, strict=True):
        assert number is not None
        item = append_child(items, "li", id=number.get("id") or "")
        value = _MARK.fullmatch(get_visible_text(number))
        if value:
            item.set("value", value[1])
        back_link = append_child(
            item.makeelement("div"), "a", "\u21a9\ufe0e", href=number.get("href") or "#"
        )
        drop_element(number)
        item.extend(list(note))
        paragraphs = list(item.iter("p"))
        target = paragraphs[-1] if paragraphs else item
        if len(target):
            target[-1].tail = (target[-1].tail or "").rstrip() + " "
        else:
            target.text = (target.text or "").rstrip() + " "
        target.append(back_link)
        item.text = (note.text or "") + (item.text or "") or None
        drop_element(note)


def _raise_mark(link: Element, anchors: dict[str | None, Element]) -> None:
    """Raise a footnote's number that would read as a part of the word before it."""
    found = _MARK.fullmatch(get_visible_text(link))
    href = link.get("href") or ""
    if not found or not href.startswith("#") or len(link) > 0:
        return
    is_anchor = any("footnote" in name for name in get_classes(link))
    if not is_anchor and (href[1:] not in anchors or not _follows_word(link)):
        return
    if next(link.iterancestors(*_RAISED_TAGS, *_CODE_TAGS), None) is not None:
        return
    link.text = f"[{found[1]}]"
    wrap_element(link, "sup", class_="footnote-ref")


def _follows_word(link: Element) -> bool:
    previous, parent = link.getprevious(), link.getparent()
    if previous is not None:
        before = previous.tail or get_visible_text(previous)
    else:
        before = (parent.text if parent is not None else "") or ""
    return not is_blank(before[-1:])
