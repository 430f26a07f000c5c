import datetime
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from newsletter.config import safe_yaml
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


@pytest.mark.parametrize(
    "text",
    [
        "--- \na: 1\n---\nBody",
        "---\na: 1\n---\t\nBody",
        "---\na: 1\n...\nBody",
        "---yml\na: 1\n---\nBody",
        "--- YAML\na: 1\n---\nBody",
        "+++ \na = 1\n+++ \nBody",
        '{"a":\n1} \nBody',
        '{"a":1}\nBody',
    ],
)
def test_fence_may_have_white_space_after_it(text: str) -> None:
    front = split_front_matter(text, "post.md")
    assert (front.data, front.body, front.body_line) == ({"a": 1}, "Body", text.count("\n") + 1)


@pytest.mark.parametrize("depth", [1, 19])
@pytest.mark.parametrize(("fence", "colon"), [("---", ":"), ("+++", " =")])
def test_values_may_be_nested(fence: str, colon: str, depth: int) -> None:
    text = f"{fence}\na{colon} {'[' * depth}{']' * depth}\n{fence}\n"
    value: object = split_front_matter(text, "post.md").data["a"]
    for _ in range(depth - 1):
        assert isinstance(value, list)
        (value,) = value
    assert value == []


@pytest.mark.parametrize("depth", [1, 20])
def test_mappings_of_json_may_be_nested(depth: int) -> None:
    text = '{"a": ' * depth + "1" + "}" * depth
    value: object = split_front_matter(text, "post.md").data
    for _ in range(depth):
        assert isinstance(value, dict)
        value = value["a"]
    assert value == 1


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
        ("3.10", "3.10"),
        ("-0.5", -0.5),
        ("+5", 5),
        ("False", False),
        ("FALSE", False),
        ("Null", None),
        ("9" * 19, int("9" * 19)),
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
        ("---\na:\t1\nb:\n\t- x\n---\n", 4, "tab"),
        ("---\na: @b\n---\n", 2, "a value that begins with @ needs quotes around it"),
        ("---\na: `b`\n---\n", 2, "a value that begins with ` needs quotes around it"),
        ('---\na: "b" c\n---\n', 2, "a value that begins with a quote or a bracket needs quotes"),
        ("---\na: [b] c\n---\n", 2, "a value that begins with a quote or a bracket needs quotes"),
        ("---\na: 1\nb: 'open\n---\n", 4, "not valid YAML"),
        ("---\na: 1\nb: 2\na: 3\n---\n", 4, "set twice, first on line 2"),
        ("---\n\n- a\n- b\n---\n", 3, "no settings like 'key: value'"),
        ("---\ntitle: x\nBody", 1, "begins with --- but never ends"),
        ("---\na: &a [*a]\n---\n", 2, "unknown alias *a"),
        ("---\na: " + "[" * 5000 + "\n---\n", 2, "levels"),
        ('---\na: 1\nb: "\\UFFFFFFFF"\n---\n', 3, "no character with the number"),
        ('---\na: 1\nb: "\\U00110000"\n---\n', 3, "no character with the number"),
        ("+++\na = 1\nb = " + "9" * 5_000 + "\n+++\n", 3, "too many digits"),
        ("+++\na = 1\nb = [0x" + "f" * 5_000 + "]\n+++\n", 3, "too many digits"),
        ('+++\na = 1\nb = ["\\u0000"]\n+++\n', 3, "a control character here (U+0000)"),
        ('---\na: 1\nb: "\\uFFFE"\n---\n', 3, "a control character here (U+FFFE)"),
        ('---\na: 1\n"\\x1B": b\n---\n', 3, "a control character here (U+001B)"),
        ('{"a": 1,\n"b": {"\\uffff": 1}}\n', 2, "a control character here (U+FFFF)"),
        ('{"a": 1,\n"b": "[\\"[{",\n"c": ' + "[" * 100_000, 3, "too deeply"),
        ("+++\na = 1\nb = \n+++\n", 3, "not valid TOML"),
        ("+++\na = 1\na = 2\n+++\n", 3, "not valid TOML: cannot overwrite"),
        ("+++\na = \nb = 1\n+++\n", 2, "not valid TOML: invalid value"),
        ("+++\na = 1\nb = [\n+++\n", 3, "not valid TOML"),
        ("+++\na = 1\nb = " + "[" * 30 + "]" * 30 + "\n+++\n", 3, "or 20 levels"),
        ("+++\nb = [" + "1, " * 10_000 + "]\n+++\n", 2, "more than 10,000 values"),
        ('{"a": 1,\n"b": ' + "[" * 900 + "]" * 900 + "}\n", 2, "or 20 levels"),
        ('{"b": ' + '{"a": ' * 900 + "1" + "}" * 900 + "}\n", 1, "or 20 levels"),
        ('{\n"b": [' + "1, " * 10_000 + "1]}\n", 2, "more than 10,000 values"),
        ("---\nb: [" + "1, " * 10_000 + "1]\n---\n", 2, "more than 10,000 values"),
        ("---\n- a\n---\n", 2, "no settings like"),
        ("---\na: " + "[" * 20 + "]" * 20 + "\n---\n", 2, "or 20 levels"),
        ('---\na: {"\\ud800": 1}\n---\n', 2, "half of a character"),
        ("+++\na = " + "[" * 100_000 + "\n+++\n", 2, "too deeply"),
        ('{\n  "a": 1,\n  "b": yes\n}\n', 3, "not valid JSON: expecting value"),
        ('{\n"b": ' + '{"a": ' * 20 + "1" + "}" * 20 + "}\n", 2, "or 20 levels"),
        ('{\n  "a": 1,\n  "a": 2\n}\n', 3, "set twice, first on line 2"),
        ("---\na: 1\nb: x\x07\n---\n", 3, "control character"),
        ("---toml\na = 1\nb = \n---\n", 3, "not valid TOML"),
        ("---json\n{\n  'a': 1}\n---\n", 3, "not valid JSON"),
        ("---json\n[1]\n---\n", 2, "no settings like"),
        ("---json\n{}\n", 1, "never ends"),
        ('---\na: 1\nb: [{x: "\\ud800"}]\n---\n', 3, "half of a character"),
        ('---\n"\\udfff": 1\n---\n', 2, "half of a character"),
        ('{\n"title": "\\ud83d"}\n', 2, "half of a character"),
        ('{"a": 1} Body', 1, "after the }"),
        ('{"a": 1,\n"b": ' + "9" * 5_000 + "}\n", 2, "too many digits"),
        ('{"a": ' + "[" * 100_000, 1, "too deeply"),
    ],
)
def test_invalid_front_matter_is_reported_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(PostError) as caught:
        split_front_matter(text, "post.md")
    (problem,) = caught.value.problems
    assert problem.where == ("post.md", line)
    assert message in problem.message
    assert "YAML: the front matter" not in problem.message
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
        "title": "A",
        "reply_to": "b@c.example",
        "Layout": "wide",
        "REPLY": "x",
    }
    first = 1 if text.startswith("{") else 2
    assert front.lines == {
        "title": first,
        "reply_to": first + 1,
        "Layout": first + 2,
        "REPLY": first + 3,
    }


