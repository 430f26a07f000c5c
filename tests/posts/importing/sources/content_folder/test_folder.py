"""Which files of a folder are posts, what is known of each, what else is listed."""

import datetime
import os
import sys
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from newsletter.posts.importing.source_post import SourcePost, SourceSettings, UnreadablePost
from newsletter.posts.importing.sources.content_folder.folder import (
    is_content_folder,
    open_content_folder,
)

BERLIN = ZoneInfo("Europe/Berlin")
TEXT = "The gulls are back.\n"


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    (folder / ".git").mkdir(parents=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def post(settings: str = "title: Gulls", text: str = TEXT) -> str:
    return f"---\n{settings}\n---\n{text}"


def read_folder(
    folder: Path, base_url: str = "", permalink: str = ""
) -> tuple[list[SourcePost], list[UnreadablePost], dict[str, int], str]:
    settings = SourceSettings(BERLIN, "en", 100_000, base_url, permalink)
    collection = open_content_folder(folder, settings)
    found = list(collection.iter_posts())
    assert found == list(collection.iter_posts())
    posts = [item for item in found if isinstance(item, SourcePost)]
    unreadable = [item for item in found if isinstance(item, UnreadablePost)]
    return posts, unreadable, dict(collection.list_other_items()), collection.description


JEKYLL = {"_config.yml": "url: https://n.example\nbaseurl: /log\n"}
HUGO = {"hugo.toml": 'baseURL = "https://n.example/"\n'}
ZOLA = {"config.toml": 'base_url = "https://n.example"\ntaxonomies = [{name = "tags"}]\n'}
ELEVENTY = {
    "eleventy.config.js": 'export const config = { dir: { input: "src" } };\n',
    "src/_data/metadata.json": '{"url": "https://n.example/"}',
}
ASTRO = {"astro.config.mjs": 'export default defineConfig({\n  site: "https://n.example",\n});\n'}
EXPIRED = "title: A\ndate: 2020-01-02\nexpiryDate: 2021-01-01"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        # Jekyll: date and address from the file's name, categories of folders and settings
        ({**JEKYLL, "_posts/2026-10-02-low-tide.md": post()},
         ["_posts/2026-10-02-low-tide.md post published https://n.example/log/2026/10/02/low-tide.html"]),
        ({**JEKYLL, "b/_posts/2026-1-2-Low.md": post("title: A\ncategories: A b")},
         ["b/_posts/2026-1-2-Low.md post published https://n.example/log/b/a/2026/01/02/Low.html"]),
        ({**JEKYLL, "_posts/2026-10-02-a.md": post("title: A\npermalink: /x/:i_month/:title/")},
         ["_posts/2026-10-02-a.md post published https://n.example/log/x/10/a/"]),
        ({**JEKYLL, "_posts/2026-10-02-a.md": post("title: A\npermalink: /:strange/")},
         ["_posts/2026-10-02-a.md post published "]),
        # its day depends on the zone in which the site is built
        ({**JEKYLL, "_posts/2026-10-02-a.md": post("title: A\ndate: 2026-10-02 23:30:00 -0800")},
         ["_posts/2026-10-02-a.md post published "]),
        ({"_config.yml": "url: https://a.example\ntimezone: Asia/Tokyo\npermalink: pretty\n",
          "_posts/2026-10-02-a.md": post("title: A\ndate: 2026-10-01 20:30:00 Z")},
         ["_posts/2026-10-02-a.md post published https://a.example/2026/10/02/a/"]),
        ({**JEKYLL, "_drafts/a.md": post(), "_posts/2026-10-02-b.md": post("published: false"),
          "_posts/2999-10-02-c.md": post(), "about.md": post("title: About")},
         ["_drafts/a.md post draft ", "_posts/2026-10-02-b.md post draft ",
          "_posts/2999-10-02-c.md post scheduled https://n.example/log/2999/10/02/c.html",
          "about.md page published "]),
        ({"_config.yml": "url: https://n.example\nroot: /\npermalink: :year/:month/:title/\n",
          "source/_posts/a.md": post("title: A\ndate: 2026-10-02 10:00:00")},  # Hexo
         ["source/_posts/a.md post published https://n.example/2026/10/a/"]),
        # Hugo: bundles, drafts, dates to come, languages
        ({**HUGO, "content/posts/low-tide/index.md": post("Title: A\nDate: 2026-10-02")},
         ["content/posts/low-tide/index.md post published https://n.example/posts/low-tide/"]),
        ({**HUGO, "content/posts/a.md": post("title: A\ndate: 2026-10-02\nslug: B c")},
         ["content/posts/a.md post published https://n.example/posts/b-c/"]),
        ({**HUGO, "content/a.md": post("title: A\ndate: 2026-10-02\nurl: /x/y.html")},
         ["content/a.md post published https://n.example/x/y.html"]),
        ({**HUGO, "content/posts/a.md": post("title: A\ndraft: true"),
          "content/posts/b.md": post("title: A\ndate: 2026-10-02\npublishDate: 2999-01-01"),
          "content/posts/c.md": post(EXPIRED), "content/imprint.md": post("title: A")},
         ["content/imprint.md page published https://n.example/imprint/",
          "content/posts/a.md post draft ",
          "content/posts/b.md post scheduled https://n.example/posts/b/",
          "content/posts/c.md post private "]),
        ({"hugo.yaml": "baseURL: https://a.example\npermalinks:\n  posts: /:year/:month/:title\n",
          "content/posts/a.md": post("title: Low tide, again!\ndate: 2026-10-02"),
          "content/posts/b.md": post("date: 2026-10-02", "Text")},
         ["content/posts/a.md post published https://a.example/2026/10/low-tide-again/",
          "content/posts/b.md post published "]),
        ({"config/_default/hugo.toml": 'baseURL = "https://a.example"\n',
          "config/_default/languages.toml": "[en]\nweight = 1\n[de]\nweight = 2\n",
          "content/posts/a.de.md": post("title: A\ndate: 2026-10-02")},
         ["content/posts/a.de.md translation published https://a.example/de/posts/a/ de"]),
        ({"config/_default/hugo.toml": 'baseURL = "https://a.example"\n',
          "config/_default/languages.en.toml": 'contentDir = "content/en"\n',
          "config/_default/languages.de.toml":
          'contentDir = "content/de"\nlanguageCode = "de-AT"\n',
          "content/en/a.md": post("title: A\ndate: 2026-10-02"),
          "content/de/a.md": post("title: A\ndate: 2026-10-02")},
         ["content/de/a.md translation published https://a.example/de/a/ de-AT",
          "content/en/a.md post published https://a.example/a/ en"]),
        # Zola: dates in names, paths, taxonomies
        ({**ZOLA, "content/blog/2026-10-02-Low_tide.md": '+++\ntitle = "A"\n+++\nText\n'},
         ["content/blog/2026-10-02-Low_tide.md post published https://n.example/blog/low-tide/"]),
        ({**ZOLA, "content/a.md": '+++\ntitle = "A"\ndate = 2026-10-02\npath = "x/y"\n+++\nText\n'},
         ["content/a.md post published https://n.example/x/y/"]),
        ({**ZOLA, "content/blog/été.md": '+++\ntitle = "A"\ndate = 2026-10-02\n+++\nText\n'},
         ["content/blog/été.md post published "]),
        # Eleventy: data files, permalinks, lists of pages
        ({**ELEVENTY, "src/posts/posts.json": '{"permalink": "/log/{{ page.fileSlug }}/"}',
          "src/posts/2026-10-02-a.md": post("title: A")},
         ["src/posts/2026-10-02-a.md post published https://n.example/log/a/"]),
        ({**ELEVENTY, "src/posts/posts.11tydata.js": "export default {};",
          "src/posts/a.md": post("title: A")}, ["src/posts/a.md post published "]),
        ({**ELEVENTY, "src/about.md": post("title: A"), "src/b.md": post("title: B\ntags: post")},
         ["src/about.md page published https://n.example/about/",
          "src/b.md post published https://n.example/b/"]),
        # Astro: collections, and the route that shows them
        ({**ASTRO, "src/content/blog/a.mdx": post("title: A\npubDate: Jul 08 2022"),
          "src/pages/blog/[...slug].astro": "---\n---\n"},
         ["src/content/blog/a.mdx post published https://n.example/blog/a/"]),
        ({**ASTRO, "src/content/blog/a.md": post("title: A\npubDatetime: 2022-07-08T10:00:00Z")},
         ["src/content/blog/a.md post published "]),
        ({**ASTRO, "src/content.config.ts": 'loader: glob({ pattern: "**/*.md", base: "./notes" })',
          "notes/a.md": post("title: A\npubDate: 2022-07-08")}, ["notes/a.md post published "]),
        # Markdown alone
        ({"2026/gulls.md": "# Gulls\n\nText\n", "terns.html": "<title>Terns</title><p>Text</p>",
          "2026-10-02-a.md": "Text\n", "b.md": "Text without a title\n"},
         ["2026/gulls.md post published ", "2026-10-02-a.md post published ",
          "terns.html post published "]),
    ],
)  # fmt: skip
def test_posts_and_their_addresses(
    tmp_path: Path, files: dict[str, str], expected: list[str]
) -> None:
    posts, unreadable, _, _ = read_folder(write_files(tmp_path, files))
    assert not unreadable
    found = [
        f"{item.post_id} {item.kind} {item.status} {item.url} {item.language}" for item in posts
    ]
    assert [line.removesuffix(" ") for line in found] == expected
    assert all(item.file == tmp_path / item.post_id and item.title for item in posts)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({**HUGO, "content/posts/_index.md": post(), "content/posts/a/index.md": post(),
          "content/posts/a/notes.md": post(), "content/posts/b/index.md": post("headless: true"),
          "content/posts/c.adoc": "= C", "content/search.md": "---\ntitle: A\n---\n"},
         {"sections": 1, "files of a post's folder": 1, "headless bundles": 1, "AsciiDoc files": 1,
          "pages without text": 1}),
        ({"_config.yml": "collections: {recipes: {output: true}}", "_posts/2026-10-02-a.md": post(),
          "_recipes/soup.md": post(), "_layouts/post.html": "x", "README.md": "# Site",
          "node_modules/a/readme.md": "# A", "vendor/a.md": post(), "index.html": post()},
         {"recipes (a collection)": 1, "README and similar files": 1, "HTML pages": 1,
          "folders left out, such as themes": 3}),
        ({**ELEVENTY, "src/a.md": post("tags: post"), "src/b.md": post("permalink: false"),
          "src/c.md": post("eleventyExcludeFromCollections: true"), "src/feed.njk": "x"},
         {"pages without an address": 1, "pages that are in no collection": 1,
          "Nunjucks templates": 1, "folders left out, such as themes": 1}),
        ({"a.md": post("subject: A"), "b.md": "Text\n", ".obsidian/c.md": "# C\n", "LICENSE.md": "",
          "base.html": "<title>{% block title %}{% endblock %}</title>"},
         {"files without a title": 1, "README and similar files": 1, "HTML templates": 1}),
        ({"_config.yml": "a: [", "_posts/2026-10-02-a.md": post()},
         {"settings files that can't be read": 1}),
    ],
)  # fmt: skip
def test_everything_else_is_counted(
    tmp_path: Path, files: dict[str, str], expected: dict[str, int]
) -> None:
    posts, _, others, _ = read_folder(write_files(tmp_path, files))
    assert len(posts) == 1
    assert others == expected


