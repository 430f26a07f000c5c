"""Set attributes on the elements of an HTML tree that match a CSS selector."""

from typing import NamedTuple

from lxml import etree


class HtmlAttribute(NamedTuple):
    """An attribute of all elements that match a selector, as ``<mj-html-attributes>`` sets it.

    Attributes:
        selector: a CSS selector.
        name: the attribute's name.
        value: its value.
    """

    selector: str
    name: str
    value: str


def is_css_selector(text: str) -> bool:
    """Return whether ``text`` is a CSS selector that can be searched for."""
    from cssselect import SelectorError  # late: only few templates have selectors
    from lxml.cssselect import CSSSelector

    try:
        CSSSelector(text)
    except SelectorError:
        return False
    return True


def set_html_attributes(tree: etree._Element, attributes: tuple[HtmlAttribute, ...]) -> None:
    """Set each attribute on the elements of ``tree`` that its selector matches."""
    if not attributes:
        return
    from lxml.cssselect import CSSSelector

    for attribute in attributes:
        elements: list[etree._Element] = CSSSelector(attribute.selector)(tree)  # type: ignore[assignment]
        for element in elements:
            element.set(attribute.name, attribute.value)
