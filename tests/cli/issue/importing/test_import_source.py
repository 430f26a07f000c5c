"""``newsletter import`` of a source with several posts: choose, import, tell."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from static_host import StaticHost

Cli = Callable[..., tuple[int, str, str]]

TEXT = (
    "The boats had been tied up since Tuesday, and nobody on the quay could say when the wind "
    "would stop. "
) * 4
ITEM = """<item><title>{title}</title><link>https://harbour.example/{name}</link>
<category>{tag}</category><pubDate>{day} Nov 2026 09:00:00 GMT</pubDate>
<content:encoded>&lt;p&gt;{title}. {text}&lt;/p&gt;{more}</content:encoded></item>"""
FEED = """<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/">
<channel><title>Harbour Notes</title>{items}</channel></rss>"""
PAGE = """<!doctype html><html lang="en"><head><title>High tide</title>
<link rel="alternate" type="application/rss+xml" href="feed.xml"></head>
<body><nav><a href="/">Home</a></nav><article><h1>High tide</h1><p>{text}</p>
<img src="boat.png" alt="A boat"></article></body></html>"""


def make_item(name: str, day: int, tag: str = "sea", more: str = "") -> str:
    title = name.replace("-", " ").title()
    return ITEM.format(title=title, name=name, tag=tag, day=f"{day:02}", text=TEXT, more=more)


def make_feed(*items: str) -> str:
    return FEED.format(items="".join(items))


IMPORTS = """
import sys
from newsletter.cli.main import run_cli
before = set(sys.modules)
assert run_cli(["import", "feed.xml", "--list"]) == 0
print(*(set(sys.modules) - before), file=sys.stderr)
"""
POSTS = (make_item("low-tide", 20), make_item("the-fog", 13, "weather"), make_item("old", 2))


@pytest.fixture
def feed(project_folder: Path) -> Path:
    path = project_folder / "feed.xml"
    path.write_text(make_feed(*POSTS, "<item><title>Empty</title></item>"))
    return path


def make_png() -> bytes:
    """Return a PNG that is wider than an email."""
    file = io.BytesIO()
    Image.new("RGB", (1_800, 20), "navy").save(file, "PNG")
    return file.getvalue()


def list_issues(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "issues").iterdir())


@pytest.mark.parametrize(
    ("options", "issues", "code"),
    [
        ((), [], 2),
        (("--latest",), ["2026-11-20-low-tide"], 0),
        (("--since", "2026-11-13"), ["2026-11-13-the-fog", "2026-11-20-low-tide"], 1),
        (("--tag", "Weather"), ["2026-11-13-the-fog"], 1),
        (("--post", "the fog"), ["2026-11-13-the-fog"], 0),
        (("--post", "the fog", "--post", "sun"), ["2026-11-13-the-fog"], 1),
        (("--kind", "page"), [], 1),
        (("--all", "--slug", "low"), [], 2),
        (("--all", "--keep", "3"), [], 2),
        (("--since", "November"), [], 2),
    ],
)
def test_posts_are_chosen_by_options(
    cli: Cli,
    project_folder: Path,
    feed: Path,
    options: tuple[str, ...],
    issues: list[str],
    code: int,
) -> None:
    result, out, err = cli("import", feed, *options)
    assert (result, list_issues(project_folder)) == (code, issues), out + err


@pytest.mark.usefixtures("feed")
def test_listing_a_feed_imports_no_other_reader(project_folder: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", IMPORTS],
        cwd=project_folder,
        capture_output=True,
        text=True,
        check=True,
    )
    modules = set(run.stderr.split())
    readers = "newsletter.posts.importing.sources."
    packages = {name.removeprefix(readers).split(".")[0] for name in modules if readers in name}
    assert packages == {"feeds", "wordpress"}
    assert f"{readers}wordpress.open_export" not in modules
    assert not modules & {"PIL", "lxml", "trafilatura", "markdown_it", "nh3", "sqlalchemy"}


def test_all_are_imported_once_and_each_is_told(cli: Cli, project_folder: Path, feed: Path) -> None:
    code, out, err = cli("import", feed, "--all", "--json")
    data = json.loads(out)
    assert (code, data["counts"]) == (1, {"new": 3, "failed": 1})
    assert [post["title"] for post in data["posts"]] == ["Low Tide", "The Fog", "Old", "Empty"]
    assert [post["lost"] for post in data["posts"][:3]] == [[]] * 3
    code, out, err = cli("import", feed, "--all")
    assert (code, "3 imported before, 1 not imported." in out) == (1, True)
    assert "Not imported: Empty: " in err
    assert len(list_issues(project_folder)) == 3
    out = cli("import", feed, "--list")[1]
    assert "2026-11-20-low-tide" in out


def test_posts_of_one_page_are_listed_one_by_one(cli: Cli, project_folder: Path) -> None:
    feed = project_folder / "notes.xml"
    first, second = (make_item(name, 20).replace(f"e/{name}", "e/now") for name in ("one", "two"))
    feed.write_text(make_feed(first))
    cli("import", feed, "--all")
    feed.write_text(make_feed(second, first))
    listed = json.loads(cli("import", feed, "--list", "--json")[1])["posts"]
    assert [post["issue"] for post in listed] == [None, "2026-11-20-now"]
    assert '"new": 1' in cli("import", feed, "--all", "--json")[1]


def test_changed_post_is_told_and_imported_with_update(
    cli: Cli, project_folder: Path, feed: Path
) -> None:
    cli("import", feed, "--all")
    feed.write_text(make_feed(make_item("low-tide", 20, more="&lt;p&gt;It did.&lt;/p&gt;")))
    code, out, _ = cli("import", feed)
    assert (code, "--update imports it again" in out) == (3, True)
    assert cli("import", feed, "--update")[0] == 0
    post = project_folder / "issues" / "2026-11-20-low-tide" / "post.html"
    assert "It did." in post.read_text()


def test_page_by_its_url_becomes_an_issue_with_its_images(
    cli: Cli, project_folder: Path, static_host: StaticHost
) -> None:
    map_image = '<img src="map.svg" alt="A map">'
    (static_host.folder / "tide.html").write_text(PAGE.format(text=TEXT + map_image))
    (static_host.folder / "feed.xml").write_text(make_feed(*POSTS))
    (static_host.folder / "boat.png").write_bytes(make_png())
    (static_host.folder / "map.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    url = f"{static_host.url}/tide.html"
    code, out, err = cli("import", url, "--date", "2026-11-28")
    assert code == 0, out + err
    (folder,) = (project_folder / "issues").iterdir()
    (image,) = folder.glob("*.png")
    body = (folder / "post.html").read_text()
    assert folder.name == "2026-11-28-tide"
    assert f'<img src="{image.name}" alt="A boat">' in body
    assert ".svg: an SVG, which Gmail doesn't show" in " ".join(out.split())
    assert "Home" not in body
    assert cli("import", url)[0] == 3
    code, _, err = cli("import", url, "--latest")
    assert (code, f"{static_host.url}/feed.xml" in err) == (1, True)
    code, _, err = cli("import", url, "--new")
    assert (code, f"{static_host.url}/feed.xml" in err) == (1, True)


def test_whole_post_is_fetched_where_a_feed_has_its_beginning(
    cli: Cli, project_folder: Path, static_host: StaticHost
) -> None:
    (static_host.folder / "tide.html").write_text(PAGE.format(text=f"{TEXT}The end."))
    item = (
        f"<item><title>High tide</title><link>{static_host.url}/tide.html</link>"
        "<pubDate>20 Nov 2026 09:00:00 GMT</pubDate>"
        "<description>The boats had been […]</description></item>"
    )
    (static_host.folder / "feed.xml").write_text(make_feed(item))
    code, out, _ = cli("import", f"{static_host.url}/feed.xml")
    assert (code, "--full" in out) == (0, True)
    assert cli("import", f"{static_host.url}/feed.xml")[0] == 3
    assert cli("import", f"{static_host.url}/feed.xml", "--full", "--update")[0] == 0
    (post,) = project_folder.glob("issues/*/post.html")
    assert "The end." in post.read_text()
    for options in ((), ("--full",), ("--update",)):
        assert cli("import", f"{static_host.url}/feed.xml", *options)[0] == 3


def test_only_what_is_new_of_a_feed_is_imported(
    cli: Cli, project_folder: Path, static_host: StaticHost
) -> None:
    file, url = static_host.folder / "feed.xml", f"{static_host.url}/feed.xml"
    file.write_text(make_feed(*POSTS))
    code, out, _ = cli("import", url, "--new")
    assert (code, "3 posts" in out, list_issues(project_folder)) == (3, True, [])
    assert cli("import", url, "--new")[:2] == (3, "No new post.\n")
    (project_folder / "seen-posts.json").write_text("<<<<<<< ours\n")
    code, _, err = cli("import", url, "--new")
    assert (code, "seen-posts.json:1" in err) == (1, True)
    assert list_issues(project_folder) == []


@pytest.mark.usefixtures("project_folder")
def test_a_post_that_was_not_imported_is_new_again(cli: Cli, static_host: StaticHost) -> None:
    file, url = static_host.folder / "feed.xml", f"{static_host.url}/feed.xml"
    file.write_text(make_feed(*POSTS))
    os.utime(file, (1e9, 1e9))  # else a change within the same second is none to the host
    cli("import", url, "--new")
    deep, good = make_item("deep", 29, more="&lt;div&gt;" * 2_000), make_item("good", 29)
    file.write_text(
        make_feed(deep, good, *POSTS).replace("<pubDate>29 Nov 2026 09:00:00 GMT</pubDate>", "")
    )
    for counts in ({"failed": 1, "new": 1}, {"failed": 1}):
        code, out, _ = cli("import", url, "--new", "--json")
        assert (code, json.loads(out)["counts"]) == (1, counts)


def test_a_ghost_export_is_listed_without_the_address_of_its_site(
    cli: Cli, project_folder: Path
) -> None:
    export = project_folder / "ghost.json"
    row = {"title": "Tide", "html": f'<p>{TEXT}<img src="__GHOST_URL__/a.png"></p>'}
    row |= {"id": "1", "slug": "tide", "status": "published", "type": "post"}
    export.write_text(json.dumps({"db": [{"meta": {}, "data": {"posts": [row]}}]}))
    code, out, _ = cli("import", export, "--list")
    assert (code, "Ghost export, to be imported with --base-url URL: 1 post." in out) == (0, True)
    code, _, err = cli("import", export, "--all")
    assert (code, "--base-url https://blog.example.com" in err) == (1, True)


@pytest.mark.parametrize(
    "options",
    [
        ("--list",),
        ("--all",),
        ("--latest",),
        ("--since", "2026-01-01"),
        ("--post", "Low tide"),
        ("--tag", "sea"),
        ("--status", "draft"),
        ("--kind", "page"),
        ("--slug", "tide"),
    ],
)
def test_new_is_combined_with_no_other_choice(
    cli: Cli, project_folder: Path, options: tuple[str, ...]
) -> None:
    code, _, err = cli("import", "http://127.0.0.1:1/feed.xml", "--new", *options)
    assert (code, options[0] in err) == (2, True)
    assert list_issues(project_folder) == []


def test_what_is_no_source_is_refused(cli: Cli, project_folder: Path, feed: Path) -> None:
    (project_folder / "post.md").write_text(f"# Low tide\n\n{TEXT}\n")
    assert cli("import", "post.md", "--all")[0] == 2
    code, _, err = cli("import", "post.md", feed)
    assert (code, "post.md" in err) == (2, True)
    assert cli("import", "http://127.0.0.1:1/")[0] == 1
    assert list_issues(project_folder) == []


def test_damaged_posts_of_an_export_are_counted(cli: Cli, project_folder: Path) -> None:
    items = "".join(
        f"<item><title>{title}</title><content:encoded><![CDATA[{TEXT}{end}]]></content:encoded>"
        "<wp:status>publish</wp:status><wp:post_type>post</wp:post_type></item>"
        for title, end in (("Tide", "\x0b"), ("Fog", ""), ("Wind", "\x01"))
    )
    export = project_folder / "blog.xml"
    export.write_text(
        '<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" '
        'xmlns:wp="http://wordpress.org/export/1.2/"><channel><wp:wxr_version>1.2'
        f"</wp:wxr_version>{items}</channel></rss>"
    )
    line = "Damaged in the export: 2 posts, "
    assert line in cli("import", export, "--all")[1]
    assert line not in cli("import", export, "--all")[1]
