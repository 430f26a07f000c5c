import datetime
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import PostError
from newsletter.posts.front_matter.keys import KNOWN_KEYS, normalize_key
from newsletter.posts.front_matter.parse import split_front_matter
from newsletter.posts.front_matter.schema import FrontMatterFields

YAML = """\
---
title: "Spring: a start"

date: 2026-11-22
tags:
  - boats
  - fog
author:
  name: Ada
draft: true
---
Body
"""
TOML = """\
+++
title = "Spring"
date = 2026-11-22
text = '''
title = "not this one"
'''
[author]
name = "Ada"
+++
Body
"""
JSON = """\
{"title": "Spring",
  "author": {"name": "Ada", "title": "Dr"},
  "tags": [1, {"x": "}"}],
  "draft": true
}
Body
"""


def test_yaml_is_parsed_with_lines() -> None:
    front = split_front_matter(YAML, "post.md")
    assert front.data == {
        "title": "Spring: a start",
        "date": datetime.date(2026, 11, 22),
        "tags": ["boats", "fog"],
        "author": {"name": "Ada"},
        "draft": True,
    }
    assert front.lines == {"title": 2, "date": 4, "tags": 5, "author": 8, "draft": 10}
    assert (front.body, front.body_line, front.format) == ("Body\n", 12, "yaml")


def test_toml_is_parsed_with_lines() -> None:
    front = split_front_matter(TOML, "post.md")
    assert front.data["author"] == {"name": "Ada"}
    assert front.lines == {"title": 2, "date": 3, "text": 4, "author": 7}
    assert (front.body, front.body_line, front.format) == ("Body\n", 10, "toml")


def test_json_is_parsed_with_lines() -> None:
    front = split_front_matter(JSON, "post.md")
    assert front.data == json.loads(JSON.removesuffix("Body\n"))
    assert front.lines == {"title": 1, "author": 2, "tags": 3, "draft": 4}
    assert (front.body, front.body_line, front.format) == ("Body\n", 6, "json")


@pytest.mark.parametrize("text", ["", "# Title\n\nBody", "{{ subscriber.name }}", "{.lead}\nText"])
def test_post_without_front_matter_is_all_body(text: str) -> None:
    front = split_front_matter(text, "post.md")
    assert (front.data, front.body, front.body_line, front.format) == ({}, text, 1, "none")


@pytest.mark.parametrize("text", ["---\n---\nBody", "+++\n+++\nBody", "{\n}\nBody"])
def test_empty_front_matter_has_no_data(text: str) -> None:
    front = split_front_matter(text, "post.md")
    assert (front.data, front.body, front.body_line) == ({}, "Body", 3)


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("No", "No"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("007", "007"),
        ("1_000", "1_000"),
        ("2026", 2026),
        ("1.5", 1.5),
        ("~", None),
        ("", None),
        ("2026-11-22 09:00", "2026-11-22 09:00"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_scalars_follow_yaml_1_2(scalar: str, value: object) -> None:
    assert split_front_matter(f"---\ntitle: {scalar}\n---\n", "post.md").data == {"title": value}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("---\ntitle: Spring: a start\n---\n", 2, "needs quotes"),
        ("---\na: 1\n\ttitle: x\n---\n", 3, "tab"),
        ("---\na: 1\nb: 'open\n---\n", 4, "not valid YAML"),
        ("---\na: 1\nb: 2\na: 3\n---\n", 4, "set twice, first on line 2"),
        ("---\ndate: 2026-02-31\n---\n", 2, "day is out of range"),
        ("---\n\n- a\n- b\n---\n", 3, "no settings like 'key: value'"),
        ("---\ntitle: x\nBody", 1, "never ends"),
        ("---\na: 1\nb: !!python/object/apply:os.getcwd []\n---\n", 3, "not valid YAML"),
        ("---\na: &a [*a]\n---\n", 2, "unknown alias *a"),
        ("---\na: " + "[" * 5000 + "\n---\n", 2, "levels"),
        ("---\na: 1\nb: !!bool x\n---\n", 3, "can't be read"),
        ("---\na: 1\nb: !!timestamp x\n---\n", 3, "can't be read"),
        ("---\na: !!int ''\n---\n", 2, "can't be read"),
        ('---\na: 1\nb: "\\UFFFFFFFF"\n---\n', 3, "no character has the number"),
        ('---\na: 1\nb: "\\U00110000"\n---\n', 3, "no character has the number"),
        ("+++\na = " + "9" * 5_000 + "\n+++\n", 1, "too many digits"),
        ("+++\na = 1\nb = \n+++\n", 3, "not valid TOML"),
        ("+++\na = 1\na = 2\n+++\n", 3, "not valid TOML"),
        ("+++\na = " + "[" * 100_000 + "\n+++\n", 1, "too deeply"),
        ('{\n  "a": 1,\n  "b": yes\n}\n', 3, "not valid JSON"),
        ('{\n  "a": 1,\n  "a": 2\n}\n', 3, "set twice, first on line 2"),
        ('---\na: 1\nb: [{x: "\\ud800"}]\n---\n', 3, "half of a character"),
        ('---\n"\\udfff": 1\n---\n', 2, "half of a character"),
        ('{\n"title": "\\ud83d"}\n', 2, "half of a character"),
        ('{"a": 1} Body', 1, "after the }"),
        ('{"a": ' + "9" * 5_000 + "}\n", 1, "too many digits"),
        ('{"a": ' + "[" * 100_000, 1, "too deeply"),
    ],
)
def test_invalid_front_matter_is_reported_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(PostError) as caught:
        split_front_matter(text, "post.md")
    (problem,) = caught.value.problems
    assert problem.where == ("post.md", line)
    assert message in problem.message
    assert problem.remedy


