"""An article's HTML as a tree: read, cut, joined, written."""

import re
from collections.abc import Iterator

from lxml import etree
from lxml.etree import _Element as Element

__all__ = [
    "BLOCKS",
    "Element",
    "add_class",
    "append_child",
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
    """.split()  # noqa: SIM905 - a list of words reads best as words
)
# What is seen without a word in it.
_VISIBLE_TAGS = ("img", "hr", "table", "iframe", "video", "audio")

_INVALID_XML_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
# libxml2 does not know that <source> and <wbr> are void: what follows would be put into them.
_SOURCE_TAG = re.compile(r"""<source(?:\s+[^\s"=>]+="[^"]*")*\s*>""")
_VISIBLE = re.compile("[^\\s\u00ad\u200b-\u200f\u2060\ufeff]")


def parse_fragment(html: str) -> Element:
    """The tree of a sanitised fragment, under one ``div``."""
    parser = etree.HTMLParser(remove_comments=True, remove_pis=True)
    clean = _SOURCE_TAG.sub(r"\g<0></source>", _INVALID_XML_CHARACTER.sub("", html))
    clean = clean.replace("<wbr>", "\u200b")
    root = etree.fromstring(f"<html><body><div>{clean}</div></body></html>", parser)
    for pre in root.iter("pre"):
        # HTML Standard: a line break right after <pre> is not content.
        pre.text = (pre.text or "").removeprefix("\n") or None
    return root[0][0]


def serialize_fragment(root: Element) -> str:
    """The HTML of what is in ``root``, without ``root``; the same tree gives the same text."""
    for pre in root.iter("pre"):
        if pre.text and pre.text.startswith("\n"):
            pre.text = "\n" + pre.text
    html = etree.tostring(root, method="html", encoding="unicode", with_tail=False)
    return html.partition(">")[2].removesuffix("</div>").strip()


def get_classes(element: Element) -> list[str]:
    """The names in its ``class``."""
    return (element.get("class") or "").split()


def get_visible_text(element: Element) -> str:
    """All its text, with a space where a block begins or ends."""
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
    """Whether nothing in ``text`` can be seen."""
    return not text or not _VISIBLE.search(text)


def is_empty_element(element: Element) -> bool:
    """Whether a reader would see nothing of it."""
    return (
        is_blank(element.text)
        and next(element.iter(*_VISIBLE_TAGS), None) is None
        and is_blank(get_visible_text(element))
    )


def find_containers(root: Element) -> set[Element]:
    """The elements that have a block somewhere inside."""
    found: set[Element] = set()
    for element in root.iter(*BLOCKS):
        for ancestor in element.iterancestors():
            if ancestor in found:
                break
            found.add(ancestor)
    return found


def append_child(parent: Element, tag: str, text: str = "", **attributes: str) -> Element:
    """Append a new element; ``class_`` stands for ``class``."""
    named = {name.rstrip("_"): value for name, value in attributes.items()}
    element = etree.SubElement(parent, tag, named)
    element.text = text or None
    return element


def drop_element(element: Element) -> None:
    """Take an element out with all in it; the text after it stays."""
    parent = element.getparent()
    if parent is None:
        return
    _append_text_before(element, element.tail)
    element.tail = None
    parent.remove(element)


def unwrap_element(element: Element) -> None:
    """Take an element out; what is in it stays in its place."""
    parent = element.getparent()
    if parent is None:
        return
    _append_text_before(element, element.text)
    element.text = None
    at = parent.index(element)
    for offset, inner in enumerate(list(element)):
        parent.insert(at + offset, inner)
    drop_element(element)


def replace_element(element: Element, replacement: Element) -> None:
    """Put ``by`` in the place of ``element``, which leaves with all in it."""
    parent = element.getparent()
    if parent is None:
        return
    replacement.tail, element.tail = element.tail, None
    parent.replace(element, replacement)


def rename_element(element: Element, tag: str, class_name: str = "") -> None:
    """Make it another element, with one more class if ``name`` is given."""
    element.tag = tag
    if class_name:
        add_class(element, class_name)


def add_class(element: Element, class_name: str) -> None:
    """Put ``name`` first among its classes."""
    names = [class_name, *(other for other in get_classes(element) if other != class_name)]
    element.set("class", " ".join(names))


def wrap_element(element: Element, tag: str, **attributes: str) -> Element:
    """Put a new element around ``element``; returns the new one."""
    outer = append_child(etree.Element("div"), tag, **attributes)
    replace_element(element, outer)
    outer.append(element)
    return outer


def _append_text_before(element: Element, text: str | None) -> None:
    """Add ``text`` to what stands before ``element``."""
    parent, before = element.getparent(), element.getprevious()
    if before is not None:
        before.tail = (before.tail or "") + (text or "") or None
    elif parent is not None:
        parent.text = (parent.text or "") + (text or "") or None
