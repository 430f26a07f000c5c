"""YAML as plain data that remembers the line of every key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

Key = tuple[str | int, ...]

MAX_NODES = 10_000
FOREIGN_TAG = "a tag ('!…') means nothing here"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong at a line.

    Attributes:
        line: 1-based.
        message: what is wrong, without a trailing full stop.
        remedy: what to do, may be empty.
    """

    line: int
    message: str
    remedy: str = ""


@dataclass(slots=True)
class Tree:
    """A YAML document.

    Attributes:
        data: dicts, tuples and scalars; keys are always text, as they stand in the file.
        lines: place in ``data`` -> 1-based line of its key (of the item, in a sequence).
        source: place in ``data`` -> a scalar as it stands in the file, before YAML read it.
        faults: what is wrong with the YAML as such.
    """

    data: Any = None
    lines: dict[Key, int] = field(default_factory=dict)
    source: dict[Key, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def line(self, place: Key) -> int:
        """The line of the nearest thing in the file at or above ``place``."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def read(text: str) -> Tree:
    """Read a YAML document; whatever is wrong with it is in ``Tree.faults``."""
    tree = Tree()
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is not None:
            tree.lines[()] = root.start_mark.line + 1
            tree.data = _Builder(loader, tree).value(root, ())
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        tree.faults.append(Fault(line, "there is a control character in this line", "Delete it."))
    except yaml.MarkedYAMLError as error:
        tree.faults.append(_syntax_fault(error, text))
    except RecursionError:
        tree.faults.append(Fault(1, "it is nested too deeply"))
    return tree


class _Builder:
    """Turns YAML nodes into data, noting lines and faults on the way."""

    def __init__(self, loader: yaml.SafeLoader, tree: Tree) -> None:
        self._loader = loader
        self._tree = tree
        self._left = MAX_NODES

    def value(self, node: yaml.Node, place: Key) -> Any:
        self._left -= 1
        if self._left < 0:  # aliases can make a small file huge
            mark = node.start_mark
            raise yaml.MarkedYAMLError(
                problem="there is far too much in this file", problem_mark=mark
            )
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return tuple(self._item(item, (*place, at)) for at, item in enumerate(node.value))
        return self._scalar(node, place)

    def _item(self, node: yaml.Node, place: Key) -> Any:
        self._tree.lines[place] = node.start_mark.line + 1
        return self.value(node, place)

    def _mapping(self, node: yaml.MappingNode, place: Key) -> Mapping[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self._tree.faults.append(Fault(line, "a key must be one word"))
            elif key.value in data:
                first = self._tree.line((*place, key.value))
                self._tree.faults.append(
                    Fault(
                        line,
                        f"'{key.value}' is already set in line {first}",
                        "Keep one of the two.",
                    )
                )
            else:
                self._tree.lines[*place, key.value] = line
                data[key.value] = self.value(value, (*place, key.value))
        return data

    def _scalar(self, node: yaml.Node, place: Key) -> Any:
        self._tree.source[place] = node.value
        try:
            return self._loader.construct_object(node)
        except (yaml.constructor.ConstructorError, LookupError, AttributeError):
            # PyYAML raises the last two for a tag that doesn't fit its value: !!int ""
            self._tree.faults.append(Fault(node.start_mark.line + 1, FOREIGN_TAG, "Remove it."))
        except ValueError:  # 2026-02-30: looks like a date and is none
            return node.value
        return None


def _syntax_fault(error: yaml.MarkedYAMLError, text: str) -> Fault:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    lines = text.splitlines()
    here = lines[line - 1] if line <= len(lines) else ""
    problem = str(error.problem or "it is no YAML").rstrip(".")
    if "\t" in here[: len(here) - len(here.lstrip())] or "'\\t'" in problem:
        return Fault(line, "a tab indents this line", "Indent with spaces.")
    if "mapping values are not allowed" in problem:
        return Fault(
            line,
            "there is a second ':' in this line, or the indentation is off",
            'Put text that holds ": " in quotes, and line keys up with their neighbours.',
        )
    return Fault(line, f"this is not YAML ({problem})", "Look at this line and the one above.")
