from typing import Any

import pytest

from newsletter.errors import PostError
from newsletter.posts.importing.settings.split_foreign import split_foreign_front_matter


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Nets: a story", "Nets: a story"),
        ("It's: one: two", "It's: one: two"),
        ("Nets: a story # 3", "Nets: a story # 3"),
        ("@nets", "@nets"),
        ("%nets", "%nets"),
        ("`nets` and rope", "`nets` and rope"),
        ("*nets* and rope", "*nets* and rope"),
        ("[Review] Nets", "[Review] Nets"),
        ("{{ page.name }} nets", "{{ page.name }} nets"),
        ('"Nets" and rope', '"Nets" and rope'),
        ('"Nets" and "rope"', '"Nets" and "rope"'),
        ("'Boat's back'", "Boat's back"),
        (r'"C:\dir"', r"C:\dir"),
        ('"Nets and rope', '"Nets and rope'),
        ("[nets, rope", "[nets, rope"),
    ],
)
def test_value_that_yaml_rejects_is_text(value: str, text: str) -> None:
    post = split_foreign_front_matter(f"---\nmood: wet\ntitle: {value}\nx: 1\n---\nBody", "a.md")
    front_matter = post.front_matter
    assert front_matter.data == {"mood": "wet", "title": text, "x": 1}
    assert front_matter.lines == {"mood": 2, "title": 3, "x": 4}
    assert (front_matter.body, front_matter.body_line) == ("Body", 6)
    assert post.yaml_source.split("\n")[::2] == ["mood: wet", "x: 1"]
    assert post.notes == (("title", f"'{text}' is taken as text (YAML needs quotes around it)"),)


@pytest.mark.parametrize(
    ("block", "data"),
    [
        ("a: 1", {"a": 1}),
        ("a: b: c\nd: e: f", {"a": "b: c", "d": "e: f"}),
        ("a:\n  b: c: d\n  e: 1", {"a": {"b": "c: d", "e": 1}}),
        ("a:\n- b\n- '@c'\n- @d", {"a": ["b", "@c", "@d"]}),
        ("a:\n- b: c: d", {"a": [{"b": "c: d"}]}),
        ("a:\n\t- b\n\t- c\nd:\t1", {"a": ["b", "c"], "d": 1}),
        ("a: 1\na: 2", {"a": 2}),
    ],
)
def test_yaml_of_any_shape_is_mended(block: str, data: dict[str, Any]) -> None:
    assert split_foreign_front_matter(f"---\n{block}\n---\n", "a.md").front_matter.data == data


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("---\ntitle: Nets\n  date: 2026-10-02\n---\nBody", 3),
        ("---\ntitle: Nets\nBody", 1),
        ("---\ntitle:Nets\n---\nBody", 2),
        ("---\ntitle: |\n  a\n b\n---\nBody", 4),
        ("---\n" + "a: b: c\n" * 11 + "---\n", 12),
        ("---\nx: " + "y" * 20_000 + "\na: b: c\n---\n", 3),
        ("+++\na = b\n+++\nBody", 2),
        ('{"a": b}\n', 1),
    ],
)
def test_what_cannot_be_mended_is_reported_with_its_line(text: str, line: int) -> None:
    with pytest.raises(PostError) as caught:
        split_foreign_front_matter(text, "a.md")
    assert caught.value.problems[0].where == ("a.md", line)


@pytest.mark.parametrize(
    "text",
    [
        "---\n\nLow tide\n\n---\n\nHigh tide",
        "---\nLow tide",
        "---\n# Low tide\n\nAnd so on",
        "---\n- a\n- b\n---\n",
        "---\n*Low* tide: so on\n\n---\n",
        "---\n'Low tide,' she said: 'so'\n---\n",
        "---\nhttps://x.example\n---\n",
        "---\n{{ page.name }}\n---\n",
        "---",
        "Title: Low tide\n\nBody",  # one line is no block of settings
        "Titled: Low tide\nDate: 2026-10-02\n\nBody",
        "Date: 2026-10-02\nTags: a\n\nBody",
        "Title: Low tide\nDate: 2026-10-02\nBody",
        "Title: Low tide\nDate: 2026-10-02",
        "Title: Low tide\nNote: it: is [\n  y: {\n\nBody",
        "\n\nLow tide\n\n---\n",
        "\n+++\nLow tide\n+++\n",
        " ---\ntitle: a\n---\n",
    ],
)
def test_what_is_no_front_matter_is_text(text: str) -> None:
    post = split_foreign_front_matter(text, "a.md")
    assert (post.front_matter.data, post.front_matter.body) == ({}, text)
    assert (post.yaml_source, post.notes) == ("", ())


@pytest.mark.parametrize(
    ("text", "line", "body_line"),
    [
        ("---\ntitle: A\n---\nBody", 2, 4),
        ("\n \n---\ntitle: A\n---\nBody", 4, 6),
        ('\n+++\ntitle = "A"\n+++\nBody', 3, 5),
        ("---\n# why\ntitle: A\n---\nBody", 3, 5),
        ('---\n"title": A\n---\nBody', 2, 4),
        ("---\n{title: A}\n---\nBody", 2, 4),
        ("---\n? title\n: A\n---\nBody", 2, 5),
        ("title: A\n---\nBody", 1, 3),
        ("title: A\n------\nBody", 1, 3),
        ("Date: 2026-10-02\nTitle: A\n\nBody", 2, 4),
        ("layout: x\ntitle: A\ntags:\n- b\n  c\n---\nBody", 2, 7),
    ],
)
def test_front_matter_is_found(text: str, line: int, body_line: int) -> None:
    front_matter = split_foreign_front_matter(text, "a.md").front_matter
    assert (front_matter.data["title"], front_matter.lines["title"]) == ("A", line)
    assert (front_matter.body, front_matter.body_line) == ("Body", body_line)


def test_yaml_source_is_the_block_as_written() -> None:
    block = "# why\ntitle: A # so\n\nx: [1,\n  2]"
    for text in (f"---\n{block}\n---\nBody", f"---yaml\n{block}\n---\nBody"):
        assert split_foreign_front_matter(text, "a.md").yaml_source == block
    assert split_foreign_front_matter("title: A # so\nx: 1\n\nB", "").yaml_source == (
        "title: A # so\nx: 1"
    )
    assert split_foreign_front_matter('+++\ntitle = "A"\n+++\n', "a.md").yaml_source == ""
