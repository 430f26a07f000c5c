import datetime
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.errors import PostError
from newsletter.posts.importing.source_post import SourcePost, SourceSettings, UnreadablePost
from newsletter.posts.importing.sources.ghost.open_export import open_ghost_export
from newsletter.posts.importing.sources.ghost.read_tables import is_ghost_export

BLOG = "https://harbournotes.example"
KEY_OF_THE_SITE = "4446bf1b18c1d500281fcd0298f5be58"
SETTINGS = SourceSettings(ZoneInfo("Europe/Oslo"), "en", 100_000, base_url=BLOG)
Row = Mapping[str, Any]
WriteExport = Callable[..., Path]

POST: Row = {
    "id": "p1",
    "uuid": "u1",
    "title": "Spring & tides",
    "slug": "spring",
    "html": "<p>The ice let go.</p>",
    "status": "published",
    "type": "post",
    "visibility": "public",
    "published_at": "2026-03-01T08:00:00.000Z",
}


@pytest.fixture
def write_export(tmp_path: Path) -> WriteExport:
    """Return a function that writes an export with these posts and tables."""

    def write(
        *posts: Row, is_flat: bool = False, version: object = "5.100.1", **tables: Any
    ) -> Path:
        secrets = [
            {
                "id": 1,
                "secret": KEY_OF_THE_SITE,
                "key": KEY_OF_THE_SITE,
                "email": f"{KEY_OF_THE_SITE}@example.com",
            }
        ]
        export = {
            "meta": {"exported_on": 1, "version": version},
            "data": {
                "api_keys": secrets,
                "members": secrets,
                "sessions": secrets,
                "settings": secrets,
                "posts": list(posts),
                **tables,
            },
        }
        path = tmp_path / "ghost.json"
        path.write_bytes(orjson.dumps(export if is_flat else {"db": [export]}))
        return path

    return write


def read_posts(
    path: Path, source_settings: SourceSettings = SETTINGS
) -> list[SourcePost | UnreadablePost]:
    export = open_ghost_export(path, source_settings)
    posts = list(export.iter_posts())
    assert posts == list(export.iter_posts())
    assert KEY_OF_THE_SITE not in repr((export, posts, export.list_other_items()))
    return posts


def read_post(path: Path, source_settings: SourceSettings = SETTINGS) -> SourcePost:
    (post,) = read_posts(path, source_settings)
    assert isinstance(post, SourcePost)
    return post


@pytest.mark.parametrize("is_flat", [False, True])
def test_everything_about_a_post_is_read(write_export: WriteExport, is_flat: bool) -> None:
    path = write_export(
        {
            **POST,
            "custom_excerpt": "At  last.",
            "feature_image": "__GHOST_URL__/content/images/a.jpg",
        },
        is_flat=is_flat,
        posts_meta=[
            {
                "post_id": "p1",
                "email_subject": "The boats are back",
                "feature_image_alt": "A boat",
                "feature_image_caption": 'By <a href="https://ada.example">Ada</a>',
            }
        ],
        users=[
            {"id": "a1", "name": "Ada Berg", "password": KEY_OF_THE_SITE},
            {"id": "a2", "name": "Bo", "email": KEY_OF_THE_SITE},
        ],
        posts_authors=[
            {"post_id": "p1", "author_id": "a2", "sort_order": 1},
            {"post_id": "p1", "author_id": "a1", "sort_order": 0},
        ],
        tags=[
            {"id": "t1", "name": "Tides"},
            {"id": "t2", "name": "#internal"},
            {"id": "t3", "name": "Boats"},
        ],
        posts_tags=[
            {"post_id": "p1", "tag_id": "t1", "sort_order": 2},
            {"post_id": "p1", "tag_id": "t2", "sort_order": 1},
            {"post_id": "p1", "tag_id": "t3", "sort_order": 0},
            {"post_id": "p9", "tag_id": "t3", "sort_order": 0},
        ],
    )
    assert is_ghost_export(path)
    post = read_post(path)
    assert post == SourcePost(
        title="Spring & tides",
        content="<p>The ice let go.</p>",
        post_id="u1",
        url=f"{BLOG}/spring/",
        slug="spring",
        date=datetime.datetime(2026, 3, 1, 8, tzinfo=datetime.UTC),
        author="Ada Berg, Bo",
        tags=("Boats", "Tides"),
        summary="At last.",
        subject="The boats are back",
        hero=f"{BLOG}/content/images/a.jpg",
        hero_alt="A boat",
        hero_caption="By Ada",
        removed=post.removed,
    )
    assert [(entry.text, entry.why) for entry in post.removed] == [
        ("https://ada.example", "link in the caption of the main image")
    ]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            {"status": "draft", "published_at": None, "updated_at": "2026-01-02 03:04:05"},
            {
                "status": "draft",
                "date": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
            },
        ),
        ({"status": "scheduled"}, {"status": "scheduled"}),
        ({"status": "sent"}, {"status": "published"}),
        ({"status": "new"}, {"status": "draft"}),
        ({"type": "page"}, {"kind": "page"}),
        ({"page": 1, "type": None}, {"kind": "page"}),
        (
            {"published_at": 1_400_000_000_000},
            {"date": datetime.datetime(2014, 5, 13, 16, 53, 20, tzinfo=datetime.UTC)},
        ),
        ({"published_at": "soon", "updated_at": 7}, {"date": None}),
        ({"canonical_url": "https://first.example/a"}, {"url": "https://first.example/a"}),
        ({"uuid": None, "id": 7}, {"post_id": "7"}),
        ({"title": None}, {"title": ""}),
        ({"locale": "de"}, {"language": "de"}),
        ({"image": "/content/images/b.jpg"}, {"hero": f"{BLOG}/content/images/b.jpg"}),
        ({"author_id": 1}, {"author": "Ada"}),
    ],
)
def test_rows_of_all_versions(
    write_export: WriteExport, row: Row, expected: Mapping[str, object]
) -> None:
    post = read_post(write_export({**POST, **row}, users=[{"id": 1, "name": "Ada"}]))
    assert {key: getattr(post, key) for key in expected} == expected


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"visibility": "paid"}, "visibility"),
        ({"status": "sent"}, "status"),
        ({"codeinjection_foot": "<script>"}, "codeinjection"),
        ({"html": "<p>a</p><!--members-only--><p>b</p>"}, "paywall"),
    ],
)
def test_what_the_editor_should_know_is_noted(
    write_export: WriteExport, row: Row, key: str
) -> None:
    assert [note.key for note in read_post(write_export({**POST, **row})).notes] == [key]


