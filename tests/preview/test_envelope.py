"""Sender, subject and preheader are changed in the post, and nothing else in it."""

import stat
from pathlib import Path
from typing import Any

import pytest
from preview_server import PreviewClient

from newsletter.errors import NewsletterError
from newsletter.preview.envelope import (
    EditConflictError,
    build_envelope_data,
    hash_text,
    save_envelope_value,
)
from newsletter.preview.rendered_issues import PreviewWorkspace, Rendering
from newsletter.project import open_project
from newsletter.sending.sample import make_sample_recipient

POST = """\
---
# What the boats did
title: The first boat   # of the year
Subject: "Ice: it went"   # keep
preheader: >-
  It came
  on Tuesday.
tags: [boats,  'spring']
---
Words.
"""


def render(folder: Path) -> Rendering:
    rendering = PreviewWorkspace(open_project(folder.parent.parent)).get_state(folder.name)
    assert rendering.rendering, rendering.problems
    return rendering.rendering


def save(folder: Path, text: str | bytes, key: str, value: str) -> bytes:
    """Write a post, change a setting of it as the page does, and return the new post."""
    post = folder / "post.md"
    post.write_bytes(text if isinstance(text, bytes) else text.encode())
    rendering = render(folder)
    save_envelope_value(rendering, key, value, hash_text(rendering.issue.source))
    return post.read_bytes()


def get_fields(folder: Path) -> Any:
    rendering = render(folder)
    recipient = make_sample_recipient("me@example.com", rendering.config)
    return build_envelope_data(rendering, recipient)["fields"]


@pytest.mark.parametrize(
    ("key", "value", "old", "new"),
    [
        ("subject", "Ice went", '"Ice: it went"   # keep', '"Ice went"       # keep'),
        ("preheader", "Here.", ">-\n  It came\n  on Tuesday.\n", "Here.\n"),
        ("sender_name", "Ada: harbour", "spring']\n", "spring']\nsender_name: 'Ada: harbour'\n"),
        ("subject", "", "Subject:", "#Subject:"),
    ],
)
def test_only_the_setting_changes(
    boat_issue: Path, key: str, value: str, old: str, new: str
) -> None:
    assert save(boat_issue, POST, key, value).decode() == POST.replace(old, new)


@pytest.mark.parametrize("key", ["subject", "preheader", "sender_name"])
@pytest.mark.parametrize(
    "value",
    [
        'It\'s "here": #1 & - [x] {y}',
        "# no comment",
        "yes",
        "12:30",
        "1.10",
        "2026-11-22",
        "Zoë 🐙👩‍👩‍👧‍👦",
        "صباح الخير",
        "x" * 5_000,
        "back\\slash",
    ],
)
def test_value_arrives_as_it_was_typed(boat_issue: Path, key: str, value: str) -> None:
    save(boat_issue, POST, key, value)
    assert get_fields(boat_issue)[key]["value"] == value


@pytest.mark.parametrize("key", ["subject", "preheader"])
def test_merge_tag_arrives_as_it_was_typed(boat_issue: Path, key: str) -> None:
    value = '{{ subscriber.name | default("friend") }}, hello'
    save(boat_issue, POST, key, value)
    assert get_fields(boat_issue)[key]["value"] == value


def test_pasted_line_breaks_become_spaces(boat_issue: Path) -> None:
    save(boat_issue, POST, "subject", "one \r\n two\tand\u2028three\x85\v\f\n")
    assert get_fields(boat_issue)["subject"]["value"] == "one two and three"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_byte_order_mark_stay(boat_issue: Path, line_end: str, mark: bytes) -> None:
    before = mark + POST.replace("\n", line_end).encode()
    after = save(boat_issue, before, "subject", "Snow: it fell")
    assert after == before.replace(b"Ice: it went", b"Snow: it fell").replace(b"   # k", b"  # k")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# Boats\n\nWords.\n", "---\nsubject: Ice\n---\n# Boats\n\nWords.\n"),
        ("# Boats\r\n\r\nWords.", "---\r\nsubject: Ice\r\n---\r\n# Boats\r\n\r\nWords."),
        ("---\n---\n# Boats\n\nWords.\n", "---\nsubject: Ice\n---\n# Boats\n\nWords.\n"),
        ("---yaml\ntitle: Boats\n---\nWords.\n",
         "---yaml\ntitle: Boats\nsubject: Ice\n---\nWords.\n"),
        ("---\ntitle: Boats\n# subject: Old\ndraft: true\n...\nWords.\n",
         "---\ntitle: Boats\nsubject: Ice\ndraft: true\n...\nWords.\n"),
    ],
)  # fmt: skip
def test_subject_is_added_where_there_was_none(boat_issue: Path, before: str, after: str) -> None:
    assert save(boat_issue, before, "subject", "Ice").decode() == after


