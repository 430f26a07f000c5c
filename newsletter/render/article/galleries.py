"""Several images together become two columns, which a media query can stack on phones."""

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
    """Turn every gallery of the article into a table."""
    done: set[Element] = set()
    around = {e for image in root.iter("img") for e in image.iterancestors()}
    for holder in [e for e in root.iter() if e in around]:
        if holder not in done and _is_gallery(holder):
            done.update(holder.iter())
            replace_element(holder, _build_figure(holder))


def is_gallery_column(element: Element) -> bool:
    """Whether it is one of two cells side by side."""
    return "gallery-cell" in get_classes(element) and element.get("colspan") is None


def _is_gallery(holder: Element) -> bool:
    """Whether ``holder`` is several images, with captions perhaps, and nothing else."""
    named = any("gallery" in name for name in get_classes(holder))
    if not named and holder.tag not in _GALLERY_TAGS:
        return False
    if sum(1 for _ in holder.iter("img")) < COLUMNS:
        return False
    if next(holder.iter(*_NON_GALLERY_TAGS), None) is not None:
        return False
    captions = "".join(get_visible_text(caption) for caption in _find_captions(holder))
    return "".join(get_visible_text(holder).split()) == "".join(captions.split())


def _find_captions(element: Element) -> list[Element]:
    return [
        inner
        for inner in element.iter()
        if inner is not element
        and (inner.tag == "figcaption" or any(n.endswith("caption") for n in get_classes(inner)))
    ]


def _build_figure(holder: Element) -> Element:
    items = [_find_gallery_item(image, holder) for image in list(holder.iter("img"))]
    figure = append_child(holder.makeelement("div"), "figure")
    table = append_child(figure, "table", class_="gallery", role="presentation", width="100%")
    for name in ("border", "cellpadding", "cellspacing"):
        table.set(name, "0")
    rows = [items[at : at + COLUMNS] for at in range(0, len(items), COLUMNS)]
    for pictures in rows:
        row = append_child(table, "tr")
        for picture, captions in pictures:
            cell = append_child(row, "td", class_="gallery-cell", valign="top")
            if len(pictures) < COLUMNS:
                cell.set("colspan", str(COLUMNS))
            else:
                cell.set("width", f"{100 // COLUMNS}%")
            _move_element(picture, cell)
            for caption in captions:
                _move_element(caption, cell, "figcaption")
    for caption in _find_captions(holder):
        _move_element(caption, figure, "figcaption")
    return figure


def _find_gallery_item(image: Element, holder: Element) -> tuple[Element, list[Element]]:
    """An image of a gallery, in its link if it has one, and the captions that are its own."""
    picture = frame = image
    parent = frame.getparent()
    while parent is not None and parent is not holder:
        if sum(1 for _ in parent.iter("img")) > 1:
            break
        frame = parent
        if frame.tag == "a":
            picture = frame
        parent = frame.getparent()
    return picture, _find_captions(frame)


def _move_element(element: Element, parent: Element, tag: str = "") -> None:
    element.tail = None
    element.tag = tag or element.tag
    parent.append(element)