@pytest.mark.parametrize(
    ("files", "start", "description", "count"),
    [
        ({**HUGO, "content/posts/a.md": post(), "content/b.md": post()}, ".", "Hugo site", 2),
        ({**HUGO, "content/posts/a.md": post(), "content/b.md": post()}, "content/posts",
         "Hugo site", 1),
        ({"web/hugo.toml": HUGO["hugo.toml"], "web/content/a.md": post()}, ".", "Hugo site", 1),
        ({**ZOLA, "content/a.md": post()}, "content", "Zola site", 1),
        ({**ASTRO, "src/content/blog/a.md": post()}, "src/content", "Astro site", 1),
        ({**JEKYLL, "_posts/2026-10-02-a.md": post()}, "_posts", "Jekyll site", 1),
        ({"_posts/2026-10-02-a.md": post()}, "_posts", "Jekyll site", 1),
        ({"config.yml": "title: A", "content/a.md": post()}, ".", "Hugo site", 1),
        ({"config.yml": "title: A", "a.md": post()}, ".", "folder of Markdown files", 1),
        ({**HUGO, "themes/a/exampleSite/content/b.md": post(), "content/a.md": post()}, ".",
         "Hugo site", 1),
    ],
)  # fmt: skip
def test_the_site_is_found_from_any_of_its_folders(
    tmp_path: Path, files: dict[str, str], start: str, description: str, count: int
) -> None:
    write_files(tmp_path, files)
    posts, _, _, found = read_folder(tmp_path / start)
    assert (found, len(posts)) == (description, count)
    assert is_content_folder(tmp_path / start)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({**HUGO, "content/_index.md": post("cascade: {author: Ada Berg, lang: de}"),
          "content/posts/_index.md":
          post("cascade:\n- target: {path: /posts/b*}\n  params: {author: Bo}"),
          "content/posts/a.md": post(), "content/posts/b.md": post("lang: fr")},
         ["Ada Berg de", "Bo fr"]),
        ({**ELEVENTY, "src/src.json": '{"lang": "de", "author": "Ada"}',
          "src/posts/posts.11tydata.json": '{"author": "Bo", "tags": ["posts", "sea"]}',
          "src/posts/a.md": post()}, ["Bo de sea"]),
        ({"_config.yml": "lang: en\ndefaults:\n"
          "- {scope: {path: '', type: posts}, values: {author: Ada}}\n"
          "- {scope: {path: boats}, values: {author: Bo, tags: sea sky}}\n"
          "- {scope: {path: '', type: drafts}, values: {author: Cy}}\n",
          "boats/_posts/2026-10-02-b.md": post(), "_posts/2026-10-02-a.md": post()},
         ["Ada en", "Bo en sea,sky"]),
        ({"_config.yml": "defaults: [1, {scope: 2, values: 3}]", "_posts/2026-10-02-a.md": post()},
         [""]),
        ({**ZOLA, "content/a.md": '+++\ntitle = "A"\n[taxonomies]\ntags = ["sea"]\n'
          '[extra]\nauthor = "Ada"\n+++\nText\n'}, ["Ada  sea"]),
    ],
)  # fmt: skip
def test_settings_of_folders_are_taken_where_a_post_has_none(
    tmp_path: Path, files: dict[str, str], expected: list[str]
) -> None:
    posts, _, _, _ = read_folder(write_files(tmp_path, files))
    found = [f"{item.author} {item.language} {','.join(item.tags)}".strip() for item in posts]
    assert found == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-10-02", datetime.datetime(2026, 10, 2, tzinfo=BERLIN)),
        ("2026-10-02 08:30", datetime.datetime(2026, 10, 2, 8, 30, tzinfo=BERLIN)),
        ("2026-10-02T08:30:00Z", datetime.datetime(2026, 10, 2, 8, 30, tzinfo=datetime.UTC)),
    ],
)
def test_dates_without_a_zone_are_in_the_newsletters(
    tmp_path: Path, value: str, expected: datetime.datetime
) -> None:
    (item,), _, _, _ = read_folder(
        write_files(tmp_path, {"a.md": post(f"title: A\ndate: {value}")})
    )
    assert item.date == expected
    assert item.date is not None
    assert item.date.tzinfo is not None


