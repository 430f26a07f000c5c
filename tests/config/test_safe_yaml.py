from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.config import safe_yaml
from newsletter.config.yaml_document import parse_yaml_document

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
LIMITS = "more than 10,000 values or 20 levels"
ALIASES = "aliases (*name) that repeat more than 100,000 characters"


def read_entries(text: str) -> Any:
    try:
        return safe_yaml.load_entries(text)
    except safe_yaml.YamlError as error:
        return error.line, error.kind, error.problem


def read_document(text: str) -> Any:
    document = parse_yaml_document(text)
    return document.data, document.lines, document.raw_scalars, document.problems


def read_with_and_without_libyaml(read: Callable[[str], Any], text: str) -> Any:
    """Return what was read, which must be the same with libyaml and without it."""
    with_libyaml = read(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(safe_yaml, "LIBYAML_LOADERS", safe_yaml.PYTHON_LOADERS)
        assert repr(read(text)) == repr(with_libyaml)
    return with_libyaml


def test_libyaml_is_used() -> None:
    assert all(issubclass(kind, yaml.CSafeLoader) for kind in safe_yaml.LIBYAML_LOADERS.values())


# text, line, kind, problem; message about newsletter.yml
INVALID = [
    (f"x: {'[' * 21}{']' * 21}", 1, "limit", LIMITS, f"the file has {LIMITS}"),
    ("a: 1\nx: " + "[" * 5000, 2, "limit", LIMITS, f"the file has {LIMITS}"),
    ("a: 1\nx: " + "{a: " * 5000, 2, "limit", LIMITS, f"the file has {LIMITS}"),
    ("- " * 5000, 1, "limit", LIMITS, f"the file has {LIMITS}"),
    ("x: [" + "1, " * 10_000 + "1]", 1, "limit", LIMITS, f"the file has {LIMITS}"),
    (BOMB, 4, "limit", LIMITS, f"the file has {LIMITS}"),
    (f"a: &a {'x' * 10_000}\nb: [{'*a, ' * 11}]", 2, "limit", ALIASES, f"the file has {ALIASES}"),
    ("a: &a [*a]", 1, "syntax", "unknown alias *a", "this is not valid YAML (unknown alias *a)"),
    ("a: 1\nb: *c", 2, "syntax", "unknown alias *c", "this is not valid YAML (unknown alias *c)"),
    (
        "a: 1\nb: c: d",
        2,
        "syntax",
        "mapping values are not allowed here",
        "this line has a second ':' or wrong indentation",
    ),
    (
        "a: 1\n\tb: 2",
        2,
        "syntax",
        "found character '\\t' that cannot start any token",
        "this line is indented with a tab",
    ),
    (
        "a: @b",
        1,
        "syntax",
        "found character '@' that cannot start any token",
        "this is not valid YAML (found character '@' that cannot start any token)",
    ),
    (
        "a: 1\n---\nb: 2",
        2,
        "syntax",
        "but found another document",
        "this is not valid YAML (but found another document)",
    ),
    (
        "a: 1\nb: \x07",
        2,
        "character",
        "this line contains a control character",
        "this line contains a control character",
    ),
    *(
        (
            f'a: 1\nb: "{escape}"',
            2,
            "character",
            "there is no character with the number in this escape",
            "there is no character with the number in this escape",
        )
        for escape in ("\\UFFFFFFFF", "\\U00110000")
    ),
]


@pytest.mark.parametrize(("text", "line", "kind", "problem", "message"), INVALID)
def test_what_is_rejected_is_the_same_with_and_without_libyaml(
    text: str, line: int, kind: str, problem: str, message: str
) -> None:
    assert read_with_and_without_libyaml(read_entries, text) == (line, kind, problem)
    (found,) = read_with_and_without_libyaml(read_document, text)[3]
    assert (found.line, found.message) == (line, message)


@pytest.mark.parametrize(
    ("text", "core", "yaml_1_1"),
    [
        ("no", "no", False),
        ("12:30", "12:30", 750),
        ("1_000", "1_000", 1000),
        ("0x1F", "0x1F", 31),
        ("007", "007", 7),
        ("3.10", "3.10", 3.1),
        ("2026-02-30", "2026-02-30", "2026-02-30"),
        ("~", None, None),
        ("true", True, True),
        ("'true'", "true", "true"),
        ("&a x", "x", "x"),
        ("!!str 1", "1", "1"),
        ("! 1", 1, 1),
        ("x\t", "x", "x"),
        ("\tx", "x", "x"),
        ("[" * 19 + "]" * 19, None, None),
    ],
)
def test_values_are_the_same_with_and_without_libyaml(
    text: str, core: object, yaml_1_1: object
) -> None:
    (entry,) = read_with_and_without_libyaml(read_entries, f"\nkey: {text}\n")
    data, lines, _, problems = read_with_and_without_libyaml(read_document, f"\nkey: {text}\n")
    assert (entry.key, entry.line, lines["key",], problems) == ("key", 2, 2, [])
    if not text.startswith("["):
        assert (entry.value, data["key"]) == (core, yaml_1_1)


_YAML_PIECES = [
    *("a: ", "b: ", "- ", "? ", ": ", "\n", "\n  ", "\n    ", "'x'", "[", "]", "{", "}", ", "),
    *(
        "|\n",
        ">\n",
        "&x ",
        "*x",
        "!!int ",
        "!foo ",
        "! ",
        "<<: ",
        "12:30",
        " # c",
        "é",
        "\u2028",
        "\x85",
    ),
    *("---", "title: x\n", "key:\n", "@", "a:b", "-", "?", " ", "~", "🙂", "\t", "\ufeff"),
    *('"\\ud800"', "2026-10-02 23:30:00 -0800"),
]


@example("---")
@example("# a\n--- # b")
@example("---\n")
@given(st.lists(st.sampled_from(_YAML_PIECES), max_size=9).map("".join))
def test_libyaml_and_pyyaml_read_the_same(block: str) -> None:
    read_with_and_without_libyaml(read_entries, block)
    read_with_and_without_libyaml(read_document, block)


def test_tabs_between_tokens_keep_the_columns_of_what_follows() -> None:
    root = safe_yaml.parse_nodes("name:\t\tQuay\nid:\t \tx\t\t\n", "1.1")
    assert isinstance(root, yaml.MappingNode)
    assert [value.start_mark.column for _, value in root.value] == [7, 6]
