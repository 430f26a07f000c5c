"""``newsletter init --sample``: the sample issue has every block, and is never sent."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from designs import DESIGNS

from newsletter.config import load_config
from newsletter.posts.front_matter.parse import split_front_matter
from newsletter.posts.front_matter.schema import FrontMatterFields
from newsletter.posts.html.callouts import CALLOUT_KINDS
from newsletter.posts.read_issue import read_issue
from newsletter.project import SAMPLE_NAME
from newsletter.project.scaffold import STARTER_DIR
from newsletter.render.article.build import build_article

Cli = Callable[..., tuple[int, str, str]]

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "reference" / "issues.md"
SAMPLE_POST = STARTER_DIR / "sample" / "post.md"
SYNTAX = re.compile(r"`[^`\n]+`|each on its own line")
# By heading of the reference: what the article has if it has this block, in every form.
BLOCKS = {
    "Headings": ["<h2", "<h3", 'href="#images"'],
    "Emphasis and inline code": ["<em>", "<strong>", "<mark>", "<s>", "<code>", "<kbd>", "<br>"],
    "Links": [
        '<a href="https://harbournotes.example/letters/knots">',
        ">https://harbournotes.example/tables</a>",
    ],
    "Lists and tasks": ["<ol>", "<ul>", "☑", "☐"],
    "Definitions": ["<dl>", "<dt>", "<dd>"],
    "Quotations": ["<blockquote>"],
    "Callouts": [f"callout callout-{kind}" for kind in CALLOUT_KINDS],
    "Pull quotes": ['<blockquote class="pullquote">', 'class="pullquote-source"'],
    "Sponsors": ['class="sponsor-label">Sponsor · ', "ropes.example"],
    "Invitations to reply": ['class="reply-invitation"', "mailto:"],
    "Buttons in the text": ['class="inline-button">Open the tables</a></td>'],
    "Images": ["curve.png", 'class="caption"'],
    "Galleries": ['class="gallery"'],
    "Tables": ["<table", "text-align:center", "text-align:right"],
    "Code": ["<strong>tide.py</strong>", "<pre", "color:#1F5F8B"],
    "Video, audio and embeds": ["slack-water.jpg", "bell-buoy.mp3", "films.example", "@tormod"],
    "Details": ['class="details"'],
    "Footnotes": ['class="footnotes"', "footnote-backref"],
    "A line between two parts": ["<hr"],
    "Merge tags": ["subscriber.name"],
    "Attributes": ['class="small"'],
}
# Keys of the front matter that show nothing in the email, or change what this newsletter has set.
KEYS_WITHOUT_BLOCK = {
    *("description", "summary", "excerpt"),  # stand in for preheader
    *("canonical_url", "sender_name", "reply_to", "template", "topic", "archive", "extra"),
    "digest",  # another kind of issue: the sample is one post
}


@pytest.fixture
def newsletter_folder(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A newsletter that was made with its sample issue; it becomes the working folder."""
    monkeypatch.chdir(tmp_path)
    assert cli("init", "harbour-notes", "--sample")[0] == 0
    monkeypatch.chdir(tmp_path / "harbour-notes")
    return tmp_path / "harbour-notes"


def test_sample_has_every_block_of_the_reference(newsletter_folder: Path) -> None:
    assert list(BLOCKS) == re.findall(r"^### (.*)$", PAGE.read_text(), re.MULTILINE)
    config = load_config(newsletter_folder / "newsletter.yml", {})
    article = build_article(
        read_issue(newsletter_folder / "issues" / SAMPLE_NAME, config), config
    ).html
    assert [mark for marks in BLOCKS.values() for mark in marks if mark not in article] == []


def test_sample_has_a_section_for_each_block_that_says_how_it_is_written() -> None:
    sections = re.split(r"^## (.*)$", SAMPLE_POST.read_text(), flags=re.MULTILINE)[1:]
    texts = dict(zip(sections[::2], sections[1::2], strict=True))
    assert list(texts) == list(BLOCKS)
    assert [name for name, text in texts.items() if not SYNTAX.search(text)] == []


def test_sample_sets_every_key_that_shows_in_the_email() -> None:
    data = split_front_matter(SAMPLE_POST.read_text(), "post.md").data
    assert set(data) == set(FrontMatterFields.model_fields) - KEYS_WITHOUT_BLOCK
    assert set(data["author"]) == {"name", "bio", "url", "picture"}
    assert set(data["hero"]) == {"src", "alt", "caption"}
    assert set(data["button"]) == {"text", "url"}
    assert [set(card) for card in data["further"]] == [{"title", "url", "text", "picture"}] * 2


def test_init_with_sample_says_how_to_look_at_it(cli: Cli, newsletter_folder: Path) -> None:
    code, out, err = cli("init", "fjord", "--sample")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "Sample issue: newsletter preview every-block"
    folder = newsletter_folder / "fjord" / "issues" / SAMPLE_NAME
    assert read_files(folder) == read_files(SAMPLE_POST.parent)


def test_init_without_sample_has_no_issue(cli: Cli, newsletter_folder: Path) -> None:
    _, out, _ = cli("init", "fjord")
    assert "ample" not in out
    assert [path.name for path in (newsletter_folder / "fjord" / "issues").iterdir()] == [
        ".gitkeep"
    ]


def test_sample_builds_whole(cli: Cli, newsletter_folder: Path) -> None:
    code, out, err = cli("build", "every-block", "--json")
    assert (code, err) == (0, "")
    email = json.loads(out)
    assert (email["images"], email["removed"], email["lost"]) == (8, [], [])
    text = (newsletter_folder / "build" / SAMPLE_NAME / "email.txt").read_text()
    for name in BLOCKS:
        assert f"\n{name}\n---" in text


@pytest.mark.parametrize("design", DESIGNS)
def test_check_of_sample_finds_only_that_the_postal_address_is_missing(
    cli: Cli, newsletter_folder: Path, design: str
) -> None:
    post = newsletter_folder / "issues" / SAMPLE_NAME / "post.md"
    post.write_text(post.read_text().replace("number: 1\n", f"number: 1\ntemplate: {design}\n"))
    [issue] = json.loads(cli("check", "every-block", "--format", "json")[1])["issues"]
    assert [finding["rule"] for finding in issue["findings"]] == ["no-postal-address"]
    settings = newsletter_folder / "newsletter.yml"
    settings.write_text(settings.read_text().replace("#postal_address", "postal_address"))
    code, out, _ = cli("check", "every-block", "--strict")
    assert (code, out.startswith("No problems found")) == (0, True)


def test_sample_is_never_sent_and_is_not_the_latest_issue(
    cli: Cli, newsletter_folder: Path
) -> None:
    code, _, err = cli("send", "every-block", "--yes")
    assert code == 1
    assert "this issue is a draft" in err
    post = newsletter_folder / "first.md"
    post.write_text("# The first boat\n\nThe ice let go on Tuesday.\n")
    assert cli("import", post)[0] == 0
    _, out, _ = cli("build")
    assert "the-first-boat" in out
    assert SAMPLE_NAME not in out


def test_init_with_sample_overwrites_nothing(cli: Cli, newsletter_folder: Path) -> None:
    (newsletter_folder / "issues" / SAMPLE_NAME / "post.md").write_text("mine")
    before = read_files(newsletter_folder)
    code, out, err = cli("init", "--sample")
    assert (code, out) == (1, "")
    assert "already exists: " in err
    assert read_files(newsletter_folder) == before


def test_sample_is_small_enough_for_the_wheel() -> None:
    assert sum(len(content) for content in read_files(SAMPLE_POST.parent).values()) < 150_000


def read_files(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}