def test_the_editors_pattern_is_used_where_the_site_says_nothing(tmp_path: Path) -> None:
    files = {
        "astro.config.mjs": "",
        "src/content/blog/low-tide.md": post("title: A\npubDate: 2026-10-02"),
        "src/content/blog/2026-10-03-b.md": post("title: A"),
        "src/content/blog/undated.md": post("title: A\ntags: [b]"),
    }
    pattern = "https://a.example/{year}/{month}/{slug}/"
    posts, _, _, _ = read_folder(write_files(tmp_path, files), permalink=pattern)
    assert [item.url for item in posts] == [
        "https://a.example/2026/10/b/",
        "https://a.example/2026/10/low-tide/",
        "",
    ]


def test_the_editors_pattern_is_used_instead_of_a_generators_default(tmp_path: Path) -> None:
    files = {
        **HUGO,
        "content/a.md": post("title: A\ndate: 2026-10-02"),
        "content/b.md": post("title: A\ndate: 2026-10-02\nurl: /x/"),
    }
    posts, _, _, _ = read_folder(write_files(tmp_path, files), permalink="https://b.example/{slug}")
    assert [item.url for item in posts] == ["https://b.example/a", "https://n.example/x/"]


def test_images_are_looked_up_in_the_sites_own_folders(tmp_path: Path) -> None:
    (write_files(tmp_path, {**HUGO, "content/a.md": post()}) / "static").mkdir()
    outside = tmp_path.parent / "outside"
    outside.mkdir()
    (tmp_path / "assets").symlink_to(outside)
    (item,), _, _, _ = read_folder(tmp_path)
    assert item.image_folders == (tmp_path / "static", tmp_path / "content", tmp_path)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("", ["post", "post"]),
        ("[languages.en]\n[languages.de]\n", ["translation", "post"]),
        ('defaultContentLanguage = "nb"\n[languages.nb]\n[languages.de]\n',
         ["translation", "post"]),
        ("[languages.en-gb]\n[languages.de]\n", ["translation", "post"]),
    ],
)  # fmt: skip
def test_a_post_in_another_of_the_sites_languages_is_a_translation(
    tmp_path: Path, settings: str, expected: list[str]
) -> None:
    dated = post("title: A\ndate: 2026-10-02")
    files = {"hugo.toml": settings, "content/a.de.md": dated, "content/b.md": dated}
    posts, _, _, _ = read_folder(write_files(tmp_path, files))
    assert [item.kind for item in posts] == expected


