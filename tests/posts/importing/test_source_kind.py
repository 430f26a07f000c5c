"""What a source is, by its name or by its content."""

import pytest

from newsletter.posts.importing.source_kind import (
    detect_source_kind,
    is_export,
    is_table,
)


@pytest.mark.parametrize(
    ("path", "text", "kind"),
    [
        ("a.md", "<p>x</p>", "markdown"),
        ("a.MARKDOWN", "x", "markdown"),
        ("a.htm", "x", "html"),
        ("a.txt", "# x\n\n[a](b)", "text"),
        ("a.txt", "---\n# why\ntitle: x\n---\ny", "markdown"),
        ("a.txt", "---\n\nLow tide\n\n---\n", "text"),
        ("a.txt", "<!doctype html><p>x", "html"),
        ("-", "<p>x</p>", "html"),
        ("-", "<?xml version='1.0'?><html>", "html"),
        ("-", "<3 you all", "text"),
        ("-", "x\n\n## y", "markdown"),
        ("-", "see [a](https://b.example)", "markdown"),
        ("-", "+++\ntitle = 'x'\n+++\n", "markdown"),
        ("-", '{"title": "x"}\n\ny', "markdown"),
        ("-", "x\n\n- y", "text"),
        ("a.xml", "<feeds>x", "text"),
        ("-", "<!-- a -->\n" * 40 + "<html>", "html"),
        pytest.param("-", "<!-- a -->\n" * 40 + "x", "text", id="many comments take no time"),
        ("post", "plain words", "text"),
    ],
)
def test_source_kind_is_detected_by_name_then_content(path: str, text: str, kind: str) -> None:
    assert detect_source_kind(text, path) == kind


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"db": [{"meta": {}}]}', True),
        ('[{"title": "A"}]', True),
        ("<?xml version='1.0'?>\n<!-- by WordPress --><rss version='2.0'>", True),
        ("<feed xmlns='http://www.w3.org/2005/Atom'>", True),
        ('{"title": "A"}\nText', False),
        ("[a](b)", False),
        ("<p>feed</p>", False),
    ],
)
def test_exports_and_feeds_are_recognized(text: str, *, expected: bool) -> None:
    assert is_export(text) == expected


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("readers.CSV", "anything", True),
        ("readers", "id,correo,nombre\n1,ada@example.com,Ada\n\n2,bo@example.com,Bo\n", True),
        ("-", '"ada@example.com";"Ada"\n"bo@example.com";"Bo"', True),
        ("a.txt", "ada@example.com\nbo@example.com", True),
        ("a.txt", "ada@example.com", True),
        ("a.txt", "", False),
        ("a.txt", "Write to us\nada@example.com, any time\nThanks!", False),
        ("a.txt", "Fog\n\nWrite to ada@example.com.", False),
    ],
)
def test_tables_of_readers_are_recognized(path: str, text: str, *, expected: bool) -> None:
    assert is_table(text, path) == expected