@pytest.mark.parametrize(
    "text",
    [
        "---\nTitle: A\ntitle: B\n---\n",
        '+++\nTitle = "A"\ntitle = "B"\n+++\n',
        '{"Title": "A",\n"title": "B"}\n',
    ],
)
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


@pytest.mark.parametrize(
    ("text", "item", "count"),
    [  # each collection, key and item counts, and an alias as much as what it stands for
        ("---\na: [ITEMS]\n---\n", "x, ", 9_997),
        ("---\na: &n x\nb: [ITEMS]\n---\n", "*n, ", 9_995),
        ("---\na: &n [x]\nb: [ITEMS]\n---\n", "*n, ", 4_997),
        ("+++\na = [ITEMS]\n+++\n", "1, ", 9_999),  # top-level keys don't count here
        ('{"a": [ITEMS 1]}\n', "1, ", 9_998),
    ],
)
def test_limit_of_values_to_the_value(text: str, item: str, count: int) -> None:
    assert split_front_matter(text.replace("ITEMS", item * count), "post.md").data["a"]
    with pytest.raises(PostError, match=r"more than 10,000 values"):
        split_front_matter(text.replace("ITEMS", item * (count + 1)), "post.md")


@pytest.mark.parametrize(
    "text",
    [
        "---\na: &n TEXT\nb: [ITEMS]\n---\n",
        "---\na: &n {k: [TEXT]}\nb: [ITEMS]\n---\n",
        "---\na: &n {TEXT: }\nb: [ITEMS]\n---\n",
        "---\na: &m [TEXT]\nm: &n [*m]\nb: [ITEMS]\n---\n",
    ],
)
def test_limit_of_characters_that_aliases_repeat(text: str) -> None:
    text = text.replace("TEXT", "x" * 998)
    assert split_front_matter(text.replace("ITEMS", "*n, " * 99), "post.md").data["b"]
    with pytest.raises(PostError, match=r"^post.md:[34]: .*more than 100,000 characters"):
        split_front_matter(text.replace("ITEMS", "*n, " * 101), "post.md")


_MERGED = "base: &b {x: 1, title: A}\n<<: *b\ntitle: B\nn:\n  x: 3\n  <<: [*b, {y: 2}]"