def test_a_folder_of_a_checkout_shows_images_that_the_checkout_publishes(tmp_path: Path) -> None:
    (write_files(tmp_path, {"blog/a.md": post(), "blog/b.md": post()}) / "static").mkdir()
    posts, _, _, _ = read_folder(tmp_path / "blog")
    assert {item.image_folders for item in posts} == {(tmp_path / "static", tmp_path / "blog")}
    assert [item.post_id for item in posts] == ["blog/a.md", "blog/b.md"]


def test_the_users_own_folder_is_no_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    write_files(tmp_path, {**JEKYLL, "downloads/notes/a.md": post()})
    (item,), _, _, description = read_folder(tmp_path / "downloads" / "notes")
    assert (item.post_id, description) == ("a.md", "folder of Markdown files")
    assert item.image_folders == (tmp_path / "downloads" / "notes",)


def test_a_user_without_a_folder_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", fail)
    write_files(tmp_path, {**HUGO, "content/posts/a.md": post()})
    assert read_folder(tmp_path / "content")[3] == "Hugo site"


def test_bad_files_do_not_stop_the_rest(tmp_path: Path) -> None:
    files = {
        **HUGO,
        "content/a.md": post(),
        "content/broken.md": '---\ntitle: "A\ntags: [\n---\nText\n',
        "content/large.md": post(text="x" * 100_000),
        "content/z.md": post(),
    }
    write_files(tmp_path, files)
    (tmp_path / "content/binary.md").write_bytes(b"%PDF-1.4 \xff\xfe")
    posts, unreadable, _, _ = read_folder(tmp_path)
    assert [item.post_id for item in posts] == ["content/a.md", "content/z.md"]
    assert [item.title for item in unreadable] == ["Binary", "Broken", "Large"]
    assert all(item.problem.where and item.problem.message for item in unreadable)
    assert unreadable[1].problem.where is not None
    assert unreadable[1].problem.where.line == 4


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("hugo.toml", 'contentDir = "a\\u0000b"\nbaseURL = 3\n'),
        ("hugo.toml", f'contentDir = "{"x" * 5000}"\nassetDir = "{"y" * 5000}"\n'),
        ("hugo.yaml", "languages: [1]\npermalinks: {page: 3, posts: [1]}\ncascade: [{target: 2}]"),
        ("hugo.yaml", "languages: {de: null, fr: 3}\ntheme: {a: 1}\nstaticDir: [1, null]"),
        ("hugo.yaml", "languages: 3\nbaseURL: https://n.example\npermalinks: {posts: ':x'}"),
        ("hugo.json", "[" * 5000),
        ("zola.toml", "base_url = 3\nlanguages = 3\nslugify = 3\n"),
        ("_config.yml", "url: [1]\npermalink: {a: 1}\ntimezone: Nowhere/At\ndefaults: {a: 1}"),
        ("_config.yml", "url: https://n.example\ntimezone: ../../etc/passwd\ncollections: 3"),
        ("astro.config.mjs", "site: 'https://n.example',\nbase: `/\0`,"),
        ("eleventy.config.js", "input: '../../..', data: '/etc'"),
        ("package.json", "{"),
    ],
)  # fmt: skip
def test_strange_settings_stop_nothing(tmp_path: Path, name: str, settings: str) -> None:
    dates = ("0001-01-01", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "x")
    files = {
        f"{folder}/2026-10-02-{number}.md": post(
            f"title: A\ndate: {date}\npermalink: [1]\nslug: {{a: 1}}\ntags: {{a: [b]}}\ncascade: 3"
        )
        for folder in ("content/posts", "_posts", "src/content/blog")
        for number, date in enumerate(dates)
    }
    posts, unreadable, _, _ = read_folder(write_files(tmp_path, {**files, name: settings}))
    assert len(posts) in {4, 8, 12}
    assert not unreadable
    for item in posts:
        assert item.date is None or item.date.astimezone(datetime.UTC) == item.date
        assert item.post_urls("a\0b/c") == ""


