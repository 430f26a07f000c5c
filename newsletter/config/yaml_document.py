"""Parse YAML into plain data with the line of every key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from newsletter.config.safe_yaml import INVALID_CHARACTER, YamlError, parse_nodes

KeyPath = tuple[str | int, ...]

UNKNOWN_TAG_MESSAGE = "YAML tags ('!…') are not supported"


@dataclass(frozen=True, slots=True)
class YamlProblem:
    """A problem in the file, with its line.

    Attributes:
        line: 1-based.
        message: what is wrong, without a trailing full stop.
        remedy: what to do; may be empty.
    """

    line: int
    message: str
    remedy: str = ""


@dataclass(slots=True)
class YamlDocument:
    """A parsed YAML document.

    Attributes:
        data: dicts, tuples and scalars; keys are always text, as written in the file.
        lines: key path in ``data`` -> 1-based line of its key (of the item, in a sequence).
        raw_scalars: key path in ``data`` -> the scalar as written in the file, before YAML
            converts it.
        problems: what is wrong with the YAML itself.
    """

    data: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    raw_scalars: dict[KeyPath, str] = field(default_factory=dict)
    problems: list[YamlProblem] = field(default_factory=list)

    def find_line(self, key_path: KeyPath) -> int:
        """Return the line of ``key_path``, or of its nearest parent in the file."""
        while key_path and key_path not in self.lines:
            key_path = key_path[:-1]
        return self.lines.get(key_path, 1)


def parse_yaml_document(text: str) -> YamlDocument:
    """Parse a YAML document; its problems are in ``YamlDocument.problems``."""
    document = YamlDocument()
    try:
        root = parse_nodes(text, "1.1")
    except YamlError as error:
        document.problems.append(_explain_error(error, text))
        return document
    if root is not None:
        document.lines[()] = root.start_mark.line + 1
        document.data = _DocumentBuilder(document).build_value(root, ())
    return document


class _DocumentBuilder:
    """Builds plain data from YAML nodes and records lines and problems in the document."""

    def __init__(self, document: YamlDocument) -> None:
        self._document = document
        self._constructor = yaml.constructor.SafeConstructor()

    def build_value(self, node: yaml.Node, key_path: KeyPath) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._build_mapping(node, key_path)
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self._document.lines[*key_path, index] = item.start_mark.line + 1
            return tuple(
                self.build_value(item, (*key_path, index)) for index, item in enumerate(node.value)
            )
        assert isinstance(node, yaml.ScalarNode)
        return self._build_scalar(node, key_path)

    def _build_mapping(self, node: yaml.MappingNode, key_path: KeyPath) -> Mapping[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self._document.problems.append(YamlProblem(line, "a key must be plain text"))
            elif not self._check_characters(key):
                continue
            elif key.value in data:
                first = self._document.find_line((*key_path, key.value))
                self._document.problems.append(
                    YamlProblem(
                        line,
                        f"'{key.value}' is already set on line {first}",
                        "Remove one of them.",
                    )
                )
            else:
                self._document.lines[*key_path, key.value] = line
                data[key.value] = self.build_value(value, (*key_path, key.value))
        return data

    def _build_scalar(self, node: yaml.ScalarNode, key_path: KeyPath) -> Any:
        if not self._check_characters(node):
            return None
        self._document.raw_scalars[key_path] = node.value
        try:
            return self._constructor.construct_object(node)
        except (yaml.constructor.ConstructorError, LookupError, AttributeError):
            # PyYAML raises the last two for a tag that doesn't fit its value: !!int ""
            self._document.problems.append(
                YamlProblem(node.start_mark.line + 1, UNKNOWN_TAG_MESSAGE, "Remove it.")
            )
        except ValueError:  # 2026-02-30 looks like a date but isn't one
            return node.value
        return None

    def _check_characters(self, node: yaml.ScalarNode) -> bool:
        found = INVALID_CHARACTER.search(node.value)
        if found:
            message = f"there is a control character or half of one here (U+{ord(found[0]):04X})"
            problem = YamlProblem(
                node.start_mark.line + 1, message, "Delete it, or write the character itself."
            )
            self._document.problems.append(problem)
        return not found


def _explain_error(error: YamlError, text: str) -> YamlProblem:
    if error.kind == "limit":
        return YamlProblem(error.line, f"the file has {error.problem}")
    if error.kind == "character":
        return YamlProblem(error.line, error.problem, "Delete it.")
    lines = text.splitlines()
    source_line = lines[error.line - 1] if error.line <= len(lines) else ""
    problem = error.problem.rstrip(".")
    if "\t" in source_line[: len(source_line) - len(source_line.lstrip())] or "'\\t'" in problem:
        return YamlProblem(error.line, "this line is indented with a tab", "Indent with spaces.")
    if "mapping values are not allowed" in problem:
        return YamlProblem(
            error.line,
            "this line has a second ':' or wrong indentation",
            'Put text that contains ": " in quotes, and indent it like its neighbours.',
        )
    return YamlProblem(
        error.line, f"this is not valid YAML ({problem})", "Check this line and the one above."
    )