def lexical(*children: Row) -> str:
    return orjson.dumps({"root": {"children": list(children)}}).decode()


PARAGRAPH: Row = {"type": "paragraph", "children": [{"type": "text", "text": "From Lexical"}]}


@pytest.mark.parametrize(
    ("row", "content"),
    [
        ({"html": None, "lexical": lexical(PARAGRAPH)}, "<p>From Lexical</p>"),
        ({"html": "<p>HTML</p>", "lexical": lexical(PARAGRAPH)}, "<p>HTML</p>"),
        (
            {"html": " ", "mobiledoc": '{"sections":[[1,"p",[[0,[],0,"Old"]]]]}'},
            "<p>Old</p>",
        ),
        # What is for the email only is not in the HTML.
        (
            {"lexical": lexical({"type": "email", "html": "<p>Dear reader</p>"}, PARAGRAPH)},
            "<p>Dear reader</p><p>From Lexical</p>",
        ),
        (
            {"mobiledoc": '{"cards": [["email", {"html": "<p>Dear</p>"}]], "sections": [[10, 0]]}'},
            "<p>Dear</p>",
        ),
        (
            {
                "html": '<img src="__GHOST_URL__/content/images/a.jpg">'
                '<a href="/about/?a=1&amp;b=2">'
            },
            f'<img src="{BLOG}/content/images/a.jpg"><a href="{BLOG}/about/?a=1&amp;b=2">',
        ),
        (
            {"html": '<img src="/content/images/a.jpg"><a href="//cdn.example/a">'},
            f'<img src="{BLOG}/content/images/a.jpg"><a href="//cdn.example/a">',
        ),
    ],
)
def test_content(write_export: WriteExport, row: Row, content: str) -> None:
    assert read_post(write_export({**POST, **row})).content == content


def test_html_as_exported_is_kept_to_find_losses(write_export: WriteExport) -> None:
    html = '<div class="kg-button-card"><a href="__GHOST_URL__/a" class="kg-btn">Go</a></div>'
    post = read_post(write_export({**POST, "html": html}))
    assert post.content == f'<p><a class="button" href="{BLOG}/a">Go</a></p>'
    assert post.original == html.replace("__GHOST_URL__", BLOG)