def test_links_out_of_the_folder_and_in_circles_are_not_followed(tmp_path: Path) -> None:
    site = write_files(tmp_path / "site", {**HUGO, "content/a.md": post()})
    (tmp_path / "secret.md").write_text(post())
    (site / "content/secret.md").symlink_to(tmp_path / "secret.md")
    (site / "content/loop").symlink_to(site / "content")
    (site / "content/b.md").symlink_to(site / "content/a.md")
    posts, _, others, _ = read_folder(site)
    assert [item.post_id for item in posts] == ["content/a.md", "content/b.md"]
    assert others == {"symbolic links": 2}


LINKS = {
    "../posts/b.md": "https://n.example/posts/b/",
    "/posts/b.md#c": "https://n.example/posts/b/#c",
    "b.md?x=1": "https://n.example/posts/b/?x=1",
    "posts/bundle": "https://n.example/posts/bundle/",
    "bundle": "https://n.example/posts/bundle/",
    "B": "https://n.example/posts/b/",
    "/posts/_index.md": "https://n.example/posts/",
    "/posts": "https://n.example/posts/",
    "posts/draft.md": "",
    "nowhere.md": "",
    "same": "",
    "../../../secret.md": "",
    "": "",
    "#c": "",
    "a\0b": "",
    "x" * 1000: "",
}


