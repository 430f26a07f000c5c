"""Regular expressions match the same on every supported version of Python."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Python 3.11.0 to 3.11.4 match a possessive group wrongly if something in it can be tried in
# another way (CPython, issue 106052); an atomic group, (?>…), is right everywhere. A group that is
# empty is none, but a list of characters.
POSSESSIVE_GROUP = re.compile(r"(?<![\\(])[)}](?:[*+?]|\{\d*,?\d*\})\+")


@pytest.mark.parametrize(
    ("pattern", "is_found"),
    [("(?:a|b)*+", True), ("(a){1,3}+", True), ("{_GROUP}++", True), ("[ab]*+", False),
     (r"\)++", False), ("(?>(?:a|b)*)", False), ("!$&'()*+,;=", False)],
)  # fmt: skip
def test_possessive_groups_are_recognized(pattern: str, *, is_found: bool) -> None:
    assert bool(POSSESSIVE_GROUP.search(pattern)) == is_found


def test_no_pattern_has_a_possessive_group() -> None:
    lines = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / "newsletter").rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if POSSESSIVE_GROUP.search(line.replace("{_SPACE}*+", ""))  # a set of characters
    ]
    assert lines == []
