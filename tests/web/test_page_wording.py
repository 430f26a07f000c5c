"""A project's own words of version 0.1, web/words.yml, and those beside it."""

from pathlib import Path

import pytest

from newsletter.errors import TemplateError
from newsletter.project import open_project
from newsletter.web.page_templates import PageRenderer

UNREADABLE = "the messages can't be read"


@pytest.mark.parametrize(
    ("words", "line", "message"),
    [
        ("en: {a: [}\n", 1, UNREADABLE),
        ("en:\n  a: b\n  c: d: e\n", 3, UNREADABLE),
        (b"en: {a: gr\xe5}\n", None, UNREADABLE),
        ("en: &a [*a]\n", 1, UNREADABLE),
        ("- en\n", 1, "not a mapping of languages to messages"),
        ("---", 1, "not a mapping of languages to messages"),
        ("en: 1\n", None, "not a mapping of languages to messages"),
    ],
)
def test_messages_that_cannot_be_read_are_reported(
    project_folder: Path, words: str | bytes, line: int | None, message: str
) -> None:
    file = project_folder / "templates" / "web" / "words.yml"
    file.write_bytes(words if isinstance(words, bytes) else words.encode())
    with pytest.raises(TemplateError) as caught:
        PageRenderer(open_project(project_folder))
    (problem,) = caught.value.problems
    assert (problem.where, problem.message) == (("templates/web/words.yml", line), message)


def test_unquoted_words_are_text(project_folder: Path) -> None:
    file = project_folder / "templates" / "web" / "words.yml"
    file.write_text("en: {skip: yes}\nno: {join_name: off}\n")
    settings = project_folder / "newsletter.yml"
    settings.write_text(settings.read_text() + 'language: "no"\n')
    messages = PageRenderer(open_project(project_folder)).messages
    assert (messages["skip"], messages["join_name"]) == ("yes", "off")


def test_own_messages_override_merged_ones(project_folder: Path) -> None:
    file = project_folder / "templates" / "web" / "words.yml"
    file.write_text(
        "x-a: &a {en: {skip: a}, de: {skip: first}}\nx-b: &b {de: {skip: second}}\n"
        "en: {skip: own}\n<<: [*a, *b]\n"
    )
    assert PageRenderer(open_project(project_folder)).messages["skip"] == "own"
    settings = project_folder / "newsletter.yml"
    settings.write_text(settings.read_text() + "language: de\n")
    assert PageRenderer(open_project(project_folder)).messages["skip"] == "first"


def test_own_words_override_those_of_version_0_1(project_folder: Path) -> None:
    templates = project_folder / "templates"
    (templates / "web" / "words.yml").write_text("en: {skip: old, join_name: old name}\n")
    (templates / "words" / "en.yml").write_text("page: {skip: new}\n")
    messages = PageRenderer(open_project(project_folder)).messages
    assert (messages["skip"], messages["join_name"]) == ("new", "old name")
    assert messages["join_email"] == "Email address"