def test_settings_behind_a_link_out_of_the_folder_are_not_read(tmp_path: Path) -> None:
    site = write_files(tmp_path / "site", {**ELEVENTY, "src/posts/a.md": post()})
    outside = tmp_path / "outside"
    write_files(outside, {"posts.json": '{"author": "Secret"}', "content/b.md": post()})
    (site / "src/posts/posts.json").symlink_to(outside / "posts.json")
    posts, _, _, _ = read_folder(site)
    assert [item.author for item in posts] == [""]
    (tmp_path / "_data").mkdir()
    (tmp_path / "_data" / "site.json").write_text('{"lang": "de"}')
    script = {"eleventy.config.js": "input: '..'", "a.md": post()}
    assert [item.language for item in read_folder(write_files(tmp_path / "up", script))[0]] == [""]
    hugo = write_files(tmp_path / "hugo", {"hugo.toml": 'contentDir = "../outside/content"\n'})
    assert read_folder(hugo)[0] == []
    zola = write_files(tmp_path / "zola", ZOLA)
    (zola / "content").symlink_to(outside / "content")
    assert read_folder(zola)[0] == []


def test_links_between_posts_find_their_addresses(tmp_path: Path) -> None:
    site = write_files(
        tmp_path / "site",
        {
            **HUGO,
            "content/posts/a.md": post(),
            "content/posts/b.md": post(),
            "content/posts/bundle/index.md": post(),
            "content/posts/draft.md": post("draft: true"),
            "content/_index.md": post(),
            "content/posts/_index.md": post(text=""),
            "content/x/same.md": post(),
            "content/y/same.md": post(),
        },
    )
    (tmp_path / "secret.md").write_text(post())
    posts, _, _, _ = read_folder(site)
    assert {reference: posts[0].post_urls(reference) for reference in LINKS} == LINKS


