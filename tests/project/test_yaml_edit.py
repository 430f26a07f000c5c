"""A value is changed where it stands; everything else in the file stays as it is."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.config.yaml_document import parse_yaml_document
from newsletter.project.yaml_edit import YamlEditError, edit_yaml

STARTER = Path(__file__).parents[2] / "newsletter/project/starter/newsletter.yml"

# before, key path, value, after
CASES = [
    ("name: Old\n", "name", "New", "name: New\n"),
    ("name: Old", "name", "New", "name: New"),
    ("name: Old\r\nid: x\r\n", "name", "New", "name: New\r\nid: x\r\n"),
    ('name: "Old" # why\n', "name", "New", 'name: "New" # why\n'),
    ("name: 'Old'\n", "name", "It's", "name: 'It''s'\n"),
    ("name: Old\n", "name", "A: b", "name: 'A: b'\n"),
    ("name: Old\n", "name", "A #1", "name: 'A #1'\n"),
    ("name: Old\n", "name", 'say "hi"', 'name: say "hi"\n'),
    ("name: Old\n", "name", "no", "name: 'no'\n"),
    ("name: Old\n", "name", "12:30", "name: '12:30'\n"),
    ("name: Old\n", "name", "رسالة الميناء", "name: رسالة الميناء\n"),
    ("name: Old\n", "name", "Quay 🚢", "name: Quay 🚢\n"),
    ('name: "Old"\n', "name", 'Quay 🚢 "x" \\', 'name: "Quay 🚢 \\"x\\" \\\\"\n'),
    ("📰: x\nname: Old # 🚢\n", "name", "New", "📰: x\nname: New # 🚢\n"),
    ("name: Old\n", "name", "a\nb", 'name: "a\\nb"\n'),
    ("name: Old      # why\n", "name", "Newer", "name: Newer    # why\n"),
    ("name: Old  # why\n", "name", "Much newer", "name: Much newer  # why\n"),
    ("name:\tOld\nid: x\n", "name", "New", "name:\tNew\nid: x\n"),
    ("name:\nid: x\n", "name", "New", "name: New\nid: x\n"),
    ("name:   # why\nid: x\n", "name", "New", "name: New  # why\nid: x\n"),
    ("name: ~\n", "name", "New", "name: New\n"),
    ("name: |  # why\n  a\n  b\n\nid: x\n", "name", "New", "name: New  # why\n\nid: x\n"),
    ("name: >-\n  a\n  b\n# c\nid: x\n", "name", "New", "name: New\n# c\nid: x\n"),
    ("name: a\n  b\nid: x\n", "name", "New", "name: New\nid: x\n"),
    ("name: 12\n", "name", 13, "name: 13\n"),
    ("id: x\n# the name\n", "name", "New", "id: x\n# the name\nname: New\n"),
    ("id: x", "name", "New", "id: x\nname: New\n"),
    ("id: x\n#name: Old   # why\n", "name", "New", "id: x\nname: New    # why\n"),
    ("# name: Old\nid: x\n", "name", "New", "name: New\nid: x\n"),
    ("#name: 'a # b' # c\nid: x\n", "name", "New", "name: New      # c\nid: x\n"),
    ("#name:\nid: x\n", "name", "New", "name: New\nid: x\n"),
    ("id: |\n  #name: a\n", "name", "New", "id: |\n  #name: a\nname: New\n"),
    ("a:\n  #name: Old\nid: x\n", "name", "New", "a:\n  #name: Old\nid: x\nname: New\n"),
    ("{name: Old, id: x}\n", "name", "a, b", "{name: 'a, b', id: x}\n"),
    ("{id: x}\n", "name", "a, b", "{id: x, name: 'a, b'}\n"),
    ("s:\n  name: Old\n  id: x\n", "s.name", "New", "s:\n  name: New\n  id: x\n"),
    ("s:\n  id: x # c\n\nt: 1\n", "s.name", "New", "s:\n  id: x # c\n  name: New\n\nt: 1\n"),
    ("s:\n    id: x\n", "s.name", "New", "s:\n    id: x\n    name: New"),
    ("s: # c\nt: 1\n", "s.name", "New", "s: # c\n  name: New\nt: 1\n"),
    ("s:\n  #name: Old\nt: 1\n", "s.name", "New", "s:\n  name: New\nt: 1\n"),
    ("s:\n  id: x\n#  name: Old\n", "s.name", "New", "s:\n  id: x\n  name: New\n"),
    ("s:\r\n  id: x\r\nt: 1", "s.name", "New", "s:\r\n  id: x\r\n  name: New\r\nt: 1"),
    (
        "s:\n  id: |\n    #name: a\n",
        "s.name",
        "New",
        "s:\n  id: |\n    #name: a\n  name: New\n",
    ),
    ("s: {id: x}\n", "s.name", "New", "s: {id: x, name: New}\n"),
    ("s: {}\n", "s.name", "New", "s: {name: New}\n"),
    ("id: x\n", "s.name", "New", "id: x\ns:\n  name: New\n"),
    ("  id: x\n", "s.name", "New", "  id: x\n  s:\n    name: New\n"),
    ("{id: x}\n", "s.name", "New", "{id: x, s: {name: New}}\n"),
    ("s: {id: x}\n", "s.t.name", "a, b", "s: {id: x, t: {name: 'a, b'}}\n"),
    ("id: x\n#name: y\n", "s.name", "New", "id: x\n#name: y\ns:\n  name: New\n"),
    ("name: Old # why\nid: x\n", "name", None, "#name: Old # why\nid: x\n"),
    ("s:\n  name: Old\nid: x\n", "s.name", None, "s:\n  #name: Old\nid: x\n"),
    ("name: |\n  a\n\n  b\nid: x\n", "name", None, "#name: |\n#  a\n\n#  b\nid: x\n"),
    ("{name: Old, id: x}\n", "name", None, "{name: null, id: x}\n"),
    ("id: x\n", "name", None, "id: x\n"),
    ("id: x\n", "s.name", None, "id: x\n"),
]


@pytest.mark.parametrize(("before", "key", "value", "after"), CASES)
def test_value_is_changed_and_nothing_else(
    before: str, key: str, value: str | int | None, after: str
) -> None:
    assert edit_yaml(before, {tuple(key.split(".")): value}).rstrip("\n") == after.rstrip("\n")


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("id: &a x\nname: *a\n", "name", 2),
        ("name: &a x\nid: *a\n", "name", 1),
        ("id: x\ns: ~\n", "s.name", 2),
        ("id: x\nname: [a]\n", "name", 2),
        ("id: x\n? name\n: Old: y\n", "name", 2),
    ],
)
def test_value_that_cannot_be_changed_alone_is_refused_with_its_line(
    text: str, key: str, line: int
) -> None:
    with pytest.raises(YamlEditError) as caught:
        edit_yaml(text, {tuple(key.split(".")): "New"})
    assert caught.value.line == line


def test_settings_of_a_new_newsletter_are_set_in_place() -> None:
    before = STARTER.read_text().replace("@", "x")
    after = edit_yaml(
        before,
        {
            ("sender", "reply_to"): "hello@quay.org",
            ("postal_address",): "Quay, 1 Street, Bergen",
            ("timezone",): "Europe/Oslo",
            ("sendgrid", "asm_group"): 7,
        },
    )
    changed = [
        (old, new)
        for old, new in zip(before.splitlines(), after.splitlines(), strict=True)
        if old != new
    ]
    assert [new[:47] for _, new in changed] == [
        "  reply_to: hello@quay.org",
        "postal_address: Quay, 1 Street, Bergen",
        "timezone: Europe/Oslo         # of the times th",
        "  asm_group: 7                # SendGrid's unsu",
    ]


@given(
    value=st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n"), min_size=1),
    before=st.sampled_from([case[0] for case in CASES[:23]] + ["id: x\n", "#name: y # z\nid: x\n"]),
)
def test_any_text_is_read_back(value: str, before: str) -> None:
    after = edit_yaml(before, {("name",): value})
    assert parse_yaml_document(after).data["name"] == value
