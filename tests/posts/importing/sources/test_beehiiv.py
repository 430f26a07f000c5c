import csv
import datetime
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from newsletter.errors import PostError
from newsletter.posts.importing.source_post import SourcePost, SourceSettings, UnreadablePost
from newsletter.posts.importing.sources.beehiiv import (
    extract_mail_content,
    is_beehiiv_export,
    open_beehiiv_export,
)

SETTINGS = SourceSettings(ZoneInfo("Europe/Oslo"), "en", 300_000)
ROW = {
    "id": "abc-1",
    "web_title": "Spring &amp; tides",
    "status": "confirmed",
    "audience": "free",
    "content_tags": "Tides; Boats",
    "url": "https://tides.beehiiv.com/p/spring",
    "web_subtitle": "At last",
    "email_subject_line": "The boats are back",
    "email_preview_text": "And so is the fog.",
    "content_html": "<p>The ice let go.</p>",
    "thumbnail_url": "https://media.beehiiv.com/a.png",
    "created_at": "2026-03-01 08:00:00",
}
WriteExport = Callable[..., Path]


@pytest.fixture
def write_export(tmp_path: Path) -> WriteExport:
    """Return a function that writes an export with these rows."""

    def write(*rows: Mapping[str, str], encoding: str = "utf-8", delimiter: str = ",") -> Path:
        text = io.StringIO()
        writer = csv.DictWriter(text, [*ROW], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
        path = tmp_path / "posts.csv"
        path.write_bytes(text.getvalue().encode(encoding))
        return path

    return write


def read_posts(path: Path) -> list[SourcePost | UnreadablePost]:
    export = open_beehiiv_export(path, SETTINGS)
    posts = list(export.iter_posts())
    assert posts == list(export.iter_posts())
    return posts


@pytest.mark.parametrize(
    ("encoding", "delimiter"),
    [
        ("utf-8", ","),
        ("utf-8-sig", ";"),
        ("utf-16", ","),
        ("utf-16-le", "\t"),
        ("utf-16-be", ","),
        ("utf-32", ";"),
        ("cp1252", ","),
    ],
)
def test_everything_about_a_post_is_read(
    write_export: WriteExport, encoding: str, delimiter: str
) -> None:
    row = {**ROW, "web_subtitle": "M\xf6wen"}
    path = write_export(row, encoding=encoding, delimiter=delimiter)
    assert is_beehiiv_export(path)
    assert read_posts(path) == [
        SourcePost(
            title="Spring & tides",
            content="<p>The ice let go.</p>",
            post_id="abc-1",
            url="https://tides.beehiiv.com/p/spring",
            slug="spring",
            date=datetime.datetime(2026, 3, 1, 8, tzinfo=datetime.UTC),
            tags=("Tides", "Boats"),
            summary="M\xf6wen",
            subject="The boats are back",
            preheader="And so is the fog.",
            hero="https://media.beehiiv.com/a.png",
        )
    ]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"status": "draft"}, {"status": "draft"}),
        ({"status": "archived"}, {"status": "private"}),
        ({"url": "x", "created_at": ""}, {"url": "", "slug": "", "date": None}),
        ({"content_tags": ""}, {"tags": ()}),
        ({"thumbnail_url": "uploads/a.png"}, {"hero": ""}),
    ],
)
def test_other_values(
    write_export: WriteExport, row: Mapping[str, str], expected: Mapping[str, object]
) -> None:
    (post,) = read_posts(write_export({**ROW, **row}))
    assert {key: getattr(post, key) for key in expected} == expected


def test_large_cell_is_read_and_the_limit_of_others_stays(write_export: WriteExport) -> None:
    limit = 131_072  # Python's own
    csv.field_size_limit(limit)
    large = f"<p>{'x' * 250_000}</p>"
    empty, too_large, post = read_posts(
        write_export(
            {**ROW, "content_html": "<p> </p>"},
            {**ROW, "content_html": large * 2},
            {**ROW, "content_html": large, "audience": "premium"},
        )
    )
    assert csv.field_size_limit() == limit
    assert isinstance(empty, UnreadablePost)
    assert empty.problem.message == "the post has no text"
    assert isinstance(too_large, UnreadablePost)
    assert "300,000 bytes" in too_large.problem.message
    assert isinstance(post, SourcePost)
    assert len(post.content) > 250_000
    assert [note.key for note in post.notes] == ["audience"]