@pytest.mark.parametrize(
    ("files", "reference", "url"),
    [
        ({**JEKYLL, "_posts/2026-10-02-a.md": post()}, "2026-10-02-a",
         "https://n.example/log/2026/10/02/a.html"),
        ({**JEKYLL, "_posts/2026-10-02-a.md": post()}, "_posts/2026-10-02-a.md",
         "https://n.example/log/2026/10/02/a.html"),
        ({"_config.yml": "", "_posts/2026-10-02-a.md": post(), "img/a b.png": ""}, "img/a b.png",
         "/img/a%20b.png"),
        ({**JEKYLL, "_posts/2026-10-02-a.md": post(), "img/a.png": ""}, "img/a.png", ""),
        ({"hugo.toml": HUGO["hugo.toml"] + "[languages.en]\n[languages.de]\n",
          "content/a.de.md": post(), "content/a.md": post()}, "a.md", "https://n.example/de/a/"),
        ({**ZOLA, "content/blog/a.md": post()}, "@/blog/a.md#b",
         "https://n.example/blog/a/#b"),
    ],
)  # fmt: skip
def test_links_of_each_generator(
    tmp_path: Path, files: dict[str, str], reference: str, url: str
) -> None:
    posts, _, _, _ = read_folder(write_files(tmp_path, files))
    assert posts[0].post_urls(reference) == url


def test_memory_does_not_grow_with_the_number_of_posts(tmp_path: Path) -> None:
    files = {f"{number % 9}/{number}.md": post(text="word " * 15_000) for number in range(30)}
    write_files(tmp_path, files)
    collection = open_content_folder(tmp_path, SourceSettings(BERLIN, "en", 100_000))
    tracemalloc.start()
    try:
        assert sum(1 for _ in collection.iter_posts()) == 30
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000  # all of them together have 2.2 MB


def test_a_file_or_an_empty_folder_is_no_content_folder(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.md": post(), "empty/b.png": ""})
    assert not is_content_folder(tmp_path / "a.md")
    assert not is_content_folder(tmp_path / "empty")
    assert is_content_folder(tmp_path)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.md": post()})
    (tmp_path / "a.md").chmod(0)
    _, (item,), _, _ = read_folder(tmp_path)
    assert "permission denied" in item.problem.message


@pytest.mark.skipif(sys.platform != "linux", reason="others have no such names")
def test_a_file_whose_name_is_not_utf_8_is_a_post(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.md": post(), "_posts/b.txt": "", **JEKYLL})
    for name, text in ((b"no\xebl.md", TEXT), (b"th\xe9.md", "x" * 100_001)):
        Path(os.fsdecode(os.fsencode(tmp_path / "_posts") + b"/2026-11-02-" + name)).write_text(
            text
        )
    (item,), (damaged,), _, _ = read_folder(tmp_path / "_posts")
    assert (item.title, item.post_id) == ("No\xebl", "_posts/2026-11-02-no\xebl.md")
    assert item.file is not None
    assert item.file.read_text() == TEXT
    assert damaged.title == "Th\xe9"
    assert "2026-11-02-th\\xe9.md: the post has" in str(damaged.problem)
