"""Parse YAML into plain data with the line of every key."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

KeyPath = tuple[str | int, ...]

MAX_NODES = 10_000
MAX_ALIAS_CHARACTERS = 100_000
# What neither UTF-8 nor XML can contain, but YAML can, as an escape: "\0", "\ud800", "\ufffe".
_INVALID_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
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
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is not None:
            document.lines[()] = root.start_mark.line + 1
            document.data = _DocumentBuilder(loader, document).build_value(root, ())
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        document.problems.append(
            YamlProblem(line, "this line contains a control character", "Delete it.")
        )
    except yaml.MarkedYAMLError as error:
        document.problems.append(_explain_syntax_error(error, text))
    except (OverflowError, ValueError):  # "\UFFFFFFFF", "\U00110000"
        mark = loader.get_mark()
        message = "there is no character with the number in this escape"
        document.problems.append(YamlProblem(mark.line + 1, message))
    except RecursionError:
        document.problems.append(YamlProblem(1, "the file is nested too deeply"))
    return document


class _DocumentBuilder:
    """Builds plain data from YAML nodes and records lines and problems in the document."""

    def __init__(self, loader: yaml.SafeLoader, document: YamlDocument) -> None:
        self._loader = loader
        self._document = document
        self._remaining_nodes = MAX_NODES
        self._remaining_alias_characters = MAX_ALIAS_CHARACTERS
        self._built_scalars: set[int] = set()

    def build_value(self, node: yaml.Node, key_path: KeyPath) -> Any:
        self._remaining_nodes -= 1
        if self._remaining_nodes < 0:  # aliases can make a small file huge
            mark = node.start_mark
            raise yaml.MarkedYAMLError(
                problem=f"the file has more than {MAX_NODES:,} values", problem_mark=mark
            )
        if isinstance(node, yaml.MappingNode):
            return self._build_mapping(node, key_path)
        if isinstance(node, yaml.SequenceNode):
            return tuple(
                self._build_item(item, (*key_path, index)) for index, item in enumerate(node.value)
            )
        assert isinstance(node, yaml.ScalarNode)
        return self._build_scalar(node, key_path)

    def _build_item(self, node: yaml.Node, key_path: KeyPath) -> Any:
        self._document.lines[key_path] = node.start_mark.line + 1
        return self.build_value(node, key_path)

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
        if id(node) in self._built_scalars:
            self._remaining_alias_characters -= len(node.value)
            if self._remaining_alias_characters < 0:
                raise yaml.MarkedYAMLError(
                    problem=f"aliases repeat more than {MAX_ALIAS_CHARACTERS:,} characters",
                    problem_mark=node.start_mark,
                )
        self._built_scalars.add(id(node))
        if not self._check_characters(node):
            return None
        self._document.raw_scalars[key_path] = node.value
        try:
            return self._loader.construct_object(node)
        except (yaml.constructor.ConstructorError, LookupError, AttributeError):
            # PyYAML raises the last two for a tag that doesn't fit its value: !!int ""
            self._document.problems.append(
                YamlProblem(node.start_mark.line + 1, UNKNOWN_TAG_MESSAGE, "Remove it.")
            )
        except ValueError:  # 2026-02-30 looks like a date but isn't one
            return node.value
        return None

    def _check_characters(self, node: yaml.ScalarNode) -> bool:
        found = _INVALID_CHARACTER.search(node.value)
        if found:
            message = f"there is a control character or half of one here (U+{ord(found[0]):04X})"
            problem = YamlProblem(
                node.start_mark.line + 1, message, "Delete it, or write the character itself."
            )
            self._document.problems.append(problem)
        return not found


def _explain_syntax_error(error: yaml.MarkedYAMLError, text: str) -> YamlProblem:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    lines = text.splitlines()
    source_line = lines[line - 1] if line <= len(lines) else ""
    problem = str(error.problem or "invalid syntax").rstrip(".")
    if "\t" in source_line[: len(source_line) - len(source_line.lstrip())] or "'\\t'" in problem:
        return YamlProblem(line, "this line is indented with a tab", "Indent with spaces.")
    if "mapping values are not allowed" in problem:
        return YamlProblem(
            line,
            "this line has a second ':' or wrong indentation",
            'Put text that contains ": " in quotes, and indent it like its neighbours.',
        )
    return YamlProblem(
        line, f"this is not valid YAML ({problem})", "Check this line and the one above."
    )
