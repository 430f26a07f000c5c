"""Parse front matter (YAML, TOML or JSON) with the line of every key."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

import yaml

from newsletter.errors import Location, PostError
from newsletter.posts.front_matter import safe_yaml
from newsletter.posts.front_matter.keys import normalize_key

_JSON_START = re.compile(r'\{[ \t]*(?:\n|"|\})')
_TOML_KEY = re.compile(r"""^[ \t]*\[{0,2}[ \t]*["']?([\w-]+)["']?[ \t]*[=.\]]""", re.MULTILINE)
_TOML_ERROR_POSITION = re.compile(r" \(at line (\d+), column \d+\)| \(at end of document\)")
_WHITESPACE = re.compile(r"\s*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_MESSAGE = r"there is half of a character here (\ud800 to \udfff)"
_TOO_DEEP_MESSAGE = "the front matter is nested too deeply"
_TOO_LONG_NUMBER_MESSAGE = "the front matter has a number with too many digits"

FrontMatterFormat = Literal["yaml", "toml", "json", "none"]


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """A post's settings and its body.

    Attributes:
        data: the settings in the format's own types (text, numbers, dates, lists, mappings);
            known keys in one spelling, others as written.
        lines: top-level key -> 1-based line in the file.
        body: the text after the front matter.
        body_line: 1-based line in the file on which ``body`` begins.
        format: syntax of the settings; ``"none"`` if there are none.
    """

    data: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    body: str = ""
    body_line: int = 1
    format: FrontMatterFormat = "none"


def split_front_matter(text: str, path: str) -> FrontMatter:
    r"""Split a post into front matter and body.

    Args:
        text: the whole file, ``\n`` line ends.
        path: its name, for messages.

    Raises:
        PostError: the front matter is invalid; with its line in the file.
    """
    front_matter = _split(text, path)
    for key, value in front_matter.data.items():
        if _contains_surrogate([key, value]):
            line = front_matter.lines.get(key, 1)
            _raise_invalid(_SURROGATE_MESSAGE, path, line)
    return front_matter


def _split(text: str, path: str) -> FrontMatter:
    first_line = text.split("\n", 1)[0].rstrip()
    if first_line == "---":
        return _parse_fenced(text, path, "yaml", ("---", "..."))
    if first_line == "+++":
        return _parse_fenced(text, path, "toml", ("+++",))
    if _JSON_START.match(text):
        return _parse_json(text, path)
    return FrontMatter(body=text)


def _parse_fenced(
    text: str, path: str, block_format: Literal["yaml", "toml"], end_fences: tuple[str, ...]
) -> FrontMatter:
    lines = text.split("\n")
    end = next(
        (index for index, line in enumerate(lines[1:], 1) if line.rstrip() in end_fences), None
    )
    if end is None:
        raise PostError(
            f"the front matter begins with {lines[0].rstrip()} but never ends",
            where=Location(path, 1),
            remedy=f"Add a line with only {end_fences[0]} after the last setting.",
        )
    # An empty line replaces the fence, so that line numbers are those of the file.
    block = "\n" + "\n".join(lines[1:end]) + "\n"
    parse_block = _parse_yaml if block_format == "yaml" else _parse_toml
    data, key_lines = parse_block(block, path)
    return FrontMatter(data, key_lines, "\n".join(lines[end + 1 :]), end + 2, block_format)


def _parse_yaml(block: str, path: str) -> tuple[dict[str, Any], dict[str, int]]:
    line = 1
    try:
        safe_yaml.check_yaml_limits(block)
        loader = safe_yaml.FrontMatterLoader(block)
        root = loader.get_single_node()
        if root is None:
            return {}, {}
        if not isinstance(root, yaml.MappingNode):
            _raise_invalid(
                "the front matter has no settings like 'key: value'", path, root.start_mark.line + 1
            )
        loader.flatten_mapping(root)
        data: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in root.value:
            line = key_node.start_mark.line + 1
            key = normalize_key(str(loader.construct_object(key_node, deep=True)))
            if key in data:
                _raise_invalid(f"'{key}' is set twice, first on line {lines[key]}", path, line)
            data[key] = loader.construct_object(value_node, deep=True)
            lines[key] = line
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _raise_invalid(_describe_yaml_error(error), path, mark.line + 1 if mark else line)
    except yaml.YAMLError as error:
        _raise_invalid(str(error).split("\n", 1)[0], path, line)
    except ValueError as error:  # an invalid date
        _raise_invalid(str(error), path, line)
    except (AttributeError, IndexError, KeyError):
        # PyYAML at a tag that its value doesn't fit: !!bool x
        _raise_invalid("the value can't be read", path, line)
    return data, lines


def _describe_yaml_error(error: yaml.MarkedYAMLError) -> str:
    problem = str(error.problem or error.context)
    if problem == "mapping values are not allowed here":
        return 'a value with a colon in it needs quotes: key: "one: two"'
    if "found character '\\t'" in problem:
        return "there is a tab where YAML requires spaces"
    return f"the front matter is not valid YAML: {problem}"


def _parse_toml(block: str, path: str) -> tuple[dict[str, Any], dict[str, int]]:
    try:
        data = tomllib.loads(block)
    except tomllib.TOMLDecodeError as error:
        position = _TOML_ERROR_POSITION.search(str(error))
        line = int(position[1]) if position and position[1] else block.count("\n")
        reason = _TOML_ERROR_POSITION.sub("", str(error))
        _raise_invalid(
            f"the front matter is not valid TOML: {reason[:1].lower()}{reason[1:]}", path, line
        )
    except ValueError:
        _raise_invalid(_TOO_LONG_NUMBER_MESSAGE, path, 1)
    except RecursionError:
        _raise_invalid(_TOO_DEEP_MESSAGE, path, 1)
    lines: dict[str, int] = {}
    for found in _TOML_KEY.finditer(block):
        if found[1] in data:
            lines.setdefault(found[1], block.count("\n", 0, found.start(1)) + 1)
    normalized: dict[str, Any] = {}
    for key in data:
        name = normalize_key(key)
        if name in normalized:
            _raise_invalid(f"'{name}' is set twice", path, lines.get(key, 1))
        normalized[name] = data[key]
    return normalized, {normalize_key(key): line for key, line in lines.items()}


def _parse_json(text: str, path: str) -> FrontMatter:
    decoder = json.JSONDecoder()
    data: dict[str, Any] = {}
    lines: dict[str, int] = {}
    try:
        _, end = decoder.raw_decode(text)
        index = _WHITESPACE.match(text, 1).end()  # type: ignore[union-attr] # matches the empty text too
        while text[index] != "}":
            key, value_end = decoder.raw_decode(text, index)
            key, line = normalize_key(key), text.count("\n", 0, index) + 1
            if key in data:
                _raise_invalid(f"'{key}' is set twice, first on line {lines[key]}", path, line)
            lines[key] = line
            colon = text.index(":", value_end) + 1
            data[key], value_end = decoder.raw_decode(text, _skip_whitespace(text, colon))
            index = _skip_whitespace(text, value_end)
            index = _skip_whitespace(text, index + 1) if text[index] == "," else index
    except json.JSONDecodeError as error:
        reason = f"{error.msg[:1].lower()}{error.msg[1:]}"
        _raise_invalid(f"the front matter is not valid JSON: {reason}", path, error.lineno)
    except ValueError:
        _raise_invalid(_TOO_LONG_NUMBER_MESSAGE, path, 1)
    except RecursionError:
        _raise_invalid(_TOO_DEEP_MESSAGE, path, 1)
    after_json = text[end:]
    if after_json.split("\n", 1)[0].strip():
        line = text.count("\n", 0, end) + 1
        _raise_invalid("there is text after the } that ends the front matter", path, line)
    body = after_json.split("\n", 1)[1] if "\n" in after_json else ""
    return FrontMatter(data, lines, body, text.count("\n", 0, end) + 2, "json")


def _contains_surrogate(value: Any) -> bool:
    """Return whether a text in a value has a lone surrogate, which can't be written as UTF-8.

    Not recursive, since JSON may be nested more deeply than functions may be.
    """
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if _SURROGATE.search(item):
                return True
        elif isinstance(item, Mapping):
            pending += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple | set):
            pending += item
    return False


def _skip_whitespace(text: str, index: int) -> int:
    while text[index].isspace():
        index += 1
    return index


def _raise_invalid(message: str, path: str, line: int) -> NoReturn:
    raise PostError(
        message,
        where=Location(path, line),
        remedy="Write one setting per line, such as: title: Spring in the harbour",
    )
