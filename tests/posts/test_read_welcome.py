"""``welcome.md``: what it may have, and every mistake with file and line."""

from pathlib import Path

import pytest

from newsletter.config.models import Config, SenderSettings
from newsletter.errors import PostError
from newsletter.posts.issue import CallToAction
from newsletter.posts.read_welcome import read_welcome

CONFIG = Config(
    name="Harbour Notes",
    sender=SenderSettings(name="Harbour Notes", address="editor@harbournotes.example"),
    site_url="https://harbournotes.example",
)
HEAD = "---\nsubject: Welcome aboard\n---\n"


def write(folder: Path, text: str) -> Path:
    file = folder / "welcome.md"
    file.write_text(text)
    return file


def test_text_and_settings(tmp_path: Path) -> None:
    text = (
        "---\nsubject: Ahoy, {{ subscriber.name | default('friend') }}\n"
        "preheader: Good to see you\n"
        "button: {text: Visit, url: https://harbournotes.example}\n---\n# Welcome\n\n"
        "Hello<script>alert(1)</script>.\n\n::: latest 2\n## Read on\n:::\n\nBye.\n"
    )
    welcome = read_welcome(write(tmp_path, text), CONFIG)
    assert welcome.subject == "Ahoy, -nl0t-"
    assert welcome.preheader == "Good to see you"
    assert welcome.button == CallToAction("Visit", "https://harbournotes.example")
    assert welcome.post.title == "Welcome"
    assert "script" not in welcome.post.body
    assert '<div class="latest-issues latest-issues-2">\n<h2>Read on</h2>' in welcome.post.body
    assert welcome.post.body.rstrip().endswith("</div>\n<p>Bye.</p>"), "the block is closed"


@pytest.mark.parametrize(
    ("text", "subject", "title"),
    [
        (HEAD + "Hello.", "Welcome aboard", ""),
        (HEAD + "# Hello\n\nYou.", "Welcome aboard", "Hello"),
        ("# Hello\n\nYou.", "Hello", "Hello"),
        ("---\ntitle: Hello\n---\n# Hello\n\nYou.", "Hello", "Hello"),
        (HEAD + "::: latest\n:::\n", "Welcome aboard", ""),
    ],
)
def test_subject_and_headline(tmp_path: Path, text: str, subject: str, title: str) -> None:
    welcome = read_welcome(write(tmp_path, text), CONFIG)
    assert (welcome.subject, welcome.post.title) == (subject, title)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("Hello.", ["1: the email has no subject"]),
        (HEAD, [": the email is empty"]),
        (HEAD + "\n{{ subscriber.name }}", ["5: {{ subscriber.name }} has no default"]),
        (HEAD + "Hello {{ nickname }}", ["4: {{ nickname }} is not a merge tag"]),
        (HEAD + "![A boat](boat.jpg)", ["4: 'boat.jpg' is a file on this machine"]),
        (HEAD + "Hello.\n\n::: latest 3\nOn", ["6: '::: latest' is never closed"]),
        (HEAD + "> ::: latest 3\n\nOn", ["4: '::: latest' is never closed"]),
        (HEAD + "::: latest 11\n:::", ["4: '::: latest 11' must name a number"]),
        (HEAD + "::: latest 0\n:::", ["4: '::: latest 0' must name a number"]),
        (HEAD + "::: latest three\n:::", ["4: '::: latest three' must name a number"]),
        ("---\nsubjct: Hello\n---\nHello.", ["2: unknown key 'subjct'"]),
        (
            "---\nsubject: Hello\nhero: a.jpg\nnumber: 3\nmood: good\n---\n",
            ["3: a welcome email can't have 'hero'", "4: a welcome email can't have 'number'"],
        ),
        ("---\nsubject: [\n---\nHello.", ["the front matter is not valid YAML"]),
        ("---\nsubject: Hello\n", ["1: the front matter begins with --- but never ends"]),
        (HEAD + "Hello -nl0t-.", ["4: '-nl0t-' is reserved for merge tags"]),
    ],
)
def test_mistakes_have_file_and_line(tmp_path: Path, text: str, problems: list[str]) -> None:
    file = write(tmp_path, text)
    with pytest.raises(PostError) as caught:
        read_welcome(file, CONFIG)
    found = [str(problem) for problem in caught.value.problems]
    for problem in problems:
        assert any(f"{file}" in line and problem in line for line in found), found


def test_unreadable_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "welcome.md").mkdir()
    with pytest.raises(PostError, match=r"welcome\.md: the file can't be read: is a directory"):
        read_welcome(tmp_path / "welcome.md", CONFIG)
