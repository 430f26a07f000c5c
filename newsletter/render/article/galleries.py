"""Lay out galleries in two columns, which can be stacked on phones."""

from newsletter.render.article.dom import (
    Element,
    append_child,
    get_classes,
    get_visible_text,
    replace_element,
)

COLUMNS = 2
GAP = 16  # CSS pixels between the columns

_GALLERY_TAGS = frozenset({"p", "figure"})
_NON_GALLERY_TAGS = ("table", "pre", "iframe", "video", "audio", "blockquote")


def build_galleries(root: Element) -> None:
    """Replace every gallery of the article by a table."""
    done: set[Element] = set()
    ancestors = {e for image in root.iter("img") for e in image.iterancestors()}
    for container in [e for e in root.iter() if e in ancestors]:
        if container not in done and _is_gallery(container):
            done.update(container.iter())
            replace_element(container, _build_figure(container))


def is_gallery_column(element: Element) -> bool:
    """Return whether an element is one of two cells side by side."""
    return "gallery-cell" in get_classes(element) and element.get("colspan") is None


def _is_gallery(container: Element) -> bool:
    """Return whether ``container`` has several images, perhaps with captions, and nothing else."""
    has_gallery_class = any("gallery" in name for name in get_classes(container))
    if not has_gallery_class and container.tag not in _GALLERY_TAGS:
        return False
    if sum(1 for _ in container.iter("img")) < COLUMNS:
        return False
    if next(container.iter(*_NON_GALLERY_TAGS), None) is not None:
        return False
    captions = "".join(get_visible_text(caption) for caption in _find_captions(container))
    return "".join(get_visible_text(container).split()) == "".join(captions.split())


def _find_captions(element: Element) -> list[Element]:
    return [
        descendant
        for descendant in element.iter()
        if descendant is not element
        and (
            descendant.tag == "figcaption"
            or any(n.endswith("caption") for n in get_classes(descendant))
        )
    ]


def _build_figure(container: Element) -> Element:
    items = [_find_gallery_item(image, container) for image in list(container.iter("img"))]
    figure = append_child(container.makeelement("div"), "figure")
    table = append_child(figure, "table", class_="gallery", role="presentation", width="100%")
    for name in ("border", "cellpadding", "cellspacing"):
        table.set(name, "0")
    rows = [items[start : start + COLUMNS] for start in range(0, len(items), COLUMNS)]
    for row_items in rows:
        row = append_child(table, "tr")
        for picture, link, captions in row_items:
            cell = append_child(row, "td", class_="gallery-cell", valign="top")
            if len(row_items) < COLUMNS:
                cell.set("colspan", str(COLUMNS))
            else:
                cell.set("width", f"{100 // COLUMNS}%")
            place = cell
            if link is not None:
                place = append_child(cell, "a", href=link.get("href", ""))
            _move_element(picture, place)
            for caption in captions:
                _move_element(caption, cell, "figcaption")
    for caption in _find_captions(container):
        _move_element(caption, figure, "figcaption")
    return figure


def _find_gallery_item(
    image: Element, container: Element
) -> tuple[Element, Element | None, list[Element]]:
    """Return an image of a gallery, in its own link if it has one, and its own captions.

    The second value is the link around this image and others.
    """
    picture = frame = image
    parent = frame.getparent()
    while parent is not None and parent is not container:
        if sum(1 for _ in parent.iter("img")) > 1:
            break
        frame = parent
        if frame.tag == "a":
            picture = frame
        parent = frame.getparent()
    link = None
    while picture is image and parent is not None and parent is not container:
        link = parent if parent.tag == "a" else link
        parent = parent.getparent()
    return picture, link, _find_captions(frame)


def _move_element(element: Element, parent: Element, tag: str = "") -> None:
    element.tail = None
    element.tag = tag or element.tag
    parent.append(element)
