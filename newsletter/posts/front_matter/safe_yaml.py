"""Safe YAML for front matter: data only, bounded size, YAML 1.2 scalars.

libyaml parses where PyYAML has it (a tenth of the time). What it rejects is parsed once more by
PyYAML itself, so that messages and lines are the same on every machine.
"""

import datetime
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import yaml

MAX_DEPTH = 20
MAX_NODES = 10_000
MAX_ALIAS_CHARACTERS = 100_000
LIMITS_MESSAGE = f"more than {MAX_NODES:,} values or {MAX_DEPTH} levels"
ALIAS_LIMIT_MESSAGE = f"aliases (*name) that repeat more than {MAX_ALIAS_CHARACTERS:,} characters"
_TAG_PREFIX = "tag:yaml.org,2002:"
NOT_A_MAPPING_MESSAGE = "the front matter has no settings like 'key: value'"
# libyaml skips a byte order mark inside a text, and tabs that PyYAML rejects.
_READ_DIFFERENTLY = frozenset("\t\ufeff")
# "key:<tab>value", "value<tab>": harmless, and other tools accept it.
_TAB_BETWEEN_TOKENS = re.compile(r"(?<=:)[ \t]*\t[ \t]*|[ \t]*\t[ \t]*$", re.MULTILINE)
TIMESTAMP_PATTERN = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:[Tt ]+(?P<time>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d*))?"
    r"\s*(?P<zone>Z|(?P<sign>[-+])(?P<hours>\d\d)(?::?(?P<minutes>\d\d))?)?)?$"
)
# YAML 1.1 reads ``No`` as false, ``12:30`` as 750 and ``1_000`` as 1000: surprises in a title.
# So the scalars are those of YAML 1.2's core schema, and dates. The empty first character means
# an empty scalar, which only null's pattern matches.
_SCALARS = (
    ("null", re.compile(r"(?:~|null|Null|NULL|)$"), "~nN"),
    ("bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), "tTfF"),
    ("int", re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})$"), "-+0123456789"),
    ("float", re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})\.[0-9]+$"), "-+0123456789"),
    ("merge", re.compile(r"<<$"), "<"),
    ("timestamp", TIMESTAMP_PATTERN, "0123456789"),
)


class PythonLoader(yaml.SafeLoader):
    """PyYAML's own parser, with the scalars of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - the base class's own attribute


class LibyamlLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # PyYAML may be built without it
    """libyaml's parser where PyYAML has it, with the scalars of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _loader_class in (PythonLoader, LibyamlLoader):
    for _name, _pattern, _first in _SCALARS:
        _loader_class.add_implicit_resolver(_TAG_PREFIX + _name, _pattern, ["", *_first])


class YamlEntry(NamedTuple):
    """A top-level key of a mapping, its value, and its 1-based line.

    ``is_merged`` tells that the entry comes from a mapping merged with ``<<``, which the mapping's
    own keys override.
    """

    key: str
    value: Any
    line: int
    is_merged: bool = False


def load_yaml_entries(block: str) -> list[YamlEntry]:
    """Return the entries of a YAML mapping in their order, repeated keys included.

    Values are text, numbers, booleans, dates, ``None``, lists and mappings. A value that doesn't
    fit its type (2026-02-31, ``!!int x``) stays text, and other tags than YAML's own are ignored:
    ``!!python/object`` is never constructed.

    Raises:
        yaml.YAMLError: the text is not a YAML mapping, or exceeds the limits.
    """
    if _READ_DIFFERENTLY.isdisjoint(block):
        with suppress(yaml.YAMLError):
            return _load_entries(block, LibyamlLoader)
    try:
        return _load_entries(block, PythonLoader)
    except yaml.YAMLError:
        if (without_tabs := _TAB_BETWEEN_TOKENS.sub(" ", block)) != block:
            return _load_entries(without_tabs, PythonLoader)  # its error isn't at a harmless tab
        raise


def _load_entries(block: str, loader_class: Any) -> list[YamlEntry]:
    loader = loader_class(block)
    try:
        _check_events(loader)
        root = loader_class(block).get_single_node()
    except (ValueError, OverflowError) as error:  # PyYAML at "\UFFFFFFFF"
        mark = loader.get_mark() if hasattr(loader, "get_mark") else None
        raise yaml.MarkedYAMLError(
            problem="no character has the number in this escape", problem_mark=mark
        ) from error
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        raise yaml.MarkedYAMLError(problem=NOT_A_MAPPING_MESSAGE, problem_mark=root.start_mark)
    return [
        YamlEntry(
            key.value if isinstance(key, yaml.ScalarNode) else str(_build_value(key)),
            _build_value(value),
            key.start_mark.line + 1,
            is_merged,
        )
        for key, value, is_merged in _iter_pairs(root)
    ]


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


class _Size(NamedTuple):
    """How much a part of the text is once its aliases are expanded."""

    nodes: int
    characters: int

    def plus(self, other: "_Size") -> "_Size":
        return _Size(self.nodes + other.nodes, self.characters + other.characters)

    def minus(self, other: "_Size") -> "_Size":
        return _Size(self.nodes - other.nodes, self.characters - other.characters)


def _check_events(loader: Any) -> None:
    """Reject nested aliases that would expand a small file into a big one, and deep nesting.

    Reads the event stream, which is neither recursive nor expanded.
    """
    anchored: dict[str, _Size] = {}
    open_nodes: list[tuple[str | None, _Size]] = []
    total = _Size(0, 0)
    repeated_characters = 0
    for event in iter(loader.get_event, None):
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            anchored[anchor or ""] = total.minus(before)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchored:
                raise _limit_error(f"unknown alias *{event.anchor}", event)
            total = total.plus(anchored[event.anchor])
            repeated_characters += anchored[event.anchor].characters
        elif isinstance(event, yaml.ScalarEvent):
            size = _Size(1, len(event.value))
            total = total.plus(size)
            anchored[event.anchor or ""] = size
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total))
            total = total.plus(_Size(1, 0))
        if len(open_nodes) > MAX_DEPTH or total.nodes > MAX_NODES:
            raise _limit_error(LIMITS_MESSAGE, event)
        if repeated_characters > MAX_ALIAS_CHARACTERS:
            raise _limit_error(ALIAS_LIMIT_MESSAGE, event)


def _limit_error(problem: str, event: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