SPELLINGS = [
    "---\nTitle: A\nReply-To: b@c.example\nLayout: wide\nREPLY: x\n---\n",
    '+++\nTitle = "A"\nReply-To = "b@c.example"\nLayout = "wide"\nREPLY = "x"\n+++\n',
    '{"Title": "A",\n"Reply-To": "b@c.example",\n"Layout": "wide",\n"REPLY": "x"\n}\n',
]


@pytest.mark.parametrize("text", SPELLINGS, ids=["yaml", "toml", "json"])
def test_known_keys_have_one_spelling_and_others_stay_as_written(text: str) -> None:
    front = split_front_matter(text, "post.md")
    assert front.data == {
        "title": "A", "reply_to": "b@c.example", "Layout": "wide", "REPLY": "x",
    }  # fmt: skip
    first = 1 if text.startswith("{") else 2
    assert front.lines == {
        "title": first, "reply_to": first + 1, "Layout": first + 2, "REPLY": first + 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["---\nTitle: A\ntitle: B\n---\n", '+++\nTitle = "A"\ntitle = "B"\n+++\n',
     '{"Title": "A",\n"title": "B"}\n'],
)  # fmt: skip
def test_two_spellings_of_one_key_are_reported(text: str) -> None:
    with pytest.raises(PostError, match="'title' is set twice"):
        split_front_matter(text, "post.md")


def test_every_setting_is_a_known_key() -> None:
    assert {*FrontMatterFields.model_fields, "slug"} == KNOWN_KEYS


def test_aliases_work_but_cannot_expand_without_limit() -> None:
    assert split_front_matter("---\na: &x Ada\nb: *x\n---\n", "post.md").data == {
        "a": "Ada",
        "b": "Ada",
    }
    bomb = "a0: &a0 [" + "x, " * 10 + "]\n"
    for n in range(9):
        bomb += f"a{n + 1}: &a{n + 1} [" + f"*a{n}, " * 10 + "]\n"
    with pytest.raises(PostError, match=r"^post.md:5: .*more than 10,000 values"):
        split_front_matter(f"---\n{bomb}---\n", "post.md")


@given(st.text(max_size=200), st.sampled_from(["---", "+++"]))
def test_any_block_is_parsed_or_rejected(block: str, fence: str) -> None:
    try:
        front = split_front_matter(f"{fence}\n{block}\n{fence}\nBody", "post.md")
    except PostError as error:
        where = error.problems[0].where
        assert where is not None
        assert 1 <= (where.line or 0) <= block.count("\n") + 4
    else:
        assert isinstance(front.data, dict)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


# The known keys have one spelling: SUBJECT is subject.
_KEYS = st.text(min_size=1).filter(lambda key: normalize_key(key) == key)


@given(st.dictionaries(_KEYS, _VALUES, max_size=5))
def test_json_round_trips_with_a_line_for_each_key(data: dict[str, Any]) -> None:
    front = split_front_matter(json.dumps(data, indent=1) + "\nBody", "post.md")
    assert front.data == data
    assert list(front.lines) == list(data)
    assert front.body == "Body"


_PRINTABLE = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]))


@given(st.dictionaries(st.text("abcdef", min_size=1), _PRINTABLE, max_size=5))
def test_yaml_text_round_trips(data: dict[str, str]) -> None:
    written = yaml.safe_dump(data, allow_unicode=True, default_style='"', width=10_000)
    front = split_front_matter(f"---\n{written}---\nBody", "post.md")
    assert front.data == data
    assert front.body == "Body"