@pytest.mark.parametrize(
    "row",
    [
        {"html": '<img src="__GHOST_URL__/content/images/a.jpg">'},
        {"html": '<img src="/content/images/a.jpg">'},
        {"html": None, "lexical": lexical({"type": "image", "src": "/content/images/a.jpg"})},
        {"feature_image": "__GHOST_URL__/content/images/a.jpg"},
    ],
)
def test_url_of_the_site_is_asked_for(write_export: WriteExport, row: Row) -> None:
    without_url = SourceSettings(SETTINGS.timezone, "en", 100_000)
    path = write_export(POST, {**POST, **row})
    with pytest.raises(PostError, match=r"1 of its 2 posts have no host.*--base-url"):
        open_ghost_export(path, without_url)
    listed = open_ghost_export(path, replace(without_url, lists_only=True))
    assert listed.description == "Ghost export, to be imported with --base-url URL"
    assert len(list(listed.iter_posts())) == 2
    assert read_post(write_export(POST), without_url).url == ""


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"html": None}, "the post has no text"),
        ({"html": None, "lexical": "{"}, "its text is damaged"),
        ({"html": None, "lexical": "[]"}, "not in the format that Ghost writes (Lexical)"),
        ({"html": None, "mobiledoc": "7"}, "not in the format that Ghost writes (mobiledoc)"),
        ({"html": "x" * 100_001}, "the post has more than 100,000 bytes"),
        ({"html": {"a": 1}, "lexical": 5}, "the post has no text"),
    ],
)
def test_unreadable_post_does_not_stop_the_others(
    write_export: WriteExport, row: Row, message: str
) -> None:
    unreadable, post = read_posts(write_export({**POST, **row}, {**POST, "title": "Good"}))
    assert isinstance(unreadable, UnreadablePost)
    assert unreadable.title == "Spring & tides"
    assert message in unreadable.problem.message
    assert unreadable.problem.where is not None
    assert isinstance(post, SourcePost)


def test_draft_without_text_is_counted(write_export: WriteExport) -> None:
    export = open_ghost_export(write_export({**POST, "html": "", "status": "draft"}), SETTINGS)
    assert list(export.iter_posts()) == []
    assert export.list_other_items() == {"drafts without text": 1}


@pytest.mark.parametrize(
    ("version", "description"),
    [
        ("5.100.1", "Ghost export"),
        ("000", "Ghost export"),
        (None, "Ghost export"),
        ("6.2", "Ghost export"),
        ("7.0.0", "Ghost export of a newer version (7.0.0)"),
    ],
)
def test_newer_version_is_told(
    write_export: WriteExport, version: object, description: str
) -> None:
    assert (
        open_ghost_export(write_export(POST, version=version), SETTINGS).description == description
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"db": [{"data": {"api_keys": "%s", "posts": [' % KEY_OF_THE_SITE.encode(), "damaged"),
        (b'{"db": []}', "not an export of Ghost"),
        (b"[1]", "not an export of Ghost"),
        (b'{"data": {"posts": {}}}', "no posts"),
        (b'{"meta": 1}', "no posts"),
        (b"[" * 100_000, "damaged"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "ghost.json"
    path.write_bytes(content)
    with pytest.raises(PostError, match=message) as caught:
        open_ghost_export(path, SETTINGS)
    assert KEY_OF_THE_SITE not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("head", "is_export"),
    [
        ('{"db":[{"meta":{"exported_on":1,"version":"5.0"},"data":{}}]}', True),
        ('\ufeff {\n "db": [ {\n "data": {} } ] }', True),
        ('{"meta":{"version":"4.0"},"data":{}}', True),
        ('{"data":{"posts":[]}}', True),
        ('{"meta":{"title":"x"}}', False),
        ('{"version":"https://jsonfeed.org/version/1.1"}', False),
        ('[{"id":1}]', False),
        ("<rss>", False),
        ("", False),
    ],
)
def test_export_is_recognized(tmp_path: Path, head: str, is_export: bool) -> None:
    path = tmp_path / "x.json"
    path.write_text(head, encoding="utf-8")
    assert is_ghost_export(path) is is_export


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 1 << 40) | st.floats(-9, 9) | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=4), children, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from([*POST, "lexical", "mobiledoc", "feature_image", "custom_excerpt", "page"])
NODE_KEYS = st.sampled_from(
    [
        "children",
        "text",
        "format",
        "tag",
        "url",
        "listType",
        "start",
        "checked",
        "images",
        "src",
        "metadata",
        "fileSize",
        "productStarRating",
        "html",
        "calloutText",
    ]
)
NODES = st.recursive(
    st.dictionaries(NODE_KEYS, JSON, max_size=4),
    lambda children: st.fixed_dictionaries(
        {
            "type": st.sampled_from(
                [
                    "paragraph",
                    "list",
                    "listitem",
                    "text",
                    "gallery",
                    "file",
                    "product",
                    "embed",
                    "?",
                ]
            ),
            "children": st.lists(children, max_size=3) | JSON,
        }
    ),
    max_leaves=8,
)


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(KEYS, JSON, max_size=6), st.lists(NODES, max_size=3), JSON)
def test_hostile_export_is_read_or_listed(
    tmp_path_factory: pytest.TempPathFactory, row: Row, nodes: list[Row], table: object
) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile.json"
    posts = [
        row,
        {"html": None, "lexical": lexical(*nodes)},
        {"mobiledoc": json.dumps({"sections": table, "cards": table})},
    ]
    tables = dict.fromkeys(("tags", "users", "posts_tags", "posts_authors", "posts_meta"), table)
    path.write_text(json.dumps({"db": [{"meta": table, "data": {**tables, "posts": posts}}]}))
    read_posts(path)