def test_file_that_breaks_off_is_told_with_the_post_in_which_it_does(
    write_export: WriteExport,
) -> None:
    path = write_export(ROW, {**ROW, "id": "abc-2", "web_title": "Summer"})
    text = path.read_text(encoding="utf-8")
    text = text.replace("<p>The ice let go.</p>", '"<p>The ice, it let go.</p>"')
    path.write_text(text[: text.rindex("let go")], encoding="utf-8")
    whole, cut = read_posts(path)
    assert isinstance(whole, SourcePost)
    assert whole.content == "<p>The ice, it let go.</p>"
    assert isinstance(cut, UnreadablePost)
    assert (cut.title, "breaks off" in cut.problem.message) == ("Summer", True)


def test_other_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text("email,name\nada@example.com,Ada\n")
    assert not is_beehiiv_export(path)
    assert not is_beehiiv_export(tmp_path)
    with pytest.raises(PostError, match="the column content_html is missing"):
        list(open_beehiiv_export(path, SETTINGS).iter_posts())


DATA = "<table><tr><td>High</td><td>3.8 m</td></tr><tr><td>Low</td><td>0.6 m</td></tr></table>"


@pytest.mark.parametrize(
    ("source", "content", "removed"),
    [
        (
            (
                "<html><head><style>p {}</style></head><body><div "
                'style="display:none">Preview</div><table role='
                '"presentation"><tr><td><table><tr><td>Harbour '
                'Notes</td></tr></table></td></tr><tr id="content-blocks"><td '
                'style="padding:1px" '
                'align="center"><table><tr><td><h2>Spring</h2><p>The ice '
                "let go.</p></td></tr><tr><td>"
                '<img src="https://a.example/a.png" '
                'alt="A"></td></tr></table></td></tr><tr><td>Unsubscribe <a href='
                '"https://a.example/u">here</a></td></tr></table></body></html>'
            ),
            (
                "<div><h2>Spring</h2><p>The ice let go.</p></div><div><img "
                'src="https://a.example/a.png" alt="A"></div>'
            ),
            [
                ("Harbour Notes", "header of the email"),
                ("Unsubscribe here https://a.example/u", "footer of the email"),
                ("Preview", "header of the email"),
            ],
        ),
        (
            f"<table><tr><td>{DATA}</td></tr></table>",
            f"<div>{DATA}</div>",
            [],
        ),
        (
            "<table><tr><th>Tide</th></tr><tr><td>3.8 m</td></tr></table>",
            "<table><tr><th>Tide</th></tr><tr><td>3.8 m</td></tr></table>",
            [],
        ),
        (
            "<table><tr><td>One</td><td>Two</td></tr></table>",
            "<div>One</div><div>Two</div>",
            [],
        ),
        (
            '<table><tr><td style="display:none;color:red">x</td></tr></table>',
            '<div style="display:none;color:red">x</div>',
            [],
        ),
        (
            (
                "<!--[if "
                "mso]><table><tr><td>mso</td></tr></table><![endif]--><table><tr><td>a</td></tr></table>"
            ),
            "<div>a</div>",
            [],
        ),
        (
            "<div id='web-header'><h1>Spring</h1></div><div id='content-blocks'><p>a</p></div>",
            "<p>a</p>",
            [("Spring", "header of the email")],
        ),
        ("<p>a</p>", "<p>a</p>", []),
    ],
)
def test_tables_for_the_layout_become_blocks(
    source: str, content: str, removed: list[tuple[str, str]]
) -> None:
    found, listed = extract_mail_content(source)
    assert found == content
    assert [(entry.text, entry.why) for entry in listed] == removed
