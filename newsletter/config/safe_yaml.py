"""Parse YAML safely: bounded size, and the same errors with their lines.

libyaml parses where PyYAML has it (a tenth of the time). What it rejects is parsed once more by
PyYAML itself, so that values, messages and lines are the same on every machine.
"""

import datetime
import math
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal, NamedTuple

import yaml

MAX_DEPTH = 20
MAX_NODES = 10_000
MAX_ALIAS_CHARACTERS = 100_000
LIMITS_MESSAGE = f"more than {MAX_NODES:,} values or {MAX_DEPTH} levels"
ALIAS_LIMIT_MESSAGE = f"aliases (*name) that repeat more than {MAX_ALIAS_CHARACTERS:,} characters"
# What neither UTF-8 nor XML can contain, but YAML can, as an escape: "\0", "\ud800", "\ufffe".
INVALID_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
TIMESTAMP_PATTERN = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:[Tt ]+(?P<time>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d*))?"
    r"\s*(?P<zone>Z|(?P<sign>[-+])(?P<hours>\d\d)(?::?(?P<minutes>\d\d))?)?)?$"
)
_TAG_PREFIX = "tag:yaml.org,2002:"
# libyaml skips a byte order mark inside a text, and tabs that PyYAML rejects; it reads ``! 1`` as
# text, PyYAML as a number.
_READ_DIFFERENTLY = re.compile(r"[\t\ufeff]|(?<![^\s,\[{])!(?![^\s,\]}])")
# "key:<tab>value", "value<tab>": harmless, and other tools accept it.
_TAB_BETWEEN_TOKENS = re.compile(r"(?<=:)[ \t]*\t[ \t]*|[ \t]*\t[ \t]*$", re.MULTILINE)
# YAML 1.1 reads ``No`` as false, ``12:30`` as 750 and ``1_000`` as 1000: surprises in a title.
# So these scalars are those of YAML 1.2's core schema, and dates. The empty first character means
# an empty scalar, which only null's pattern matches.
_CORE_SCALARS = (
    ("null", re.compile(r"(?:~|null|Null|NULL|)$"), "~nN"),
    ("bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), "tTfF"),
    ("int", re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})$"), "-+0123456789"),
    ("float", re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})\.[0-9]+$"), "-+0123456789"),
    ("merge", re.compile(r"<<$"), "<"),
    ("timestamp", TIMESTAMP_PATTERN, "0123456789"),
)

YamlVersion = Literal["1.1", "1.2"]


class YamlError(Exception):
    """A text that is not valid YAML, or exceeds the limits.

    Attributes:
        problem: what is wrong. For the kind "limit", what the text has too much of; for "syntax",
            as PyYAML says it; else a sentence without its full stop.
        line: 1-based.
    """

    def __init__(
        self, problem: str, line: int, kind: Literal["syntax", "limit", "character", "content"]
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.line = line
        self.kind = kind


class YamlEntry(NamedTuple):
    """A top-level key of a mapping, its value, and its 1-based line.

    ``is_merged`` tells that the entry comes from a mapping merged with ``<<``, which the mapping's
    own keys override. ``item_lines`` are those of a list's items.
    """

    key: str
    value: Any
    line: int
    is_merged: bool = False
    item_lines: tuple[int, ...] = ()


def _loaders(base: type[Any]) -> dict[YamlVersion, type[Any]]:
    """Return PyYAML's loader with its scalars, and one with those of YAML 1.2."""
    core = type("CoreLoader", (base,), {"yaml_implicit_resolvers": {}})
    for name, pattern, first in _CORE_SCALARS:
        core.add_implicit_resolver(_TAG_PREFIX + name, pattern, ["", *first])  # type: ignore[attr-defined]
    return {"1.1": base, "1.2": core}


PYTHON_LOADERS = _loaders(yaml.SafeLoader)
# PyYAML may be built without libyaml.
LIBYAML_LOADERS = _loaders(getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def parse_nodes(text: str, version: YamlVersion) -> yaml.Node | None:
    """Return a document's root node, ``None`` if it is empty.

    Args:
        text: the whole document.
        version: whose rules tell what an unquoted scalar is: with 1.1 ``no`` is false.

    Raises:
        YamlError: the text is not valid YAML, or exceeds the limits.
    """
    if not _READ_DIFFERENTLY.search(text):
        with suppress(YamlError):
            root = _parse(text, LIBYAML_LOADERS[version])
            # libyaml has an empty value on the line after a last one that has no line end: "---".
            if root is None or root.value:
                return root
    try:
        return _parse(text, PYTHON_LOADERS[version])
    except YamlError:
        if (without_tabs := _TAB_BETWEEN_TOKENS.sub(_make_spaces, text)) != text:
            return _parse(without_tabs, PYTHON_LOADERS[version])  # its error isn't at such a tab
        raise


def load_entries(text: str) -> list[YamlEntry]:
    """Return the entries of a YAML 1.2 mapping in their order, repeated keys included.

    Values are text, numbers, booleans, dates, ``None``, lists and mappings. A value that doesn't
    fit its type (2026-02-31, ``!!int x``) stays text, and other tags than YAML's own are ignored:
    ``!!python/object`` is never constructed.

    Raises:
        YamlError: the text is not a YAML mapping, or exceeds the limits.
    """
    root = parse_nodes(text, "1.2")
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        line = root.start_mark.line + 1
        raise YamlError("this is not a mapping of keys to values", line, "content")
    return [
        YamlEntry(
            key.value if isinstance(key, yaml.ScalarNode) else str(_build_value(key)),
            _build_value(value),
            key.start_mark.line + 1,
            is_merged,
            tuple(item.start_mark.line + 1 for item in value.value)
            if isinstance(value, yaml.SequenceNode)
            else (),
        )
        for key, value, is_merged in _iter_pairs(root)
    ]


def format_inline(value: Any) -> str:
    """Return a value as YAML on one line."""
    text = yaml.safe_dump(value, allow_unicode=True, default_flow_style=True, width=math.inf)
    return str(text).removesuffix("...\n").strip("\n")  # not a no-break space of the value


def _make_spaces(found: re.Match[str]) -> str:
    """Return as many spaces, so that what follows keeps its column."""
    return " " * len(found[0])


def _parse(text: str, loader_class: type[Any]) -> yaml.Node | None:
    loader: Any = None
    try:
        loader = loader_class(text)
        _check_events(loader)
        root: yaml.Node | None = loader_class(text).get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        raise YamlError("this line contains a control character", line, "character") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = str(error.problem or error.context or "invalid syntax")
        raise YamlError(problem, mark.line + 1 if mark else 1, "syntax") from error
    except (ValueError, OverflowError) as error:  # PyYAML at "\UFFFFFFFF"
        line = loader.get_mark().line + 1 if hasattr(loader, "get_mark") else 1
        message = "there is no character with the number in this escape"
        raise YamlError(message, line, "character") from error
    return root


def _check_events(loader: Any) -> None:
    """Reject nested aliases that would expand a small file into a big one, and deep nesting.

    Reads the event stream, which is neither recursive nor expanded. Sizes are those of the text
    with its aliases expanded.
    """
    nodes = characters = repeated_characters = 0
    anchored: dict[str, tuple[int, int]] = {}
    open_nodes: list[tuple[str, int, int]] = []
    for event in iter(loader.get_event, None):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor or "", nodes, characters))
            nodes += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, nodes_before, characters_before = open_nodes.pop()
            anchored[anchor] = nodes - nodes_before, characters - characters_before
        elif isinstance(event, yaml.ScalarEvent):
            anchored[event.anchor or ""] = 1, len(event.value)
            nodes += 1
            characters += len(event.value)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchored:
                raise YamlError(f"unknown alias *{event.anchor}", line, "syntax")
            more_nodes, more_characters = anchored[event.anchor]
            nodes += more_nodes
            characters += more_characters
            repeated_characters += more_characters
        if len(open_nodes) > MAX_DEPTH or nodes > MAX_NODES:
            raise YamlError(LIMITS_MESSAGE, line, "limit")
        if repeated_characters > MAX_ALIAS_CHARACTERS:
            raise YamlError(ALIAS_LIMIT_MESSAGE, line, "limit")


