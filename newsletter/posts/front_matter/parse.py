"""Parse front matter (YAML, TOML or JSON) with the line of every key."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, NoReturn

from newsletter.config import safe_yaml
from newsletter.errors import Location, PostError
from newsletter.posts.front_matter.check_values import TOO_LONG_NUMBER_MESSAGE, check_values
from newsletter.posts.front_matter.keys import normalize_key

_JSON_START = re.compile(r'\{[ \t]*(?:\n|"|\})')
# Eleventy names the language after the fence.
_NAMED_FENCE = re.compile(r"---[ \t]*(?P<language>ya?ml|toml|json|js|javascript)", re.IGNORECASE)
_TOML_KEY = re.compile(r"""^[ \t]*\[{0,2}[ \t]*["']?([\w-]+)["']?[ \t]*[=.\]]""", re.MULTILINE)
_TOML_ERROR_POSITION = re.compile(r" \(at line (\d+), column \d+\)| \(at end of document\)")
_UNQUOTED_START = re.compile(r"found character '(.)' that cannot start any token")
_YAML_MESSAGES = {
    "mapping values are not allowed here": (
        'a value with a colon in it needs quotes: key: "one: two"'
    ),
    "expected <block end>, but found '<scalar>'": (
        "a value that begins with a quote or a bracket needs quotes around all of it"
    ),
}
_NOT_A_MAPPING_MESSAGE = "the front matter has no settings like 'key: value'"
_TOO_DEEP_MESSAGE = "the front matter is nested too deeply"
_MAX_DIGITS = 4_300  # int() reads no more, nor does str() write them
_TOO_MANY_DIGITS = re.compile(rf"[0-9_]{{{_MAX_DIGITS},}}")
# A text in quotes, which may hold brackets that open nothing, or a bracket.
_BRACKET = re.compile(r'"(?:\\.|[^"\\])*"?|(?P<open>[\[{])|(?P<close>[\]}])')

FrontMatterFormat = Literal["yaml", "toml", "json", "none"]


class RepeatedSetting(NamedTuple):
    """A setting that a later one of the same key replaces; ``line`` is the later one's."""

    key: str
    value: Any
    first_line: int
    line: int


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
        repeated: settings that later ones replace.
        item_lines: top-level key of a list in YAML -> 1-based line of each item.
    """

    data: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    body: str = ""
    body_line: int = 1
    format: FrontMatterFormat = "none"
    repeated: tuple[RepeatedSetting, ...] = ()
    item_lines: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def find_line(self, key: str, index: int | None = None) -> int | None:
        """Return the line of a setting, or of an item of it; of the setting if that is unknown."""
        items = self.item_lines.get(key, ())
        if index is not None and index < len(items):
            return items[index]
        return self.lines.get(key)


@dataclass(slots=True)
class _ParsedSettings:
    """The settings read so far; of a repeated key the last one counts, as for Jekyll."""

    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    repeated: list[RepeatedSetting] = field(default_factory=list)
    item_lines: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def add(self, key: str, value: Any, line: int, item_lines: tuple[int, ...] = ()) -> None:
        if key in self.data:
            self.repeated.append(RepeatedSetting(key, self.data[key], self.lines[key], line))
        self.data[key] = value
        self.lines[key] = line
        self.item_lines[key] = item_lines

    def build(self, body: str, body_line: int, syntax: FrontMatterFormat) -> FrontMatter:
        return FrontMatter(
            self.data,
            self.lines,
            body,
            body_line,
            syntax,
            tuple(self.repeated),
            {key: lines for key, lines in self.item_lines.items() if lines},
        )


def split_front_matter(text: str, path: str, *, allow_repeated: bool = False) -> FrontMatter:
    r"""Split a post into front matter and body.

    Args:
        text: the whole file, ``\n`` line ends.
        path: its name, for messages.
        allow_repeated: whether a key may be set twice.

    Raises:
        PostError: the front matter is invalid; with its line in the file.
    """
    fence = text.split("\n", 1)[0].rstrip()
    if fence == "---":
        front_matter = _parse_fenced(text, path, "yaml", ("---", "..."))
    elif fence == "+++":
        front_matter = _parse_fenced(text, path, "toml", ("+++",))
    elif _JSON_START.match(text):
        front_matter = _parse_json_file(text, path)
    elif named_fence := _NAMED_FENCE.fullmatch(fence):
        language = named_fence["language"].lower().replace("yml", "yaml")
        block_format = "javascript" if language == "js" else language
        front_matter = _parse_fenced(text, path, block_format, ("---",))
    else:
        return FrontMatter(body=text)
    if front_matter.repeated and not allow_repeated:
        key, _, first_line, line = front_matter.repeated[0]
        _raise_invalid(f"'{key}' is set twice, first on line {first_line}", path, line)
    check_values(front_matter.data, front_matter.lines, path)
    return front_matter


def _parse_fenced(
    text: str, path: str, block_format: str, end_fences: tuple[str, ...]
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
    body = "\n".join(lines[end + 1 :])
    if block_format == "yaml":
        return _parse_yaml(block, path).build(body, end + 2, "yaml")
    if block_format == "toml":
        return _parse_toml(block, path).build(body, end + 2, "toml")
    if block_format == "json":
        start = _skip_whitespace(block, 0)
        return _parse_json(block, start, path)[0].build(body, end + 2, "json")
    # A program can't be run here: its text is the only setting.
    return FrontMatter({block_format: block.strip()}, {block_format: 2}, body, end + 2, "json")


def _parse_yaml(block: str, path: str) -> _ParsedSettings:
    try:
        entries = safe_yaml.load_entries(block)
    except safe_yaml.YamlError as error:
        _raise_invalid(_describe_yaml_error(error), path, error.line)
    settings = _ParsedSettings()
    # The mapping's own keys override those merged with <<; of the merged, the first counts.
    for entry in sorted(entries, key=lambda entry: entry.is_merged):
        key = normalize_key(entry.key)
        if not (entry.is_merged and key in settings.data):
            settings.add(key, entry.value, entry.line, entry.item_lines)
    return settings


def _describe_yaml_error(error: safe_yaml.YamlError) -> str:
    if error.kind == "limit":
        return f"the front matter has {error.problem}"
    if error.kind == "content":
        return _NOT_A_MAPPING_MESSAGE
    if error.kind == "character":
        return error.problem
    if "found character '\\t'" in error.problem:
        return "there is a tab where YAML requires spaces"
    if found := _UNQUOTED_START.search(error.problem):
        return f"a value that begins with {found[1]} needs quotes around it"
    default = f"the front matter is not valid YAML: {error.problem}"
    return _YAML_MESSAGES.get(error.problem, default)


def _parse_toml(block: str, path: str) -> _ParsedSettings:
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
        _raise_invalid(TOO_LONG_NUMBER_MESSAGE, path, _find_long_number(block))
    except RecursionError:
        _raise_invalid(_TOO_DEEP_MESSAGE, path, _find_deep_nesting(block))
    lines: dict[str, int] = {}
    for found in _TOML_KEY.finditer(block):
        if found[1] in data:
            lines.setdefault(found[1], block.count("\n", 0, found.start(1)) + 1)
    settings = _ParsedSettings()
    for key, value in data.items():
        settings.add(normalize_key(key), value, lines.get(key, 1))
    return settings


def _parse_json_file(text: str, path: str) -> FrontMatter:
    settings, end = _parse_json(text, 0, path)
    after_json = text[end:]
    line = text.count("\n", 0, end) + 1
    if after_json.split("\n", 1)[0].strip():
        _raise_invalid("there is text after the } that ends the front matter", path, line)
    body = after_json.split("\n", 1)[1] if "\n" in after_json else ""
    return settings.build(body, line + 1, "json")


def _parse_json(text: str, start: int, path: str) -> tuple[_ParsedSettings, int]:
    """Return the settings of a JSON object that begins at ``start``, and where it ends."""
    decoder = json.JSONDecoder()
    settings = _ParsedSettings()
    try:
        data, end = decoder.raw_decode(text, start)
        if not isinstance(data, dict):
            line = text.count("\n", 0, start) + 1
            _raise_invalid(_NOT_A_MAPPING_MESSAGE, path, line)
        index = _skip_whitespace(text, start + 1)
        while text[index] != "}":
            key, value_end = decoder.raw_decode(text, index)
            line = text.count("\n", 0, index) + 1
            colon = text.index(":", value_end) + 1
            value, value_end = decoder.raw_decode(text, _skip_whitespace(text, colon))
            settings.add(normalize_key(key), value, line)
            index = _skip_whitespace(text, value_end)
            index = _skip_whitespace(text, index + 1) if text[index] == "," else index
    except json.JSONDecodeError as error:
        reason = f"{error.msg[:1].lower()}{error.msg[1:]}"
        _raise_invalid(f"the front matter is not valid JSON: {reason}", path, error.lineno)
    except ValueError:
        _raise_invalid(TOO_LONG_NUMBER_MESSAGE, path, _find_long_number(text))
    except RecursionError:
        _raise_invalid(_TOO_DEEP_MESSAGE, path, _find_deep_nesting(text))
    return settings, end


def _find_long_number(text: str) -> int:
    """Return the line of the first number with too many digits."""
    found = _TOO_MANY_DIGITS.search(text)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def _find_deep_nesting(text: str) -> int:
    """Return the line on which more brackets are open than may be."""
    depth = 0
    for found in _BRACKET.finditer(text):
        depth += bool(found["open"]) - bool(found["close"])
        if depth > safe_yaml.MAX_DEPTH:
            return text.count("\n", 0, found.start()) + 1
    return 1


def _skip_whitespace(text: str, index: int) -> int:
    while text[index : index + 1].isspace():
        index += 1
    return index


def _raise_invalid(message: str, path: str, line: int) -> NoReturn:
    raise PostError(
        message,
        where=Location(path, line),
        remedy="Write one setting per line, such as: title: Spring in the harbour",
    )