@pytest.mark.parametrize(
    ("text", "key", "value", "reason"),
    [
        ('+++\ntitle = "Boats"\n+++\nWords.\n', "subject", "Ice", "is TOML: change it in post.md"),
        ('{"title": "Boats"}\nWords.\n', "subject", "Ice", "is JSON: change it in post.md"),
        (POST, "subject", "{{ subscriber.name", "never closed"),
        (POST, "subject", "{{ subscriber.shoe_size }}", "shoe_size"),
        (POST, "subject", "bell\x07", "control character"),
        (POST, "subject", "-nl0h-", "reserved"),
        (POST, "sender_name", "{{ subscriber.name }}", "same for every reader"),
        (POST.replace('"Ice', '&a "Ice').replace("['", "[*a, '").replace("boats,", "*a,"),
         "subject", "Ice", "the preview can't change"),
    ],
)  # fmt: skip
def test_refused_change_writes_nothing(
    boat_issue: Path, text: str, key: str, value: str, reason: str
) -> None:
    post = boat_issue / "post.md"
    post.write_text(text)
    rendering = render(boat_issue)
    with pytest.raises(NewsletterError) as caught:
        save_envelope_value(rendering, key, value, hash_text(rendering.issue.source))
    assert reason in str(caught.value)
    assert post.read_text() == text


def test_post_in_another_encoding_is_refused(boat_issue: Path) -> None:
    text = POST.replace("Words.", "Café, naïve, déjà vu, señor, façade, über.").encode("cp1252")
    with pytest.raises(NewsletterError, match="not UTF-8"):
        save(boat_issue, text, "subject", "Ice")
    assert (boat_issue / "post.md").read_bytes() == text


def test_post_saved_meanwhile_is_not_overwritten(boat_issue: Path) -> None:
    post = boat_issue / "post.md"
    rendering = render(boat_issue)
    post.write_text(POST)
    with pytest.raises(EditConflictError, match=r"post\.md has changed since"):
        save_envelope_value(rendering, "subject", "Mine", hash_text(rendering.issue.source))
    assert post.read_text() == POST
    post.unlink()
    with pytest.raises(EditConflictError, match=r"post\.md has changed since"):
        save_envelope_value(rendering, "subject", "Mine", hash_text(rendering.issue.source))
    assert not post.exists()


def test_mode_stays_and_a_symbolic_link_is_not_replaced(boat_issue: Path) -> None:
    post = boat_issue / "post.md"
    post.chmod(0o640)
    save(boat_issue, POST, "subject", "Ice")
    assert stat.S_IMODE(post.stat().st_mode) == 0o640
    assert [file.name for file in boat_issue.iterdir()] == ["post.md"]
    post.rename(boat_issue.parent / "boat.md")
    post.symlink_to("../boat.md")
    with pytest.raises(NewsletterError, match="symbolic link"):
        save(boat_issue, POST, "subject", "Snow")
    assert post.is_symlink()


def test_each_value_says_what_is_used_without_it(boat_issue: Path) -> None:
    post = boat_issue / "post.md"
    post.write_text(POST.replace("tags:", "description: The page's own.\ntags:"))
    fields = get_fields(boat_issue)
    assert fields["subject"] == {
        "value": "Ice: it went", "fallback": "The first boat", "from": "title"
    }  # fmt: skip
    assert (fields["preheader"]["value"], fields["preheader"]["from"]) == (
        "It came on Tuesday.", "description"
    )  # fmt: skip
    assert fields["sender_name"]["from"] == "newsletter.yml"
    post.write_text("# Boats for {{ subscriber.name }}\n\nWords.\n")
    fields = get_fields(boat_issue)
    assert fields["subject"]["fallback"] == "Boats for Sample Reader"
    assert fields["preheader"] == {"value": "", "fallback": "", "from": "text"}


def test_page_saves_with_origin_hash_and_a_limited_body(
    served: PreviewClient, boat_issue: Path
) -> None:
    post = boat_issue / "post.md"
    shown = served.data("envelope")
    data = {"issue": boat_issue.name, "key": "subject", "value": "Ice", "sha": shown["sha"]}
    before = post.read_text()
    assert served.post("envelope", data).status == 403
    assert served.post("envelope", data, origin="http://evil.example").status == 403
    assert served.post("envelope", {**data, "key": "draft"}, origin=served.origin).status == 400
    assert (
        served.post("envelope", {**data, "value": "x" * 200_000}, origin=served.origin).status
        == 413
    )
    assert served.post("envelope", {**data, "issue": "../x"}, origin=served.origin).status == 409
    assert post.read_text() == before
    with served.stream() as states:
        next(states)
        assert served.post("envelope", data, origin=served.origin).status == 200
        next(states)
    assert served.data("envelope")["fields"]["subject"]["value"] == "Ice"
    stale = served.post("envelope", {**data, "value": "Snow"}, origin=served.origin)
    assert (stale.status, stale.json()["faults"][0]["message"]) == (
        409, "post.md has changed since; the page has been reloaded"
    )  # fmt: skip
    assert "subject: Ice" in post.read_text()