def _iter_pairs(
    mapping: yaml.MappingNode, *, is_merged: bool = False
) -> Iterator[tuple[yaml.Node, yaml.Node, bool]]:
    """Yield a mapping's pairs, those of mappings merged with ``<<`` among them."""
    for key, value in mapping.value:
        merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
        if key.tag == f"{_TAG_PREFIX}merge" and all(
            isinstance(node, yaml.MappingNode) for node in merged
        ):
            for node in merged:
                yield from _iter_pairs(node, is_merged=True)
        else:
            yield key, value, is_merged


def _build_value(node: yaml.Node) -> Any:
    """Return a node as plain data; the limits have excluded deep and recursive nodes."""
    if isinstance(node, yaml.ScalarNode):
        return _build_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return [_build_value(item) for item in node.value]
    assert isinstance(node, yaml.MappingNode)
    own: dict[Any, Any] = {}
    merged: dict[Any, Any] = {}
    for key_node, value, is_merged in _iter_pairs(node):
        key = _build_value(key_node)
        key = str(key) if isinstance(key, list | dict) else key
        if not is_merged:
            own[key] = _build_value(value)
        elif key not in merged:  # the first of several merged mappings counts
            merged[key] = _build_value(value)
    data = merged | own
    return list(data) if node.tag == f"{_TAG_PREFIX}set" else data


def _build_scalar(node: yaml.ScalarNode) -> Any:
    text: str = node.value
    kind = node.tag.removeprefix(_TAG_PREFIX)
    try:
        if kind == "null":
            return None
        if kind == "bool":
            return yaml.SafeLoader.bool_values.get(text.lower(), text)
        if kind == "int":
            return int(text)
        if kind == "float":
            number = float(text)
            return number if repr(number) == text else text  # a version, 3.10, isn't 3.1
        if kind == "timestamp" and (found := TIMESTAMP_PATTERN.match(text)):
            return _build_timestamp(found)
    except (ValueError, OverflowError):  # 2026-02-31, an offset of 99 hours
        pass
    return text


def _build_timestamp(found: re.Match[str]) -> datetime.date | datetime.datetime:
    if not found["time"]:
        return datetime.date.fromisoformat(found["date"])
    microsecond = int((found["fraction"] or "")[:6].ljust(6, "0"))
    zone = None
    if found["zone"] == "Z":
        zone = datetime.UTC
    elif found["zone"]:
        offset = datetime.timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
        zone = datetime.timezone(-offset if found["sign"] == "-" else offset)
    moment = datetime.datetime.fromisoformat(f"{found['date']} {found['time']}")
    return moment.replace(microsecond=microsecond, tzinfo=zone)
