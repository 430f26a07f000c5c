"""``newsletter digest``: a draft of several posts, and none of them twice."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from newsletter.config import load_config
from newsletter.posts.issue import Issue
from newsletter.posts.read_issue import read_issue

Cli = Callable[..., tuple[int, str, str]]

ITEM = """\
<item><title>{title}</title><link>https://quay-notes.org/{slug}/</link>
<guid isPermaLink="false">{slug}</guid><category>{tag}</category>
<pubDate>{day} Nov 2026 08:00:00 GMT</pubDate><content:encoded><![CDATA[{text}]]></content:encoded>
</item>
"""
FEED = """\
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
<title>Quay</title><link>https://quay-notes.org/</link><description>All.</description>
{items}</channel></rss>
"""
TIDES = ITEM.format(
    title="The {{ tide }} tables are wrong",
    slug="tides",
    tag="Harbour",
    day=20,
    text="<p>By twenty minutes. The harbour master has known it since the new breakwater "
    "was built, and has told nobody who didn't ask him about it in person.</p>"
    '<p><img src="https://quay-notes.org/tide.jpg" alt="A tide"></p><p>The end.</p>',
)
KNOTS = ITEM.format(
    title="Knots &amp; bends",
    slug="knots",
    tag="Boats",
    day=22,
    text="<p>Hello!</p><p>Three hold:</p><ul><li>A</li></ul><p>No more.</p>",
)
NETS = ITEM.format(title="Nets", slug="nets", tag="Boats", day=25, text="<p>Two mend them.</p>")


@pytest.fixture
def folder(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a new newsletter, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    cli("init", "quay-notes")
    monkeypatch.chdir(tmp_path / "quay-notes")
    return tmp_path / "quay-notes"


def write_feed(*items: str) -> str:
    Path("feed.xml").write_text(FEED.format(items="".join(items)))
    return "feed.xml"


def write_issue(name: str, front_matter: str, body: str = "Low water at noon.\n") -> Path:
    path = Path("issues", name, "post.md")
    path.parent.mkdir()
    path.write_text(f"---\n{front_matter}\n---\n{body}")
    return path


def read_digest(folder: Path, name: str) -> Issue:
    config = load_config(folder / "newsletter.yml", {})
    (path,) = (folder / "issues").glob(f"*-{name}")
    return read_issue(path, config)


def test_a_feed_becomes_a_draft_and_none_of_its_posts_is_repeated(cli: Cli, folder: Path) -> None:
    feed = write_feed(TIDES, KNOTS)
    code, out, err = cli("digest", "--from", feed, "--slug", "first")
    assert (code, err) == (0, "")
    assert "\n  posts  2\n         Knots & bends\n         The {{ tide }} tables are wrong\n" in out
    issue = read_digest(folder, "first")
    assert issue.draft
    assert not issue.post.body
    knots, tides = issue.digest
    assert (knots.title, knots.url, knots.excerpt, knots.post_id) == (
        "Knots & bends",
        "https://quay-notes.org/knots/",
        "Hello! Three hold…",
        "knots",
    )
    assert tides.title == "The {{ tide }} tables are wrong"
    assert tides.excerpt.startswith("By twenty minutes. The harbour master")
    assert tides.excerpt.endswith("in person.")
    assert tides.picture
    assert tides.picture.src == "https://quay-notes.org/tide.jpg"
    assert json.loads(cli("issues", "--json")[1])["words"] > len(tides.excerpt.split())
    # The same feed again: nothing is written.
    before = {*Path("issues").iterdir()}
    code, _, err = cli("digest", "--from", feed)
    assert code == 3
    assert "no post is new since" in err
    assert {*Path("issues").iterdir()} == before
    # What is new since is alone in the next digest, unless the others are asked for.
    write_feed(TIDES, KNOTS, NETS)
    code, out, _ = cli("digest", "--from", feed, "--json")
    assert code == 0
    made = json.loads(out)
    assert [post["id"] for post in made["posts"]] == ["nets"]
    assert (made["since"], made["left_out"]) == ("2026-11-22", {"repeated post": 2})
    code, out, _ = cli("digest", "--from", feed, "--json", "--again", "--since", "2026-11-01")
    assert [post["id"] for post in json.loads(out)["posts"]] == ["nets", "knots", "tides"]


def test_finished_issues_with_an_address_are_taken_with_their_pictures(
    cli: Cli, folder: Path, picture: bytes
) -> None:
    address = "canonical_url: https://quay-notes.org"
    for name in ("2026-11-20-tides", "2026-11-21-knots"):
        path = write_issue(
            name,
            f"title: {name[11:]}\n{address}/{name[11:]}\n"
            "preheader: For {{ subscriber.name }}.\nhero: {src: hero.png, alt: A boat}",
        )
        (path.parent / "hero.png").write_bytes(picture + name.encode())
    write_issue("2026-11-22-draft", f"title: Draft\ndraft: true\n{address}/draft")
    write_issue("2026-11-23-nowhere", "title: Nowhere")
    write_issue("2026-11-24-broken", "titel: Broken")
    code, out, err = cli("digest", "--slug", "issues", "--title", " Of\nthis week ")
    assert code == 0
    assert "left out  1 draft, 1 unpublished post" in out
    assert "Left out: issues/2026-11-24-broken/post.md:2: unknown key 'titel'" in err
    issue = read_digest(folder, "issues")
    assert (issue.post.title, issue.preheader) == ("Of this week", "knots · tides")
    assert [post.picture and (post.picture.src, post.picture.alt) for post in issue.digest] == [
        ("hero.png", "A boat"),
        ("hero-2.png", "A boat"),
    ]
    folder_bytes = [(issue.source_path.parent / name).read_bytes() for name in issue.post.images]
    assert folder_bytes == [picture + b"2026-11-21-knots", picture + b"2026-11-20-tides"]
    assert [tag.source for tag in issue.merge_tags] == ["{{ subscriber.name }}"]
    assert cli("digest")[0] == 3


def test_braces_of_a_post_are_in_its_card_as_they_are(cli: Cli, folder: Path) -> None:
    text = (
        "<p>{{ .Title }} and <code>{{ .Date }}</code> stand in each of the templates of the quay."
    )
    feed = write_feed(
        ITEM.format(title="A", slug="a", tag="x", day=20, text=f"{text} The end.</p>"),
        ITEM.format(title="B", slug="b", tag="x", day=19, text=f"{text}</p><p>{{{{ b }}}}</p>"),
        ITEM.format(
            title="C", slug="c", tag="x", day=18, text=f"<p>{'word ' * 54}{{{{ a b c }}}} d e</p>"
        ),
    )
    write_issue(
        "2026-11-17-own",
        "title: Use {{ '{{' }} d }}\ncanonical_url: https://quay-notes.org/d",
        'Hello {{ subscriber.name | default("you") }}, {{ "{{" }} d }} is of no use here.\n',
    )
    assert cli("digest", "--from", feed, "--slug", "feed")[0] == 0
    shown = "{{ .Title }} and {{ .Date }} stand in each of the templates of the quay."
    excerpts = [card.excerpt for card in read_digest(folder, "feed").digest]
    assert excerpts[:2] == [f"{shown} The end.", f"{shown} {{{{ b }}}}"]
    assert excerpts[2].endswith("word {{ a b c…")
    assert cli("digest", "--slug", "mine", "--since", "2026-11-01")[0] == 0
    (own,) = read_digest(folder, "mine").digest
    assert own.title == "Use {{ d }}"
    assert own.excerpt.endswith("-, {{ d }} is of no use here.")


def test_pictures_of_a_folder_become_pictures_for_email(cli: Cli, folder: Path) -> None:
    posts = folder / "blog" / "_posts"
    posts.mkdir(parents=True)
    (folder / "blog" / "_config.yml").write_text("url: https://quay-notes.org\n")
    for name, file in (("a", "wide.webp"), ("b", "damaged.png"), ("c", "nets.png")):
        settings = f"---\ntitle: {name}\nimage: {file}\n---\n"
        (posts / f"2026-11-20-{name}.md").write_text(f"{settings}The boats.\n\n![N](nets.png)\n")
    Image.new("RGB", (1_800, 20), "navy").save(posts / "wide.webp")
    Image.new("RGB", (8, 8), "navy").save(posts / "nets.png")
    png = (posts / "nets.png").read_bytes()
    (posts / "damaged.png").write_bytes(png[:-30])
    assert cli("digest", "--from", "blog", "--slug", "pictures")[0] == 0
    issue = read_digest(folder, "pictures")
    pictures = {card.title: card.picture.src for card in issue.digest if card.picture}
    assert pictures == {"a": "wide.png", "b": "nets.png", "c": "nets.png"}
    with Image.open(issue.source_path.parent / "wide.png") as wide:
        assert wide.width == 2 * load_config(folder / "newsletter.yml", {}).theme.width
    assert (issue.source_path.parent / "nets.png").read_bytes() == png


def test_posts_without_an_address_need_the_blogs(cli: Cli, folder: Path) -> None:
    blog = folder.parent / "blog"
    (blog / "_posts").mkdir(parents=True)
    (blog / "_config.yml").write_text("title: Quay\n")
    (blog / "_posts" / "2026-11-20-tides.md").write_text(
        "---\ntitle: Tides\n---\nThey are wrong.\n"
    )
    code, _, err = cli("digest", "--from", str(blog))
    assert code == 3
    assert "(left out: 1 unpublished post). Unpublished posts have no address on the web" in err
    base = ("--base-url", "https://quay-notes.org")
    code, out, _ = cli("digest", "--from", str(blog), *base, "--json")
    assert code == 0
    (post,) = json.loads(out)["posts"]
    assert post["url"].startswith("https://quay-notes.org/")


def test_a_digest_that_cannot_be_read_stops_the_next(cli: Cli, folder: Path) -> None:
    write_issue("2026-11-20-digest", "digest: [{title: A, url: https://a.example}", "Hello.\n")
    code, _, err = cli("digest", "--from", write_feed(TIDES))
    assert code == 1
    assert "issues/2026-11-20-digest/post.md" in err
    assert len([*(folder / "issues").glob("2*")]) == 1


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--since", "yesterday"], 2, "--since 'yesterday' is not a valid date"),
        (["--slug", "Über"], 2, "--slug 'Über' is not a valid slug"),
        (["--limit", "0"], 2, "--limit"),
        (["--from", "newsletter.yml"], 1, "newsletter.yml is not a feed, export or content folder"),
        (["--from", "missing.xml"], 1, "missing.xml: there is no such file or folder"),
        (["--from", ""], 2, "--from is empty"),
        ([], 3, "no post is new; no digest was made."),
        (["--since", "2027-01-01"], 3, "no post is new since 2027-01-01; no digest was made."),
    ],
)
@pytest.mark.usefixtures("folder")
def test_nothing_is_written_without_posts(
    cli: Cli, options: list[str], code: int, message: str
) -> None:
    result = cli("digest", *options)
    assert (result[0], message in result[2]) == (code, True), result[2]
    assert [*Path("issues").glob("2*")] == []
