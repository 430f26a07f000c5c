"""``newsletter import``: what it prints, writes and rejects."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.config import load_config
from newsletter.posts.read_issue import read_issue

Cli = Callable[..., tuple[int, str, str]]
Inbox = Callable[..., Path]

SENTENCE = (
    "The boats had been tied up since Tuesday, and nobody on the quay could say when the wind "
    "would stop."
)
SCRAPED = f"""Blog

Low tide

{SENTENCE}

{SENTENCE} And then it did.

Watch more سكس

Leave a Reply

Your email address will not be published. Required fields are marked *
"""


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder, by relative path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def scraped(inbox: Inbox) -> Path:
    return inbox("tide.txt", SCRAPED)


def test_scraped_post_is_imported_and_every_removed_line_is_reported(
    cli: Cli, project_folder: Path, scraped: Path
) -> None:
    code, out, err = cli("import", scraped, "--date", "2026-11-22")
    assert (code, err) == (0, "")
    assert out == (
        "issues/2026-11-22-low-tide/post.md\n"
        "  title      Low tide\n"
        "  read       2 paragraphs, 44 words, 1 minute\n"
        "  removed    'Blog' (section label, line 1)\n"
        "  removed    'Leave a Reply' and 1 more line (comment form, lines 11, 13)\n"
        "  set aside  line 9: \u2068'Watch\xa0more\xa0سكس'\u2069 is in Arabic script in a post "
        "in Latin\n"
        "             script: looks like link spam; keep it with --keep 9\n"
        "Next: newsletter preview low-tide\n"
    )
    issue = project_folder / "issues" / "2026-11-22-low-tide"
    assert (
        (issue / "post.md")
        .read_text()
        .endswith(f"---\n\n{SENTENCE}\n\n{SENTENCE} And then it did.\n")
    )
    assert (issue / "set-aside.txt").read_text() == (
        "line 9: is in Arabic script in a post in Latin script: looks like link spam; "
        "keep it with --keep 9\n    Watch more سكس\n"
    )


def test_imported_post_can_be_read_as_an_issue(
    cli: Cli, project_folder: Path, inbox: Inbox, picture: bytes
) -> None:
    inbox("img/boat one.png", picture)
    post = inbox(
        "tide.html",
        f'<h1>Low tide</h1><p>{SENTENCE}</p><img src="img/boat%20one.png" alt="A boat">',
    )
    assert cli("import", post, "--date", "2026-11-22")[0] == 0
    config = load_config(project_folder / "newsletter.yml", {})
    issue = read_issue(project_folder / "issues" / "2026-11-22-low-tide", config)
    assert (issue.post.title, issue.subject, issue.preheader) == ("Low tide", "Low tide", SENTENCE)
    assert issue.post.body.strip() == (
        f'<p>{SENTENCE}</p><img src="img/boat%20one.png" alt="A boat">'
    )
    assert [image.name for image in issue.post.images.values()] == ["img/boat one.png"]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            (),
            "  pictures  2 stay on the web; to copy them, import the post's URL or its folder\n",
        ),
        (("--hotlink",), ""),
    ],
)
def test_pictures_on_the_web_are_counted(
    cli: Cli, project_folder: Path, inbox: Inbox, options: tuple[str, ...], line: str
) -> None:
    body = f"{SENTENCE}\n\n![A](https://a.example/a.png) ![A](https://a.example/a.png)\n"
    counter = "![](https://pixel.wp.com/b.gif)"
    post = inbox("tide.md", f"---\ntitle: Tide\nhero: //a.example/h.png\n---\n{body}\n{counter}\n")
    assert project_folder.is_dir()
    code, out, _ = cli("import", post, *options)
    assert (code, line in out, "the web" in out) == (0, True, bool(line))


def test_import_as_json(cli: Cli, project_folder: Path, scraped: Path) -> None:
    code, out, _ = cli("import", scraped, "--date", "2026-11-22", "--json")
    assert code == 0
    assert json.loads(out) == {
        "issue": "2026-11-22-low-tide",
        "path": "issues/2026-11-22-low-tide/post.md",
        "state": "new",
        "title": "Low tide",
        "paragraphs": 2,
        "words": 44,
        "words_outside": 0,
        "minutes": 1,
        "settings": [],
        "pictures": [],
        "on_the_web": [],
        "not_copied": [],
        "removed": [
            {"line": 1, "text": "Blog", "why": "section label"},
            {"line": 11, "text": "Leave a Reply", "why": "comment form"},
            {
                "line": 13,
                "text": "Your email address will not be published. Required fields are marked *",
                "why": "comment form",
            },
        ],
        "set_aside": [
            {
                "line": 9,
                "text": "Watch more سكس",
                "why": "is in Arabic script in a post in Latin script: looks like link spam",
            }
        ],
        "lost": [],
        "problems": [],
        "edited": [],
        "backups": [],
        "same_file_issues": [],
    }
    assert (project_folder / "issues" / "2026-11-22-low-tide").is_dir()


def test_post_is_read_from_standard_input(cli: Cli, project_folder: Path) -> None:
    code, out, _ = cli("import", "-", "--date", "2026-11-22", typed=f"# Low tide\n\n{SENTENCE}\n")
    assert code == 0
    assert out.startswith("issues/2026-11-22-low-tide/post.md\n")
    assert (project_folder / "issues" / "2026-11-22-low-tide" / "post.md").is_file()


def test_settings_of_another_tool_are_reported_and_the_issue_is_valid(
    cli: Cli, project_folder: Path, inbox: Inbox
) -> None:
    settings = (
        'layout: post\ntitle: "Salt &amp; rope"\nauthors: [Kari Moe, Per Dahl]\n'
        "pubDate: 2026-10-01\ncover: gone.png\narchived: true\nmood: [wet]\n"
    )
    post = inbox("a.md", f"---\n{settings}---\n{SENTENCE}\n")
    code, out, err = cli("import", post)
    assert (code, err) == (0, "")
    assert out == (
        "issues/2026-10-01-salt-rope/post.md\n"
        "  title   Salt & rope\n"
        "  read    1 paragraph, 20 words, 1 minute\n"
        "  author  Kari Moe and Per Dahl (from authors)\n"
        "  date    2026-10-01 (from pubDate)\n"
        "  cover   'gone.png' isn't an image beside the post; kept under extra:\n"
        "  extra   layout, archived, mood (kept, not used)\n"
        "Next: newsletter preview salt-rope\n"
    )
    config = load_config(project_folder / "newsletter.yml", {})
    issue = read_issue(project_folder / "issues" / "2026-10-01-salt-rope", config)
    assert (issue.subject, issue.post.author) == ("Salt & rope", "Kari Moe and Per Dahl")
    again = cli("import", post, "--slug", "other", "--json")
    assert json.loads(again[1])["settings"][0] == {
        "key": "author",
        "text": "Kari Moe and Per Dahl (from authors)",
    }


def test_next_step_names_one_issue(cli: Cli, project_folder: Path, inbox: Inbox) -> None:
    post = inbox("a.md", f"# Tide\n\n{SENTENCE}\n")
    cli("import", post, "--slug", "low-tide", "--date", "2026-11-22")
    assert cli("import", inbox("b.md", f"# Tide\n\n{SENTENCE} b\n"), "--date", "2026-11-23")[
        1
    ].endswith("Next: newsletter preview 2026-11-23-tide\n")
    assert (project_folder / "issues" / "2026-11-23-tide").is_dir()


def test_control_characters_of_a_post_are_escaped(
    cli: Cli, project_folder: Path, inbox: Inbox
) -> None:
    post = inbox("a.md", f"# Low\u202e tide\n\n{SENTENCE}\n\nOnline casino \u202e\u2069 now\n")
    code, out, _ = cli("import", post)
    assert code == 0
    assert "Low\\u202e tide" in out
    assert "Online casino \\u202e\\u2069 now" in out
    assert (project_folder / "issues").is_dir()


def test_date_comes_from_option_or_post_or_today(
    cli: Cli, project_folder: Path, inbox: Inbox
) -> None:
    dated = inbox("a.md", f"---\ndate: 2026-03-04\n---\n# Dated\n\n{SENTENCE}\n")
    assert cli("import", dated)[1].startswith("issues/2026-03-04-dated/")
    assert cli("import", dated, "--date", "2026-05-06", "--slug", "other")[1].startswith(
        "issues/2026-05-06-other/"
    )
    undated = inbox("b.md", f"# Undated\n\n{SENTENCE}\n")
    assert cli("import", undated)[0] == 0
    (folder,) = (project_folder / "issues").glob("*-undated")
    assert f"\ndate: {folder.name[:10]}\n" in (folder / "post.md").read_text()


class TestReimport:
    """Importing the same post a second time."""

    @pytest.fixture
    def issue(self, cli: Cli, project_folder: Path, scraped: Path) -> Path:
        assert cli("import", scraped, "--date", "2026-11-22")[0] == 0
        return project_folder / "issues" / "2026-11-22-low-tide"

    def test_unchanged_post_changes_nothing(self, cli: Cli, issue: Path, scraped: Path) -> None:
        before = snapshot(issue.parent)
        code, out, err = cli("import", scraped, "--date", "2026-12-24")
        assert (code, err) == (0, "")
        assert out == (
            "issues/2026-11-22-low-tide/post.md\n"
            "  unchanged  this post was imported before\n"
            "Next: newsletter preview low-tide\n"
        )
        assert snapshot(issue.parent) == before

    def test_unchanged_post_with_update_changes_nothing(
        self, cli: Cli, issue: Path, scraped: Path
    ) -> None:
        before = snapshot(issue.parent)
        assert "unchanged" in cli("import", scraped, "--update")[1]
        assert snapshot(issue.parent) == before

    def test_edited_issue_is_kept_and_reported(self, cli: Cli, issue: Path, scraped: Path) -> None:
        edited = (issue / "post.md").read_text().replace("Low tide", "Lower tide")
        (issue / "post.md").write_text(edited)
        code, out, _ = cli("import", scraped)
        assert code == 0
        assert "post.md is as you left it" in out
        assert (issue / "post.md").read_text() == edited

    def test_renamed_issue_is_recognized_by_its_content(
        self, cli: Cli, issue: Path, inbox: Inbox
    ) -> None:
        renamed = issue.rename(issue.with_name("2026-11-22-my-own-name"))
        code, out, _ = cli("import", inbox("copy.txt", SCRAPED))
        assert code == 0
        assert out.startswith("issues/2026-11-22-my-own-name/post.md\n  unchanged")
        assert [folder.name for folder in renamed.parent.iterdir()] == [renamed.name]

    def test_changed_post_needs_update(self, cli: Cli, issue: Path, inbox: Inbox) -> None:
        before = snapshot(issue.parent)
        changed = inbox("tide.txt", SCRAPED.replace("did.", "did not."))
        code, out, err = cli("import", changed)
        assert (code, out) == (1, "")
        assert err == (
            "newsletter: issues/2026-11-22-low-tide/post.md: the post differs from the one "
            "imported here before. Replace it with --update. To import the post as a new issue, "
            "use: --slug low-tide-2\n"
        )
        assert snapshot(issue.parent) == before
        code, out, _ = cli("import", changed, "--update")
        assert code == 0
        assert "did not." in (issue / "post.md").read_text()
        assert sorted(snapshot(issue)) == [".imported.json", "post.md", "set-aside.txt"]

    def test_edited_issue_and_changed_post_show_the_diff_and_are_both_kept(
        self, cli: Cli, issue: Path, inbox: Inbox
    ) -> None:
        edited = (issue / "post.md").read_text().replace("And then it did.", "Then it did!")
        (issue / "post.md").write_text(edited)
        before = snapshot(issue.parent)
        changed = inbox("tide.txt", SCRAPED.replace("Low tide", "Low  tide"))
        code, out, err = cli("import", changed)
        assert (code, out) == (1, "")
        assert "post.md was edited since it was imported; nothing was changed\n" in err
        assert "  -The boats had been tied up" in err
        assert "  +The boats had been tied up" in err
        assert "Replace it with --update; your version is kept as post.md.before-update." in err
        assert snapshot(issue.parent) == before
        code, out, _ = cli("import", changed, "--update")
        assert code == 0
        assert "  kept       your version as post.md.before-update\n" in out
        assert (issue / "post.md.before-update").read_text() == edited
        assert "And then it did." in (issue / "post.md").read_text()

    def test_backups_are_never_overwritten(self, cli: Cli, issue: Path, scraped: Path) -> None:
        for text in ("first", "second"):
            (issue / "post.md").write_text(text)
            assert cli("import", scraped, "--update")[0] == 0
        assert (issue / "post.md.before-update").read_text() == "first"
        assert (issue / "post.md.before-update-2").read_text() == "second"

    def test_keep_restores_a_removed_line(self, cli: Cli, issue: Path, scraped: Path) -> None:
        code, out, _ = cli("import", scraped, "--keep", "9", "--keep", "1")
        assert code == 0
        assert "set aside" not in out
        assert "Watch more سكس" in (issue / "post.md").read_text()
        assert not (issue / "set-aside.txt").exists()

    def test_keep_does_not_overwrite_edits(self, cli: Cli, issue: Path, scraped: Path) -> None:
        (issue / "post.md").write_text("mine")
        code, _, err = cli("import", scraped, "--keep", "9")
        assert code == 1
        assert "was edited since" in err
        assert (issue / "post.md").read_text() == "mine"

    def test_issue_written_by_hand_is_kept(self, cli: Cli, issue: Path, inbox: Inbox) -> None:
        own_issue = issue.with_name("2026-11-23-high-tide")
        own_issue.mkdir()
        (own_issue / "post.html").write_text("mine")
        post = inbox("high.md", f"# High tide\n\n{SENTENCE}\n")
        code, _, err = cli("import", post)
        assert code == 1
        assert "an issue with this name exists and was not imported; nothing was changed" in err
        assert snapshot(own_issue) == {"post.html": b"mine"}
        assert cli("import", post, "--update")[0] == 0
        assert sorted(snapshot(own_issue)) == [
            ".imported.json",
            "post.html.before-update",
            "post.md",
        ]


class TestPictures:
    """Copying of local pictures; no other files may be copied."""

    def test_pictures_are_copied_and_outside_paths_rewritten(
        self, cli: Cli, project_folder: Path, inbox: Inbox, picture: bytes
    ) -> None:
        inbox("img/boat.png", picture)
        inbox("posts/boat.png", picture + b"\0")
        inbox("posts/a/knot.png", picture)
        post = inbox(
            "posts/tide.md",
            "---\ntitle: Low tide\nhero:\n  src: ../img/boat.png # the same\n---\n"
            f"{SENTENCE}\n\n![](../img/boat.png) ![](boat.png) ![](./a/knot.png)\n"
            "![](https://x.example/img/boat.png) ![](/img/site.png)\n",
        )
        images = post.parent.parent / "img"
        code, out, _ = cli("import", post, "--date", "2026-11-22", "--images", images)
        assert code == 0
        assert "  pictures  boat-2.png, boat.png, a/knot.png\n" in out
        issue = project_folder / "issues" / "2026-11-22-low-tide"
        text = (issue / "post.md").read_text()
        assert "  src: boat-2.png # the same\n" in text
        assert text.endswith(
            f"{SENTENCE}\n\n![](boat-2.png) ![](boat.png) ![](a/knot.png)\n"
            "![](https://x.example/img/boat.png) ![](/img/site.png)\n"
        )
        assert (issue / "boat-2.png").read_bytes() == picture
        assert (issue / "boat.png").read_bytes() == picture + b"\0"
        assert (issue / "a" / "knot.png").read_bytes() == picture

    def test_files_that_are_no_pictures_are_all_reported_at_once(
        self, cli: Cli, project_folder: Path, inbox: Inbox
    ) -> None:
        inbox("posts/not.png", "words")
        inbox("posts/a.txt", "words")
        post = inbox("posts/tide.md", "# Low tide\n\n![](gone.png)\n![](not.png)\n![](a.txt)\n")
        code, out, err = cli("import", post)
        assert (code, out) == (1, "")
        assert [
            line.partition("tide.md:")[2].partition(".  ")[0][:40] for line in err.splitlines()
        ] == [
            "4: 'not.png' is not an image that an ema",
            "5: 'a.txt' is not an image that an email",
        ]
        assert snapshot(project_folder / "issues") == {}

    def test_pictures_outside_are_not_copied_and_the_remedy_is_said(
        self, cli: Cli, project_folder: Path, inbox: Inbox, picture: bytes
    ) -> None:
        inbox("secret/passport.png", picture)
        post = inbox("posts/tide.md", f"# Low tide\n\n{SENTENCE}\n\n![](../secret/passport.png)\n")
        code, out, _ = cli("import", post, "--date", "2026-11-22")
        assert code == 0
        said = " ".join(out.split())
        assert "tide.md:5: the image '../secret/passport.png' is outside the post's folder." in said
        assert "import the post again with --update and --images FOLDER" in said
        issue = project_folder / "issues" / "2026-11-22-low-tide"
        assert sorted(snapshot(issue)) == [".imported.json", "post.md"]
        folder = post.parent.parent / "secret"
        code, out, _ = cli("import", post, "--update", "--images", folder, "--json")
        data = json.loads(out)
        assert (code, data["pictures"], data["not_copied"]) == (0, ["passport.png"], [])
        assert cli("import", post, "--update", "--images", folder / "no")[0] == 2

    def test_pictures_in_the_front_matter_are_copied(
        self, cli: Cli, project_folder: Path, inbox: Inbox, picture: bytes
    ) -> None:
        inbox("boat.png", picture)
        inbox("knot.png", picture)
        settings = (
            "hero: boat.png\nfurther:\n- title: Knots\n  url: https://quay.example\n"
            "  picture:\n    src: knot.png"
        )
        body = "# Low tide\n\n<img src='{{ subscriber.boat }}'>\n"
        text = f"---\n{settings}\n---\n{body}\n{SENTENCE}\n"
        assert cli("import", inbox("a.md", text), "--date", "2026-11-22")[0] == 0
        files = snapshot(project_folder / "issues" / "2026-11-22-low-tide")
        assert sorted(files) == [".imported.json", "boat.png", "knot.png", "post.md"]

    def test_picture_whose_path_cannot_be_rewritten_is_rejected(
        self, cli: Cli, project_folder: Path, inbox: Inbox, picture: bytes
    ) -> None:
        inbox("boat.png", picture)
        post = inbox("posts/a.md", "# Low tide\n\n![](..&#47;boat.png)\n")
        code, _, err = cli("import", post, "--images", post.parent.parent)
        assert code == 1
        assert "could not rewrite the image path '../boat.png'" in err
        assert snapshot(project_folder / "issues") == {}

    def test_oversized_picture_is_rejected(
        self, cli: Cli, project_folder: Path, inbox: Inbox, picture: bytes
    ) -> None:
        settings = project_folder / "newsletter.yml"
        settings.write_text(settings.read_text() + "limits:\n  image_bytes: 1000\n")
        inbox("boat.png", picture.ljust(1001, b"\0"))
        code, _, err = cli("import", inbox("a.md", "# Low tide\n\n![](boat.png)\n"))
        assert code == 1
        assert "the image 'boat.png' has 1,001 bytes; the limit is 1,000" in err
        assert snapshot(project_folder / "issues") == {}

    def test_missing_pictures_are_reported_with_the_place_where_they_belong(
        self, cli: Cli, project_folder: Path, inbox: Inbox
    ) -> None:
        post = inbox(
            "a.md",
            f"# Low tide\n\n![](img/a.png)\n![](../b.png)\n![]({'x' * 300}.png)\n![](%00.png)\n",
        )
        code, out, _ = cli("import", post, "--date", "2026-11-22", "--json")
        assert code == 0
        issue = project_folder / "issues" / "2026-11-22-low-tide"
        first_line = (issue / "post.md").read_text().splitlines().index("![](img/a.png)") + 1
        missing = "missing. Save it as 2026-11-22-low-tide/"
        outside = "outside the issue's folder. Copy it into the issue's folder"
        expected = [
            f"{first_line}: the image 'img/a.png' is {missing}img/a.png, or",
            f"{first_line + 1}: the image '../b.png' is {outside}",
            f"{first_line + 2}: the image '{'x' * 300}.png' is {missing}{'x' * 300}.png",
            f"{first_line + 3}: the image '\0.png' is {outside}",
        ]
        problems = [problem.partition(":")[2] for problem in json.loads(out)["problems"]]
        assert [
            problem[: len(start)] for problem, start in zip(problems, expected, strict=True)
        ] == expected
        assert sorted(snapshot(issue)) == [".imported.json", "post.md"]

    def test_pictures_of_a_post_on_standard_input_are_missing(
        self, cli: Cli, project_folder: Path
    ) -> None:
        code, out, _ = cli("import", "-", "--json", typed="# Low tide\n\n![](a.png) ![](b.png)\n")
        assert code == 0
        assert [problem.partition(" the ")[2][:24] for problem in json.loads(out)["problems"]] == [
            "image 'a.png' is missing",
            "image 'b.png' is missing",
        ]
        assert list((project_folder / "issues").glob("*/*.png")) == []


@pytest.mark.parametrize(
    "post",
    [
        ("a.md", "", "a.md: the post is empty; nothing was imported"),
        ("a.md", "---\ntitle: x\n", "a.md:1: the front matter begins with --- but never ends"),
        ("a.md", "---\ntitle: x\n  y: z\n---\ny\n", "a.md:3: a value with a colon in it needs"),
        ("a.md", b"%PDF-1.7\n\0", "a.md: this is a PDF, not text"),
        ("a.txt", b"\x00\x01\x02", "a.txt: this is a binary file, not text"),
        ("a.txt", b"\xff\xfe\x00\xd8x\x00", "a.txt: byte 0 is not valid UTF-16-LE"),
        ("…\u200b.md", SENTENCE, "…\\u200b.md: the post has no title"),
        ("a.md", f"# …!?\n\n{SENTENCE}", "a.md: the post has no title"),
        ("a.md", f"# ʔʕ\n\n{SENTENCE}", "a.md: could not make a folder name from the title 'ʔʕ'"),
        ("a.html", "<div>" * 5000 + "x", "a.html:1: the HTML nests more than 100 elements deep"),
        ("a.md", f"# Deep\n\n{'<div>' * 5000}x", "a.md: the HTML nests more than 100 elements"),
        ("a.md", "x" * 10_000_001, "a.md: the post has 10,000,001 bytes; the limit is 10,000,000"),
    ],
    ids=lambda post: post[2].partition(": ")[2][:40],
)
def test_invalid_post_is_rejected_and_nothing_is_written(
    cli: Cli,
    project_folder: Path,
    inbox: Inbox,
    post: tuple[str, str | bytes, str],
) -> None:
    name, content, message = post
    code, out, err = cli("import", inbox(name, content))
    assert (code, out) == (1, "")
    assert message in err
    assert snapshot(project_folder / "issues") == {}


def test_standard_input_is_read_only_up_to_the_size_limit(
    project_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from newsletter.cli.main import run_cli

    class Endless(io.RawIOBase):
        read_so_far = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            self.read_so_far += len(buffer)
            buffer[:] = b"x" * len(buffer)
            return len(buffer)

    pipe = Endless()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(pipe)))
    assert run_cli(["import", "-"]) == 1
    assert "-: the post has more than 10,000,000 bytes" in capsys.readouterr().err
    assert pipe.read_so_far < 11_000_000
    assert snapshot(project_folder / "issues") == {}


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["gone.md"], 1, "gone.md: there is no such file. Check the path"),
        (["gone.xml", "--all"], 1, "gone.xml: there is no such file. Check the path"),
        (["issues"], 1, "issues: this is a folder in which no posts are found"),
        (["issues", "--list"], 1, "issues: this is a folder in which no posts are found"),
        (["a.md", "--list"], 2, "--list chooses among several posts; a.md is one post"),
        (["a.md", "--slug", "../../x"], 2, "--slug '../../x' is not a valid slug. Use lowercase"),
        (["a.md", "--slug", "Low Tide"], 2, "at most 60: --slug low-tide"),
        (["a.md", "--date", "2026-02-30"], 2, "--date '2026-02-30' is not a valid date"),
        (["a.md", "--date", "tomorrow"], 2, "--date 'tomorrow' is not a valid date"),
        (["a.md", "--keep", "7"], 2, "--keep 7: nothing was removed there"),
        (["a.md", "--keep", "0"], 2, "--keep"),
        ([], 2, "SOURCE"),
    ],
)
def test_invalid_arguments_are_rejected_and_nothing_is_written(
    cli: Cli, project_folder: Path, args: list[str], code: int, message: str
) -> None:
    (project_folder / "a.md").write_text(f"# Low tide\n\n{SENTENCE}\n")
    exit_code, out, err = cli("import", *args)
    assert (exit_code, out) == (code, "")
    assert message in err
    assert snapshot(project_folder / "issues") == {}


def test_slug_in_the_front_matter_cannot_escape_the_issues_folder(
    cli: Cli, project_folder: Path, inbox: Inbox
) -> None:
    post = inbox("a.md", f"---\nslug: ../../Out there\n---\n# Low tide\n\n{SENTENCE}\n")
    assert cli("import", post, "--date", "2026-11-22")[1].startswith("issues/2026-11-22-out-there/")
    assert not list(project_folder.parent.glob("*out*"))


def test_full_disk_leaves_nothing_half_written(
    cli: Cli,
    project_folder: Path,
    inbox: Inbox,
    picture: bytes,
) -> None:
    """A limit on file size makes the copy fail half-way, as a full disk does."""
    import resource

    inbox("boat.png", picture.ljust(100_000, b"\0"))
    post = inbox("tide.md", f"# Low tide\n\n{SENTENCE}\n\n![](boat.png)\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        code, out, err = cli("import", post)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (code, out) == (1, "")
    assert err
    assert snapshot(project_folder / "issues") == {}
    assert list((project_folder / "issues").iterdir()) == []


@pytest.mark.usefixtures("project_folder")
def test_what_the_issue_will_lack_is_listed_with_its_lines(inbox: Inbox, cli: Cli) -> None:
    post = inbox("tide.md", f"# Tide\n\n{SENTENCE}\n\n<!-- Never closed.\n\n{SENTENCE}\n")
    code, out, _ = cli("import", str(post))
    assert code == 0
    assert "Not in the issue, though the post holds it:" in out
    assert "2 paragraphs (22 words): 'Never closed' (lines 5, 7)" in out
    assert "Not in the issue" not in cli("import", str(post))[1]  # unchanged


@pytest.mark.usefixtures("project_folder")
def test_what_the_import_removed_is_not_called_lost(scraped: Path, cli: Cli) -> None:
    result = json.loads(cli("import", str(scraped), "--json")[1])
    assert result["removed"]
    assert result["set_aside"]
    assert result["lost"] == result["problems"] == []


@pytest.mark.usefixtures("project_folder")
def test_what_keeps_the_issue_from_being_built_is_told_at_once(inbox: Inbox, cli: Cli) -> None:
    post = inbox("tide.md", f"# Tide\n\n{SENTENCE}\n\nDear {{{{ subscriber.boat }}}}!\n")
    code, out, _ = cli("import", str(post))
    assert code == 0
    assert "The issue can't be built before this is fixed:" in out
    assert "subscriber.boat" in out
    assert json.loads(cli("import", str(post), "--update", "--json")[1])["problems"] == []


@pytest.mark.usefixtures("project_folder")
def test_braces_that_became_text_hide_no_lost_words(inbox: Inbox, cli: Cli) -> None:
    post = inbox(
        "a.md", f"# Fog\n\n{SENTENCE}\n\n<!-- Open.\n\n{{{{ salty.foam }}}}\n\nsalty.foam\n"
    )
    result = json.loads(cli("import", str(post), "--json")[1])
    assert [(entry["line"], entry["text"]) for entry in result["removed"]] == [
        (7, "{{ salty.foam }}")
    ]
    assert [(loss["line"], loss["text"]) for loss in result["lost"]] == [
        (5, "Open"),
        (9, "salty.foam"),
    ]


@pytest.mark.usefixtures("project_folder")
def test_hidden_text_of_markdown_is_listed_at_import(inbox: Inbox, cli: Cli) -> None:
    post = inbox("a.md", "# Fog\n\nThe fog lifts.\n\n<p hidden>Not for readers</p>\n")
    out = cli("import", str(post))[1]
    assert "removed  'Not for readers' (hidden text, line 5)\n" in out
    assert "lost" not in out


@pytest.mark.usefixtures("project_folder")
def test_second_issue_of_one_file_is_pointed_out(inbox: Inbox, cli: Cli) -> None:
    post = inbox("gulls.md", "---\ntitle: Gulls at dawn\ndate: 2026-11-20\n---\nThey came early.\n")
    assert cli("import", post)[0] == 0
    exit_code, out, _ = cli("import", inbox("gulls.md", post.read_text().replace("dawn", "dusk")))
    assert exit_code == 0
    assert " ".join(out.split()).count(
        "check 2026-11-20-gulls-at-dawn is from a file of this name too; if it is this post, "
        "delete one Next:"
    )


@pytest.mark.usefixtures("project_folder")
def test_article_smaller_than_the_text_around_it_is_pointed_out(inbox: Inbox, cli: Cli) -> None:
    long = "The tide turns at four, and the boats that went out in the fog come home. " * 3
    page = f"<body><article><h1>Fog</h1><p>{long}</p></article><div><p>{long * 2}</p></div></body>"
    out = cli("import", str(inbox("a.html", page)))[1]
    assert "check    is this the article? 96 words of text on the page are not in it\n" in out


def test_byline_of_a_page_on_one_line_takes_no_other_text_with_it(
    project_folder: Path, inbox: Inbox, cli: Cli
) -> None:
    page = "<body><h1>Fog</h1><p>By Ada Berg</p><p>The fog lifts.</p><p>It rains.</p></body>"
    cli("import", str(inbox("a.html", page)), "--date", "2026-11-22")
    post = (project_folder / "issues/2026-11-22-fog/post.html").read_text("utf-8")
    assert "<p>The fog lifts.</p><p>It rains.</p>" in post
    assert "author: Ada Berg" in post
    assert "By Ada" not in post


@pytest.mark.usefixtures("project_folder")
def test_a_line_is_kept_only_where_that_has_an_effect(inbox: Inbox, cli: Cli) -> None:
    page = "<body>\n<nav>Menu</nav>\n<p>The fog.</p>\n<iframe src='//a.b/c' title='d'>e</iframe>"
    code, _, err = cli("import", str(inbox("a.html", page)), "--slug", "a", "--keep", "4")
    assert code == 2
    assert "--keep 4: nothing was removed there. Lines that can be kept: 2\n" in err
    assert cli("import", str(inbox("a.html", page)), "--slug", "a", "--keep", "2")[0] == 0


@pytest.mark.parametrize("name", ["punycode", "idna", "zlib", "utf-7"])
def test_page_with_a_charset_that_is_no_encoding_is_imported_in_time(
    limited_cli: Cli, project_folder: Path, name: str
) -> None:
    page = f'<meta charset="{name}"><h1>Low tide</h1><p>{SENTENCE}</p><p>-{"zzb" * 70_000}</p>'
    (project_folder / "tide.html").write_text(page)
    code, out, err = limited_cli("import", "tide.html", cpu_seconds=15)
    assert (code, err) == (0, "")
    assert "Low tide" in out


def test_post_of_which_aliases_make_gigabytes_is_refused(
    limited_cli: Cli, project_folder: Path
) -> None:
    aliases = ",".join(["*a"] * 4_500)
    text = f"---\ntitle: &a {'long ' * 20_000}\ntags: [{aliases}]\nauthors: [{aliases}]\n---\n"
    (project_folder / "tide.md").write_text(f"{text}{SENTENCE}\n")
    code, out, err = limited_cli("import", "tide.md", cpu_seconds=15)
    assert (code, out) == (1, "")
    assert err.startswith("newsletter: tide.md:3: the front matter has aliases (*name) that repeat")


# Found by random posts; some were told as a bug of the program or as the template's fault.
@pytest.mark.parametrize(
    ("post", "message"),
    [
        ('{"title": "Low \\ufffe tide"}', "post.md:1: there is a control character here (U+FFFE)"),
        ('{"title": "Low \\ud800 tide"}', "post.md:1: there is half of a character here"),
        ("+++\na = 1\nweight = 0x" + "f" * 5_000 + "\n+++", "post.md:3: the front matter has a nu"),
        ('{"weight": ' + "9" * 5_000 + "}", "post.md:1: the front matter has a number"),
        ('{"a": 1,\n"b": ' + "[" * 100_000, "post.md:2: the front matter is nested too deeply"),
        ('{"weight": 1e400, "rank": -Infinity, "nan": NaN}', ""),
        ('{"template": [[]]}', ""),
        ('{"template": {"a": [1]}}', ""),
        (f'<table><tr><td rowspan="{"9" * 5_000}" colspan="0">x</td></tr></table>', ""),
        (f'<form data-source-line="{"9" * 5_000}">x</form><p data-source-line="\u00b2">', ""),
        (f'<svg data-source-line="{"9" * 5_000}"><path d="M0"/></svg>', ""),
        ("# Low &#xfffe; tide &#1;\n\n<p>&#xd800;&#x110000;</p>", ""),
    ],
)
def test_odd_values_are_the_fault_of_the_post(
    cli: Cli, project_folder: Path, post: str, message: str
) -> None:
    (project_folder / "post.md").write_text(f"{post}\n\n{SENTENCE}\n")
    code, out, err = cli("import", "post.md", "--slug", "tide")
    assert "bug" not in out + err
    assert (code, err[: len("newsletter: ") + len(message)]) == (
        (1, f"newsletter: {message}") if message else (0, err[: len("newsletter: ")])
    )
    if not message:
        assert cli("build", "tide")[0] == 0
