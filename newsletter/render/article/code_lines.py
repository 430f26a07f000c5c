"""Mark the lines of code blocks, so that a phone can indent what it wraps.

The lines stay in ``pre`` with their line breaks: a client without media queries shows them as
before, and copied code is as it was.
"""

from newsletter.render.article.dom import Element

LINE_CLASS = "line"
# Columns that fit on a phone of 320 CSS pixels at 14 pixels; shorter code isn't marked.
_PHONE_COLUMNS = 30


def mark_code_lines(root: Element) -> None:
    """Put each line of every code block that a phone would wrap into a ``span``."""
    for pre in list(root.iter("pre")):
        lines = "".join(map(str, pre.itertext())).split("\n")
        if max(map(len, lines)) > _PHONE_COLUMNS and next(pre.iter("br", "div", "p"), None) is None:
            _mark_lines(pre[0] if _is_code_alone(pre) else pre)


def _is_code_alone(pre: Element) -> bool:
    return len(pre) == 1 and pre[0].tag == "code" and not pre.text and not pre[0].tail


def _mark_lines(code: Element) -> None:
    lines = _split_lines(code)
    code.text = None
    for child in list(code):
        code.remove(child)
    for line in lines:
        if line.text or len(line):
            line.tag = "span"
            line.attrib.clear()
            line.set("class", LINE_CLASS)
            code.append(line)


def _split_lines(element: Element) -> list[Element]:
    """Return an element as one copy a line, each with its line break."""
    lines = [_copy_empty(element)]
    _add_text(lines, element.text or "")
    for child in element:
        first, *others = _split_lines(child)
        lines[-1].append(first)
        for part in others:
            lines.append(_start_line(lines[0]))
            lines[-1].append(part)
        _add_text(lines, child.tail or "")
    return lines


def _add_text(lines: list[Element], text: str) -> None:
    """Append text to the last line; what follows a line break begins another one."""
    first, *others = text.split("\n")
    _append_text(lines[-1], first)
    for part in others:
        _append_text(lines[-1], "\n")
        lines.append(_start_line(lines[0]))
        _append_text(lines[-1], part)


def _start_line(first_line: Element) -> Element:
    line = _copy_empty(first_line)
    line.attrib.pop("id", "")
    return line


def _copy_empty(element: Element) -> Element:
    attributes = {str(name): str(value) for name, value in element.attrib.items()}
    return element.makeelement(str(element.tag), attributes)


def _append_text(element: Element, text: str) -> None:
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text or None
