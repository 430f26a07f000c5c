import datetime
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from newsletter.errors import PostError
from newsletter.posts.importing.source_post import SourcePost, SourceSettings, UnreadablePost
from newsletter.posts.importing.sources.buttondown import (
    is_buttondown_export,
    open_buttondown_export,
)

SETTINGS = SourceSettings(
    ZoneInfo("Europe/Oslo"), "en", 10_000, base_url="https://buttondown.com/tides"
)
ROW = {
    "id": "abc-1",
    "secondary_id": "1",
    "subject": "Spring, now",
    "publish_date": "2026-03-01 08:00:00+00:00",
    "source": "app",
    "slug": "spring",
}
WriteExport = Callable[..., Path]


@pytest.fixture(params=["csv in a zip", "json in a folder"])
def write_export(request: pytest.FixtureRequest, tmp_path: Path) -> WriteExport:
    """Return a function that writes an export: rows of the table, and texts by their names."""

    def write(*rows: Mapping[str, str], **texts: str) -> Path:
        files = {f"emails/{name}.md": text for name, text in texts.items()}
        files |= {"subscribers.csv": "email\nada@example.com\n", "images.zip": ""}
        columns = list(dict.fromkeys(key for row in (ROW, *rows) for key in row))
        lines = [columns, *([f'"{row.get(key, "")}"' for key in columns] for row in rows)]
        is_zip = request.param == "csv in a zip"
        files |= (
            {"emails.csv": "\n".join(map(",".join, lines))}
            if is_zip
            else {"emails.json": json.dumps([*rows, 7])}
        )
        path = tmp_path / ("export.zip" if is_zip else "export")
        if is_zip:
            with zipfile.ZipFile(path, "w") as archive:
                for name, text in files.items():
                    archive.writestr(name, text)
        for name, text in () if is_zip else files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(text, encoding="utf-8")
        return path

    return write


def read_posts(path: Path) -> list[SourcePost | UnreadablePost]:
    assert is_buttondown_export(path)
    export = open_buttondown_export(path, SETTINGS)
    posts = list(export.iter_posts())
    assert posts == list(export.iter_posts())
    assert export.list_other_items() == {"other files": 2}
    return posts


def test_everything_about_an_email_is_read(write_export: WriteExport) -> None:
    text = "<!-- buttondown-editor-mode: plaintext -->## Ice\n\nHello {{ subscriber.email }}"
    row = {**ROW, "description": "At last", "image": "https://a.example/a.png"}
    assert read_posts(write_export(row, spring=text)) == [
        SourcePost(
            title="Spring, now",
            content="## Ice\n\nHello {{ subscriber.email }}",
            content_format="md",
            post_id="abc-1",
            url="https://buttondown.com/tides/archive/spring/",
            slug="spring",
            date=datetime.datetime(2026, 3, 1, 8, tzinfo=datetime.UTC),
            summary="At last",
            subject="Spring, now",
            hero="https://a.example/a.png",
        )
    ]


@pytest.mark.parametrize(
    ("row", "text", "expected"),
    [
        ({"status": "draft"}, "a", {"status": "draft"}),
        ({"status": "about_to_send"}, "a", {"status": "scheduled"}),
        ({"status": "sent"}, "a", {"status": "published"}),
        ({"publish_date": ""}, "a", {"status": "draft", "date": None}),
        ({"canonical_url": "https://a.example/b"}, "a", {"url": "https://a.example/b"}),
        (
            {},
            "<!-- buttondown-editor-mode: fancy --><h2>Ice</h2>",
            {"content": "<h2>Ice</h2>", "content_format": "html"},
        ),
        (
            {},
            "---\ndescription: From the file\nsubject: No\n---\n\nHello",
            {"summary": "From the file", "title": "Spring, now", "content": "\nHello"},
        ),
    ],
)
def test_other_values(
    write_export: WriteExport, row: Mapping[str, str], text: str, expected: Mapping[str, object]
) -> None:
    (post,) = read_posts(write_export({**ROW, **row}, spring=text))
    assert {key: getattr(post, key) for key in expected} == expected


def test_emails_without_a_file_or_a_row_are_told(write_export: WriteExport) -> None:
    missing, empty, extra = read_posts(
        write_export(
            ROW,
            {**ROW, "slug": "empty", "email_type": "premium"},
            empty="<!-- buttondown-editor-mode: fancy --> ",
            extra="Hello",
        )
    )
    assert isinstance(missing, UnreadablePost)
    assert "not in the export" in missing.problem.message
    assert isinstance(empty, UnreadablePost)
    assert empty.problem.message == "the email has no text"
    assert isinstance(extra, SourcePost)
    assert (extra.title, extra.slug, extra.status) == ("", "extra", "draft")


def test_other_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "emails").mkdir()
    (tmp_path / "emails" / "a.md").write_text("x")
    assert not is_buttondown_export(tmp_path)
    with pytest.raises(PostError, match=r"emails\.csv is missing"):
        list(open_buttondown_export(tmp_path, SETTINGS).iter_posts())
    (tmp_path / "emails.json").write_text("{")
    with pytest.raises(PostError, match="the table of emails is damaged"):
        list(open_buttondown_export(tmp_path, SETTINGS).iter_posts())
