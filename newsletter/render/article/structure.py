"""Normalize tables, details, task lists, widths for mail clients."""

import re

from newsletter.render.article.dom import (
    Element,
    add_class,
    drop_classes,
    drop_element,
    find_containers,
    get_classes,
    get_visible_text,
    is_blank,
    is_empty_element,
    rename_element,
    wrap_element,
)
from newsletter.render.article.footnotes import normalize_footnotes
from newsletter.render.article.headings import HEADING_TAGS, add_heading_ids, number_headings

_SECTION_TAGS = ("article", "aside", "section")
_TASK_BOXES = ("\N{BALLOT BOX}", "\N{BALLOT BOX WITH CHECK}", "\N{BALLOT BOX WITH X}")
# The designs and the web pages hide parts around the article by these, on phones or in print.
_HIDING_CLASSES = frozenset("beside call invitation pages search sign-up skip top".split())
# Styles that could make the email wider than a phone.
_FIXED_WIDTH = re.compile(
    r"(?:(?:min-)?width\s*:[^;%]*|white-space\s*:\s*(?:nowrap|pre))(?:;|$)", re.IGNORECASE
)


def normalize_structure(root: Element) -> list[str]:
    """Normalize the article's blocks for mail clients; return notes for the editor."""
    notes = _note_omitted_drawings(root)
    normalize_footnotes(root)
    for section in root.iter(*_SECTION_TAGS):
        rename_element(section, "div")
    _open_details(root)
    _mark_tasks(root)
    _normalize_tables(root)
    _remove_duplicate_ids(root)
    add_heading_ids(root)
    _remove_fixed_widths(root)
    for element in root.iter("*"):
        if element.get("class"):
            drop_classes(element, _HIDING_CLASSES)
    return notes


def finish_structure(root: Element) -> None:
    """Remove empty elements, once all else is in place, and number headings from h2."""
    for element in reversed(list(root.iter("p", "ul", "ol", *HEADING_TAGS))):
        if is_empty_element(element) and element.get("id") is None:
            drop_element(element)
    number_headings(root)


def _note_omitted_drawings(root: Element) -> list[str]:
    """Return notes on omitted drawings, marked by ``posts.html.normalize.svg_mathml``."""
    drawings = [span for span in root.iter("span") if "left-out" in get_classes(span)]
    return [
        "a drawing (SVG) was left out, since mail clients do not show it: "
        + (f"its label was kept: {label}" if label else "it has no label")
        for label in (get_visible_text(span).strip() for span in drawings)
    ]


def _open_details(root: Element) -> None:
    """Show the content of every ``details``: email can't collapse it."""
    blocks = find_containers(root)
    for details in root.iter("details"):
        details.attrib.pop("open", "")
        rename_element(details, "div", "details")
    for summary in root.iter("summary"):
        if summary in blocks:
            rename_element(summary, "div", "summary")
            continue
        rename_element(summary, "p", "summary")
        strong = summary.makeelement("strong")
        strong.text, summary.text = summary.text, None
        strong.extend(list(summary))
        summary.append(strong)


def _mark_tasks(root: Element) -> None:
    for item in root.iter("li"):
        first = next((e.text for e in item.iter() if not is_blank(e.text)), "")
        if first and first.lstrip().startswith(_TASK_BOXES):
            add_class(item, "task-list-item")
            if (parent := item.getparent()) is not None:
                add_class(parent, "contains-task-list")


def _normalize_tables(root: Element) -> None:
    for table in list(root.iter("table")):
        for heading in table.iter("th"):
            if heading.get("scope") is None:
                row, part = heading.getparent(), next(heading.iterancestors("thead", "table"))
                is_header_row = row is not None and all(cell.tag == "th" for cell in row)
                heading.set("scope", "col" if part.tag == "thead" or is_header_row else "row")
        if next(table.iterancestors("table"), None) is None:
            wrap_element(table, "div", class_="table-scroll", style="overflow-x:auto")


def _remove_duplicate_ids(root: Element) -> None:
    seen: set[str] = set()
    for element in root.iter():
        name = element.get("id")
        if name in seen:
            del element.attrib["id"]
        elif name is not None:
            seen.add(name)


def _remove_fixed_widths(root: Element) -> None:
    """Remove fixed widths, which may exceed a phone's; images are handled elsewhere."""
    for element in root.iter():
        if element.tag in {"img", "pre", "code"}:
            continue
        element.attrib.pop("nowrap", "")
        for name in ("width", "height"):
            if not element.get(name, "%").endswith("%"):
                del element.attrib[name]
        style = element.get("style")
        if style is not None:
            kept = _FIXED_WIDTH.sub("", style)
            if is_blank(kept):
                del element.attrib["style"]
            else:
                element.set("style", kept)