@pytest.mark.parametrize(
    ("block", "data"),
    [
        ("t: 2026-10-02", {"t": datetime.date(2026, 10, 2)}),
        ("t: 2026-10-02 23:30:00 -0800", {"t": "2026-10-02T23:30:00-08:00"}),
        ("t: 2026-10-02 23:30:00 +02:00", {"t": "2026-10-02T23:30:00+02:00"}),
        ("t: 2026-10-02 23:30:00 -00:30", {"t": "2026-10-02T23:30:00-00:30"}),
        ("t: 2026-10-02 23:30:00 -08", {"t": "2026-10-02T23:30:00-08:00"}),
        ("t: 2026-10-02T23:30:00.123456789Z", {"t": "2026-10-02T23:30:00.123456+00:00"}),
        ("t: 2026-10-02 23:30:00.5", {"t": "2026-10-02T23:30:00.500000"}),
        *(
            (f"t: {text}", {"t": text})
            for text in (
                "2026-10-02 23:30:00 UTC",
                "2026-13-45",
                "2026-02-31",
                "0000-01-01",
                "2026-10-02 25:00:00",
                "2026-10-02 23:30:00 +99:99",
                "12:30:45",
                "=",
                "0x1F",
                "1e3",
                ".inf",
                "9" * 40,
            )
        ),
        ("t: !!timestamp x", {"t": "x"}),
        ("t: !!int ''", {"t": ""}),
        ("t: !!int " + "9" * 5_000, {"t": "9" * 5_000}),
        ("t: !!float x", {"t": "x"}),
        ("t: !!bool x", {"t": "x"}),
        ("t: !!bool yes", {"t": True}),
        ("t: !!bool Off", {"t": False}),
        ("t: [3.10, 3.9]", {"t": ["3.10", 3.9]}),
        ("t: {<<: [{x: 1}, {x: 2}]}", {"t": {"x": 1}}),
        ("t: !!null x", {"t": None}),
        ("t: !!binary aGVq", {"t": "aGVq"}),
        ("t: !!set {a, b}", {"t": ["a", "b"]}),
        ("t: !!omap [a: 1]", {"t": [{"a": 1}]}),
        ("t: !!python/object/apply:os.getcwd []", {"t": []}),
        ("t: !tide {x: !high 1}", {"t": {"x": "1"}}),
        ("t: {[a]: 1, {b: c}: 2, 3: 4}", {"t": {"['a']": 1, "{'b': 'c'}": 2, 3: 4}}),
        (
            "? [a]\n: 1\ntrue: 2\n1.0: 3\n~: 4\n=: 5",
            {"['a']": 1, "true": 2, "1.0": 3, "~": 4, "=": 5},
        ),
        ("<<: 5", {"<<": 5}),
        ("t: {x: 1, x: 2}", {"t": {"x": 2}}),
        (
            _MERGED,
            {
                "base": {"x": 1, "title": "A"},
                "title": "B",
                "n": {"x": 3, "title": "A", "y": 2},
                "x": 1,
            },
        ),
        ("t:\t x\nu: y \t\nv: |\n  a\n", {"t": "x", "u": "y", "v": "a\n"}),
        ("\ufefft: 1", {"\ufefft": 1}),
    ],
)
@pytest.mark.parametrize("loaders", [safe_yaml.LIBYAML_LOADERS, safe_yaml.PYTHON_LOADERS])
def test_any_value_is_data_with_and_without_libyaml(
    monkeypatch: pytest.MonkeyPatch, loaders: dict[str, type], block: str, data: dict[str, Any]
) -> None:
    monkeypatch.setattr(safe_yaml, "LIBYAML_LOADERS", loaders)
    front = split_front_matter(f"---\n{block}\n---\n", "post.md")
    assert {
        key: value.isoformat() if isinstance(value, datetime.datetime) else value
        for key, value in front.data.items()
    } == data


def test_own_keys_override_merged_ones_and_have_their_lines() -> None:
    front = split_front_matter(f"---\n{_MERGED}\n---\n", "post.md")
    assert front.lines == {"base": 2, "x": 2, "title": 4, "n": 5}


def test_of_a_repeated_setting_the_last_one_counts_if_that_is_allowed() -> None:
    text = "---\na: 1\nb: 2\na: 3\n---\n"
    front = split_front_matter(text, "post.md", allow_repeated=True)
    assert (front.data, front.lines) == ({"a": 3, "b": 2}, {"a": 4, "b": 3})
    assert front.repeated == (("a", 1, 2, 4),)


@pytest.mark.parametrize(
    ("text", "data", "body_line"),
    [
        ('---json\n{"a": 1,\n"b": [2]}\n---\nBody', {"a": 1, "b": [2]}, 5),
        ("---toml\na = 1\n---\nBody", {"a": 1}, 4),
        ("---yaml\na: 1\n---\nBody", {"a": 1}, 4),
        ("---js\n{\n  a: 1 + 1,\n}\n---\nBody", {"javascript": "{\n  a: 1 + 1,\n}"}, 6),
    ],
)
def test_fence_may_name_its_language(text: str, data: dict[str, Any], body_line: int) -> None:
    front = split_front_matter(text, "post.md")
    assert (front.data, front.body, front.body_line) == (data, "Body", body_line)
    assert front.lines[next(iter(data))] == 2


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


_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r\x7f\x85")
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)


# The known keys have one spelling: SUBJECT is subject.
_KEYS = _TEXT.filter(lambda key: key and normalize_key(key) == key)


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
