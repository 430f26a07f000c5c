"""Parse, edit and serialize an article's HTML as an lxml tree."""

import re
from collections.abc import Collection, Iterator

from lxml import etree
from lxml.etree import _Element as Element

__all__ = [
    "BLOCKS",
    "Element",
    "add_class",
    "append_child",
    "drop_classes",
    "drop_element",
    "find_containers",
    "get_classes",
    "get_visible_text",
    "is_blank",
    "is_empty_element",
    "parse_fragment",
    "rename_element",
    "replace_element",
    "serialize_fragment",
    "unwrap_element",
    "wrap_element",
]

BLOCKS = frozenset(
    """
    article aside blockquote caption dd details div dl dt figcaption figure h1 h2 h3 h4 h5 h6 hr li
    ol p pre section summary table tbody td tfoot th thead tr ul
    """.split()
)
# Elements that are visible without any text.
_VISIBLE_TAGS = ("img", "hr", "table", "iframe", "video", "audio")

_INVALID_XML_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
# libxml2 does not know that <source> and <wbr> are void: it would put what follows into them.
_SOURCE_TAG = re.compile(r"""<source(?:\s+[^\s"=>]+="[^"]*")*\s*>""")
_VISIBLE = re.compile("[^\\s\u00ad\u200b-\u200f\u2060\ufeff]")


def parse_fragment(html: str) -> Element:
    """Return the tree of a sanitized fragment, under one ``div``."""
    parser = etree.HTMLParser(remove_comments=True, remove_pis=True)
    clean = _SOURCE_TAG.sub(r"\g<0></source>", _INVALID_XML_CHARACTER.sub("", html))
    clean = clean.replace("<wbr>", "\u200b")
    root = etree.fromstring(f"<html><body><div>{clean}</div></body></html>", parser)
    for pre in root.iter("pre"):
        # HTML Standard: a line break right after <pre> is not content.
        pre.text = (pre.text or "").removeprefix("\n") or None
    return root[0][0]


def serialize_fragment(root: Element) -> str:
    """Return the HTML of ``root``'s content, without ``root``; deterministic."""
    for pre in root.iter("pre"):
        if pre.text and pre.text.startswith("\n"):
            pre.text = "\n" + pre.text
    html = etree.tostring(root, method="html", encoding="unicode", with_tail=False)
    return html.partition(">")[2].removesuffix("</div>").strip()


def get_classes(element: Element) -> list[str]:
    """Return the class names of an element."""
    return (element.get("class") or "").split()


def get_visible_text(element: Element) -> str:
    """Return all text of an element, with a space where a block begins or ends."""
    return "".join(_iter_visible_text(element))


def _iter_visible_text(root: Element) -> Iterator[str]:
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if element.tag in BLOCKS or element.tag == "br":
            yield " "
        if event == "start":
            yield element.text or ""
        elif element is not root:
            yield element.tail or ""


def is_blank(text: str | None) -> bool:
    """Return whether ``text`` has no visible character."""
    return not text or not _VISIBLE.search(text)


def is_empty_element(element: Element) -> bool:
    """Return whether an element shows nothing."""
    return (
        is_blank(element.text)
        and next(element.iter(*_VISIBLE_TAGS), None) is None
        and is_blank(get_visible_text(element))
    )


def find_containers(root: Element) -> set[Element]:
    """Return the elements that have a block among their descendants."""
    found: set[Element] = set()
    for element in root.iter(*BLOCKS):
        for ancestor in element.iterancestors():
            if ancestor in found:
                break
            found.add(ancestor)
    return found


def append_child(parent: Element, tag: str, text: str = "", **attributes: str) -> Element:
    """Append a new element to ``parent`` and return it; write ``class_`` for ``class``."""
    named = {name.rstrip("_"): value for name, value in attributes.items()}
    element = etree.SubElement(parent, tag, named)
    element.text = text or None
    return element


def drop_element(element: Element) -> None:
    """Remove an element with its content; the text after it stays."""
    parent = element.getparent()
    if parent is None:
        return
    _append_text_before(element, element.tail)
    element.tail = None
    parent.remove(element)


def unwrap_element(element: Element) -> None:
    """Remove an element; its content stays in its place."""
    parent = element.getparent()
    if parent is None:
        return
    _append_text_before(element, element.text)
    element.text = None
    for child in list(element):  # not parent.insert(), for which lxml counts all siblings
        element.addprevious(child)
    drop_element(element)


def replace_element(element: Element, replacement: Element) -> None:
    """Replace ``element`` and its content by ``replacement``; the text after it stays."""
    parent = element.getparent()
    if parent is None:
        return
    replacement.tail, element.tail = element.tail, None
    parent.replace(element, replacement)


def rename_element(element: Element, tag: str, class_name: str = "") -> None:
    """Change an element's tag; add ``class_name`` if it is given."""
    element.tag = tag
    if class_name:
        add_class(element, class_name)


def add_class(element: Element, class_name: str) -> None:
    """Put ``class_name`` first among an element's classes."""
    names = [class_name, *(other for other in get_classes(element) if other != class_name)]
    element.set("class", " ".join(names))


def drop_classes(element: Element, class_names: Collection[str]) -> None:
    """Remove classes of an element."""
    names = get_classes(element)
    kept = [name for name in names if name not in class_names]
    if kept:
        element.set("class", " ".join(kept))
    elif names:
        del element.attrib["class"]


def wrap_element(element: Element, tag: str, **attributes: str) -> Element:
    """Put a new element around ``element`` and return the new one."""
    wrapper = append_child(etree.Element("div"), tag, **attributes)
    replace_element(element, wrapper)
    wrapper.append(element)
    return wrapper


def _append_text_before(element: Element, text: str | None) -> None:
    """Append ``text`` to the text right before ``element``."""
    parent, previous = element.getparent(), element.getprevious()
    if previous is not None:
        previous.tail = (previous.tail or "") + (text or "") or None
    elif parent is not None:
        parent.text = (parent.text or "") + (text or "") or None
