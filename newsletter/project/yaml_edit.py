"""Change values of a YAML file, and nothing else in it."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from newsletter.config.safe_yaml import YamlError, format_inline, parse_nodes
from newsletter.config.yaml_document import parse_yaml_document

YamlScalar = str | int
SettingPath = tuple[str, ...]
_COMMENT = re.compile(r"([ \t]+)(#[^\r\n]*)?(?=[\r\n]|$)")
# What a text in YAML's double quotes can't hold as it is, and JSON doesn't escape.
_NOT_IN_JSON = re.compile("[\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_LINE = re.compile(r"[^\r\n]*")


class YamlEditError(ValueError):
    """A value that is written in a way in which it can't be changed, such as an alias.

    Attributes:
        line: 1-based.
    """

    def __init__(self, line: int) -> None:
        super().__init__("this is written in a way that can't be changed automatically")
        self.line = line


def edit_yaml(text: str, changes: Mapping[SettingPath, YamlScalar | None]) -> str:
    """Return a YAML mapping with some values set or commented out.

    Comments, order, quotation marks, line ends and all other values stay as they are. A key that is
    there as a comment (``# reply_to: …``) is uncommented in its place.

    Args:
        text: a valid document, without a byte order mark.
        changes: key path -> new value; ``None`` comments the key out.

    Raises:
        YamlEditError: a value can't be changed without changing another one.
        YamlError: the text is not valid YAML.
    """
    for key_path, value in changes.items():
        text = _set_value(text, key_path, value)
    return text


def _set_value(text: str, key_path: SettingPath, value: YamlScalar | None) -> str:
    document = parse_yaml_document(text)
    expected = _without_empty(_with_value(document.data or {}, key_path, value))
    for candidate in _iter_candidates(text, key_path, value):
        result = parse_yaml_document(candidate)
        if not result.problems and _without_empty(result.data) == expected:
            return candidate
    raise YamlEditError(document.find_line(key_path))


def _with_value(data: Any, key_path: SettingPath, value: YamlScalar | None) -> Any:
    key, *rest = key_path
    mapping = data if isinstance(data, dict) else {}
    return {**mapping, key: _with_value(mapping.get(key), tuple(rest), value) if rest else value}


def _without_empty(data: Any) -> Any:
    """Return the data without keys that have no value, so that null, {} and no key are equal."""
    if not isinstance(data, dict):
        return data
    pruned = {key: _without_empty(value) for key, value in data.items()}
    return {key: value for key, value in pruned.items() if value is not None and value != {}}


def _iter_candidates(text: str, key_path: SettingPath, value: YamlScalar | None) -> Iterator[str]:
    """Yield the ways to make the change, the best first; some may change something else."""
    *section_path, key = key_path
    section: yaml.Node | None = parse_nodes(text, "1.1")
    start, end, indent = 0, len(text), 0
    for depth, name in enumerate(section_path):
        pair = _find_pair(section, name)
        if pair is None:
            yield _add_sections(text, section, indent, (*section_path[depth:], key), value)
            return
        siblings = section.value if section else []
        following = [
            k.start_mark.index for k, _ in siblings if k.start_mark.index > pair[0].start_mark.index
        ]
        start, end = pair[0].end_mark.index, min(following, default=end)
        indent, section = pair[0].start_mark.column + 2, pair[1]
    indent = _get_indent(section, indent)
    found = _find_pair(section, key)
    if found is None and value is None:
        yield text
    in_flow = _is_flow(section)
    if found and value is None:
        yield _comment_out(text, *found)
        yield _replace(text, *found, "null")
    elif found and value is not None and isinstance(found[1], yaml.ScalarNode):
        yield _replace(text, *found, _format_scalar(value, found[1].style, in_flow=in_flow))
    elif value is not None and in_flow:
        yield _insert_in_flow(text, section, (key,), value)
    elif value is not None:
        yield from _iter_uncommented(text, (start, end), indent, key, value)
        if not section_path:
            yield _append(text, indent, (key,), value)
        else:
            yield _insert_line(
                text, section, start, f"{' ' * indent}{key}: {_format_scalar(value)}"
            )


def _is_flow(section: yaml.Node | None) -> bool:
    return isinstance(section, yaml.MappingNode) and bool(section.flow_style)


def _get_indent(section: yaml.Node | None, default: int) -> int:
    """Return the column of a section's keys, or the default if it has none."""
    if isinstance(section, yaml.MappingNode) and section.value:
        return int(section.value[0][0].start_mark.column)
    return default


def _find_pair(node: yaml.Node | None, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((pair for pair in pairs if pair[0].value == key), None)


def _format_scalar(value: YamlScalar, style: str | None = None, *, in_flow: bool = False) -> str:
    """Return a value on one line, with the quotation marks of the old one where it had some."""
    if isinstance(value, int):
        return str(value)
    if "\n" in value or style in {'"', "'"}:
        style = '"' if "\n" in value else style
        if style == '"' and not _NOT_IN_JSON.search(value):
            return json.dumps(
                value, ensure_ascii=False
            )  # PyYAML would write an emoji as \U0001F419
        quoted = yaml.safe_dump(value, default_style=style, allow_unicode=True, width=math.inf)
        return str(quoted).strip("\n")
    return format_inline([value])[1:-1] if in_flow else format_inline(value)


def _replace(text: str, key: yaml.Node, value: yaml.Node, new: str) -> str:
    start, end = _get_span(text, key, value)
    old = text[start:end]
    if start == end:
        new = f" {new}"
    if isinstance(value, yaml.ScalarNode) and value.style in {"|", ">"}:
        header_comment = re.search(r"[ \t]+#[^\r\n]*", _LINE.match(old)[0])  # type: ignore[index]
        return text[:start] + new + (header_comment[0] if header_comment else "") + text[end:]
    if "\n" in old or "\r" in old:
        return text[:start] + new + text[end:]
    return text[:start] + new + _align_comment(text[end:], len(new) - len(old))


def _align_comment(tail: str, growth: int) -> str:
    """Return what follows a value, its comment in the column where it was if there is room."""
    found = _COMMENT.match(tail)
    if not found or not found[2]:
        return tail
    spaces = max(len(found[1]) - growth, min(len(found[1]), 2))
    return " " * spaces + tail[found.start(2) :]


def _get_span(text: str, key: yaml.Node, value: yaml.Node) -> tuple[int, int]:
    """Return where a value is; an empty one is behind its key's colon."""
    start = value.start_mark.index
    end = _get_end(text, value)
    if start == value.end_mark.index:
        start = end = text.index(":", key.end_mark.index) + 1
    return start, end


def _get_end(text: str, node: yaml.Node) -> int:
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _get_span(text, *last)[1] if isinstance(last, tuple) else _get_end(text, last)
    start, end = node.start_mark.index, node.end_mark.index
    return start + len(text[start:end].rstrip())


def _comment_out(text: str, key: yaml.Node, value: yaml.Node) -> str:
    column = key.start_mark.column
    start, end = key.start_mark.index - column, _get_span(text, key, value)[1]
    lines = text[start:end].splitlines(keepends=True)
    commented = [f"{line[:column]}#{line[column:]}" if line.strip() else line for line in lines]
    return text[:start] + "".join(commented) + text[end:]


def _iter_uncommented(
    text: str, span: tuple[int, int], indent: int, key: str, value: YamlScalar
) -> Iterator[str]:
    """Yield the text with each comment that looks like the setting made the setting."""
    gap = "[ ]?" if indent == 0 else "[ ]*"
    pattern = re.compile(rf"^([ ]*)#{gap}{re.escape(key)}:(?=[ \t\r\n]|\Z)[^\r\n]*", re.MULTILINE)
    for found in pattern.finditer(text, *span):
        if indent == 0 and found[1]:
            continue
        line = found[0].replace("#", "", 1).strip(" \t")
        new = f"{' ' * indent}{key}: {_format_scalar(value)}"
        tail = _find_tail(line, key)
        old_length = len(found[0]) - len(tail)
        yield (
            text[: found.start()]
            + new
            + _align_comment(tail, len(new) - old_length)
            + text[found.end() :]
        )


def _find_tail(line: str, key: str) -> str:
    """Return the comment behind the value on a line, with the spaces before it."""
    try:
        pair = _find_pair(parse_nodes(line, "1.1"), key)
    except YamlError:
        return ""
    tail = line[_get_span(line, *pair)[1] :] if pair else ""
    return tail if _COMMENT.fullmatch(tail) else ""


def _add_sections(
    text: str,
    section: yaml.Node | None,
    indent: int,
    key_path: SettingPath,
    value: YamlScalar | None,
) -> str:
    if value is None:
        return text
    if _is_flow(section):
        return _insert_in_flow(text, section, key_path, value)
    return _append(text, _get_indent(section, indent), key_path, value)


def _insert_in_flow(
    text: str, section: yaml.Node | None, key_path: SettingPath, value: YamlScalar
) -> str:
    assert section is not None
    *names, key = key_path
    entry = f"{key}: {_format_scalar(value, in_flow=True)}"
    for name in reversed(names):
        entry = f"{name}: {{{entry}}}"
    if not section.value:
        end = section.end_mark.index - 1
        return text[:end] + entry + text[end:]
    end = _get_span(text, *section.value[-1])[1]
    return f"{text[:end]}, {entry}{text[end:]}"


def _insert_line(text: str, section: yaml.Node | None, start: int, line: str) -> str:
    """Insert a line below the last entry of a section, or below the section's own line."""
    has_entries = isinstance(section, yaml.MappingNode) and section.value
    position = _get_end(text, section) if has_entries and section else start
    position = _LINE.match(text, position).end()  # type: ignore[union-attr]
    return f"{text[:position]}{_find_line_end(text)}{line}{text[position:]}"


def _append(text: str, indent: int, key_path: SettingPath, value: YamlScalar) -> str:
    line_end = _find_line_end(text)
    *sections, key = key_path
    lines = [f"{' ' * (indent + 2 * depth)}{name}:" for depth, name in enumerate(sections)]
    lines.append(f"{' ' * (indent + 2 * len(sections))}{key}: {_format_scalar(value)}")
    separator = "" if not text or text.endswith(("\n", "\r")) else line_end
    return text + separator + line_end.join(lines) + line_end


def _find_line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
