"""The weekly job: new posts become an issue, once, whatever interrupts it."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ready_to_send import Cli, time_ahead
from static_host import StaticHost

from newsletter.sending.rehearsal import FakeSendGrid

FEED = '<rss version="2.0"><channel><title>Harbour Notes</title>{items}</channel></rss>'
ITEM = """<item><title>{title}</title><link>https://harbour.example/{number}</link>
<pubDate>{date} 09:00:00 GMT</pubDate><description>
&lt;p&gt;{title}: the boats lay on the sand, and nobody could say for how long.&lt;/p&gt;
&lt;p&gt;So they waited.&lt;/p&gt;</description></item>"""
OLD = ITEM.format(title="Old tide", number=1, date="Fri, 20 Nov 2026")
UNREADABLE = "<item><title>Empty</title></item>"

Publish = Callable[..., None]


@pytest.fixture
def publish(newsletter: Cli, project_folder: Path, static_host: StaticHost) -> Publish:
    """Return a function that adds posts to the feed; it was checked once, with an old post."""

    def write(*titles: str, items: str = "") -> None:
        new = "".join(
            ITEM.format(title=title, number=title.replace(" ", "-"), date="Mon, 30 Nov 2026")
            for title in titles
        )
        text = FEED.format(items=items or new + OLD)
        path = static_host.folder / "feed.xml"
        # Last-Modified has whole seconds, and the feed may change twice within one.
        modified = path.stat().st_mtime + 2 if path.exists() else 1_750_000_000
        path.write_text(text)
        os.utime(path, (modified, modified))

    write()
    with (project_folder / "newsletter.yml").open("a") as settings:
        settings.write(f"blog: {{feeds: {static_host.url}/feed.xml}}\n")
    code, out, _ = newsletter("weekly")
    assert (code, "seen from now on: 1 post." in out) == (3, True)
    return write


def list_issues(folder: Path) -> list[str]:
    return sorted(path.name[11:] for path in (folder / "issues").iterdir())


def test_new_post_becomes_a_draft_once(
    newsletter: Cli, project_folder: Path, publish: Publish
) -> None:
    publish("High tide")
    code, out, _ = newsletter("weekly")
    assert (code, "1 new post" in out) == (0, True)
    assert list_issues(project_folder) == ["high-tide", "the-ice"]
    (post,) = project_folder.glob("issues/*-high-tide/post.html")
    assert "\ndraft: true\n" in post.read_text()
    assert newsletter("weekly")[0] == 3
    code, out, _ = newsletter("weekly", "--json")
    assert (code, json.loads(out)["issues"]) == (3, [])


def test_new_post_is_scheduled_once(
    newsletter: Cli, project_folder: Path, publish: Publish, fake_sendgrid: FakeSendGrid
) -> None:
    publish("High tide")
    options = ("weekly", "--send-at", time_ahead(days=2), "--hold-at-sendgrid")
    seen = (project_folder / "seen-posts.json").read_bytes()
    assert newsletter(*options)[0] == 0
    sent = len(fake_sendgrid.accepted)
    assert sent == 25
    assert newsletter(*options)[0] == 3
    # A run that is interrupted after the schedule, before it has recorded the post as seen.
    (project_folder / "seen-posts.json").write_bytes(seen)
    code, _, err = newsletter(*options)
    assert (code, "high-tide" in err) == (3, True)
    assert newsletter(*options)[0] == 3
    assert len(fake_sendgrid.accepted) == sent


def test_nothing_is_scheduled_while_a_check_finds_an_error(
    newsletter: Cli, project_folder: Path, publish: Publish, fake_sendgrid: FakeSendGrid
) -> None:
    options = ("weekly", "--send-at", time_ahead(days=2), "--hold-at-sendgrid")
    publish("High tide")
    text = (project_folder / "newsletter.yml").read_text()
    (project_folder / "newsletter.yml").write_text(text + "theme: {logo: logo.png}\n")
    before = len(fake_sendgrid.requests)
    code, out, err = newsletter(*options)
    assert (code, len(fake_sendgrid.requests)) == (1, before), out + err
    (project_folder / "newsletter.yml").write_text(text)
    assert newsletter(*options)[0] == 0
    assert len(fake_sendgrid.accepted) == 25


def test_several_new_posts_are_one_digest(
    newsletter: Cli, project_folder: Path, publish: Publish, fake_sendgrid: FakeSendGrid
) -> None:
    publish("High tide", "Spring tide")
    options = ("weekly", "--send-at", time_ahead(days=2), "--hold-at-sendgrid")
    code, _, err = newsletter(*options)
    assert (code, "2 posts are new (High tide, Spring tide)" in err) == (1, True)
    assert list_issues(project_folder) == ["the-ice"]
    seen = (project_folder / "seen-posts.json").read_bytes()
    assert newsletter(*options, "--digest")[0] == 0
    (digest,) = (name for name in list_issues(project_folder) if "digest" in name)
    assert len(fake_sendgrid.accepted) == 25
    (project_folder / "seen-posts.json").write_bytes(seen)
    assert newsletter(*options, "--digest")[0] == 3
    assert list_issues(project_folder) == [digest, "the-ice"]
    assert len(fake_sendgrid.accepted) == 25


def test_post_that_cannot_be_read_is_told_and_holds_up_no_other(
    newsletter: Cli, project_folder: Path, publish: Publish, fake_sendgrid: FakeSendGrid
) -> None:
    high_tide = ITEM.format(title="High tide", number=2, date="Mon, 30 Nov 2026")
    publish(items=f"{high_tide}{UNREADABLE}{OLD}")
    options = ("weekly", "--send-at", time_ahead(days=2), "--hold-at-sendgrid")
    code, _, err = newsletter(*options)
    assert (code, "Not imported: Empty: " in err) == (1, True)
    assert newsletter(*options)[0] == 3
    assert list_issues(project_folder) == ["high-tide", "the-ice"]
    assert len(fake_sendgrid.accepted) == 25
    publish(items=f"{high_tide}{OLD}{UNREADABLE}")
    code, out, err = newsletter("weekly", "--digest")
    assert (code, "0 new posts" in out, "Not imported" in err) == (3, True, False)
    assert "Note: 1 post in the feed still can't be read: 'Empty'." in err
    (project_folder / "seen-posts.json").unlink()
    code, out, err = newsletter(*options)  # as a feed is that was never checked
    assert (code, "seen from now on: 2 posts" in out, "Empty" in err) == (3, True, True)


def test_secret_of_a_feed_is_neither_printed_nor_stored(
    newsletter: Cli, project_folder: Path, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = project_folder / "newsletter.yml"
    address = settings.read_text().rpartition("feeds: ")[2].rstrip("}\n")
    monkeypatch.setenv("NEWSLETTER_FEED", f"{address}?token=s3cret")
    publish("High tide", items="")
    runs = [newsletter("weekly", "--json"), newsletter("weekly"), newsletter("weekly")]
    publish(*(f"Tide {number}" for number in range(9)))
    runs.append(newsletter("weekly"))
    runs.append(newsletter("import", f"{address}?token=s3cret", "--new"))
    runs.append(newsletter("import", f"{address}?token=s3cret", "--latest", "--json"))
    (project_folder.parent / "site").mkdir(exist_ok=True)
    monkeypatch.setenv("NEWSLETTER_FEED", f"{address}.gone?token=s3cret")
    runs.append(newsletter("weekly"))
    assert [code for code, _, _ in runs] == [0, 3, 3, 1, 1, 0, 1]
    text = "".join(out + err for _, out, err in runs)
    assert (text.count("?token=***") >= 6, "s3cret" in text) == (True, False)
    files = [path for path in project_folder.rglob("*") if path.is_file()]
    assert not [path for path in files if b"s3cret" in path.read_bytes()]


def test_issue_that_cannot_be_checked_is_told(
    newsletter: Cli, project_folder: Path, publish: Publish
) -> None:
    publish("High tide")
    seen = (project_folder / "seen-posts.json").read_bytes()
    assert newsletter("weekly")[0] == 0
    (project_folder / "seen-posts.json").write_bytes(seen)
    (post,) = project_folder.glob("issues/*-high-tide/post.html")
    post.write_text("---\ntitle: [\n---\n")
    code, _, err = newsletter("weekly")
    assert (code, "Not checked: " in err, "post.html:" in err) == (1, True, True)


def test_what_is_wrong_with_the_settings_is_told_once(
    newsletter: Cli, project_folder: Path, publish: Publish
) -> None:
    settings = project_folder / "newsletter.yml"
    lines = settings.read_text().splitlines(keepends=True)
    settings.write_text("".join(line for line in lines if not line.startswith("postal_address")))
    publish("High tide", "Spring tide")
    seen = (project_folder / "seen-posts.json").read_bytes()
    out = newsletter("weekly")[1]
    assert out.count("no-postal-address") == 1, out
    (project_folder / "seen-posts.json").write_bytes(seen)
    settings.write_text(f"{settings.read_text()}theme: {{template: gone}}\n")
    err = newsletter("weekly")[2]
    assert err.count("Not checked: ") == 1, err


def test_page_names_its_feeds(
    newsletter: Cli, project_folder: Path, static_host: StaticHost
) -> None:
    page = '<html><link rel="alternate" type="application/rss+xml" href="/rss.xml">'
    (static_host.folder / "blog.html").write_text(page)
    with (project_folder / "newsletter.yml").open("a") as settings:
        settings.write(f"blog: {{feeds: {static_host.url}/blog.html}}\n")
    code, _, err = newsletter("weekly")
    assert (code, f"It links to: {static_host.url}/rss.xml" in err) == (1, True)


def test_post_of_two_feeds_is_one_post(
    newsletter: Cli, project_folder: Path, publish: Publish, static_host: StaticHost
) -> None:
    tides = static_host.folder / "tides.xml"
    tides.write_text(FEED.format(items=OLD))
    os.utime(tides, (1_750_000_000, 1_750_000_000))
    settings = project_folder / "newsletter.yml"
    feeds = f"[{static_host.url}/feed.xml, {static_host.url}/tides.xml]"
    settings.write_text(settings.read_text().replace(f"{static_host.url}/feed.xml", feeds))
    assert newsletter("weekly")[0] == 3
    publish("High tide")
    text = (static_host.folder / "feed.xml").read_text()
    tides.write_text(text.replace("So they waited.", ""))
    code, out, _ = newsletter(
        "weekly", "--send-at", time_ahead(days=2), "--hold-at-sendgrid", "--json"
    )
    data = json.loads(out)["weekly"]
    assert (code, [feed["new"] for feed in data["feeds"]]) == (0, [1, 1])
    assert list_issues(project_folder) == ["high-tide", "the-ice"]
    assert newsletter("weekly")[0] == 3


@pytest.mark.parametrize(
    "options",
    [
        ("--send-at", "2020-01-01 09:00"),
        ("--send-at", "soon"),
        ("--send-at", "Tue 09:00", "--local", "--hold-at-sendgrid"),
        ("--send-at", "Tue 09:00", "--draft"),
        ("--send-at", "Tue 09:00", "--hold-at-sendgrid", "--segment", "walkers"),
        ("--segment", "walkers"),
        ("--segment", "status:active", "--digest"),
        ("--segment", "tag:walkers and"),
    ],
)
def test_options_are_refused_before_anything_is_imported(
    newsletter: Cli, project_folder: Path, publish: Publish, options: tuple[str, ...]
) -> None:
    publish("High tide")
    assert newsletter("weekly", *options)[0] == 2
    assert list_issues(project_folder) == ["the-ice"]


def test_digest_leaves_posts_that_are_too_many_for_the_next(
    newsletter: Cli,
    project_folder: Path,
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("newsletter.cli.issue.weekly_digest._MAX_POSTS", 2)
    note = "<item><title>Note</title><description>Low water at six, they say.</description></item>"
    titles = ("High tide", "Low tide", "Spring tide")
    new = "".join(
        ITEM.format(title=title, number=number, date="Mon, 30 Nov 2026")
        for number, title in enumerate(titles, 2)
    )
    publish(items=f"{new}{note}{OLD}")
    code, out, err = newsletter("weekly", "--digest")
    assert (code, "Left for the next run: 1 post;" in out) == (1, True)
    assert "Not imported: Note: it has no page" in err
    assert newsletter("weekly", "--digest")[0] == 0
    assert newsletter("weekly", "--digest")[0] == 3
    digests = sorted(
        project_folder.glob("issues/*digest*/post.md"), key=lambda path: len(str(path))
    )
    found = [[title in path.read_text() for title in titles] for path in digests]
    assert found == [[True, True, False], [False, False, True]]


def test_flood_makes_nothing(newsletter: Cli, project_folder: Path, publish: Publish) -> None:
    titles = [f"Tide {number}" for number in range(9)]
    publish(*titles)
    code, _, err = newsletter("weekly")
    assert (code, [title in err for title in titles]) == (1, [True] * 9)
    assert list_issues(project_folder) == ["the-ice"]
    assert newsletter("weekly", "--accept-flood")[0] == 0
    assert len(list_issues(project_folder)) == 10


def test_without_a_feed_it_says_where_to_put_one(cli: Cli, project_folder: Path) -> None:
    code, _, err = cli("weekly")
    assert (code, "blog: {feeds:" in err) == (2, True)
    assert not (project_folder / "seen-posts.json").exists()
