import datetime
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from newsletter.checks.import_collection import ComparedImport, FailedImport, import_posts
from newsletter.config.models import Config, SenderSettings
from newsletter.errors import Problem
from newsletter.posts.importing.import_source_post import SourceImportOptions
from newsletter.posts.importing.source_post import SourcePost, UnreadablePost
from newsletter.project import Project

TEXT = "<p>The boats had been tied up since Tuesday, and nobody could say when the wind stops.</p>"
OPTIONS = SourceImportOptions("blog.xml", datetime.date(2026, 11, 30), ZoneInfo("Europe/Oslo"))
POST = SourcePost(
    "Low tide",
    TEXT,
    post_id="https://a.example/?p=1",
    url="https://a.example/2026/low-tide/",
    slug="low-tide",
    date=datetime.datetime(2026, 11, 20, 23, 30, tzinfo=datetime.UTC),
    author="Ada Lind",
    tags=("Sea", "Boats"),
    summary="Nobody can say when.",
    hero="https://a.example/boat.jpg",
    hero_alt="A red boat",
    hero_caption="The {{boat}} at six",
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    sender = SenderSettings(name="Harbour Notes", address="editor@harbournotes.example")
    return Project(
        tmp_path,
        Config(name="Harbour Notes", sender=sender, site_url="https://harbournotes.example"),
    )


def run(
    project: Project,
    posts: Sequence[SourcePost | UnreadablePost],
    options: SourceImportOptions = OPTIONS,
) -> list[str]:
    """Import posts; return for each its issue and what was done, or its title and the problem."""
    return [
        f"{outcome.source_import.folder.name} {outcome.source_import.state}"
        if isinstance(outcome, ComparedImport)
        else f"{outcome.title}: {outcome.problems[0].message}"
        for outcome in import_posts(project, posts, options)
    ]


def test_settings_of_the_source_become_front_matter(project: Project) -> None:
    (outcome,) = import_posts(project, [POST], OPTIONS)
    assert isinstance(outcome, ComparedImport)
    assert outcome.comparison.losses == ()
    text = (project.issues_dir / "2026-11-21-low-tide" / "post.html").read_text()
    head, _, body = text.partition("# Optional settings")
    assert head == (
        "---\n"
        "title: Low tide\n"
        "subject: Low tide\n"
        "preheader: Nobody can say when.\n"
        "author: Ada Lind\n"
        "date: 2026-11-21\n"
        "canonical_url: https://a.example/2026/low-tide/\n"
        f"language: {project.config.language}\n"
        "tags:\n- Sea\n- Boats\n"
        "hero:\n  src: https://a.example/boat.jpg\n  alt: A red boat\n"
        '  caption: The {{ "{{" }}boat}} at six\n'
    )
    assert body.endswith(f"---\n\n{TEXT}\n")


@pytest.mark.parametrize(
    ("change", "result"),
    [
        ({}, "2026-11-21-low-tide unchanged"),
        ({"post_id": "99", "url": "https://b.example/moved"}, "2026-11-21-low-tide changed"),
        ({"content": f"{TEXT}<p>It did.</p>"}, "2026-11-21-low-tide changed"),
        ({"content": "<p>Quite another text, of other boats.</p>", "post_id": "2", "url": ""},
         "2026-11-21-low-tide-2 new"),
        ({"content": "<p>An id that is used again.</p>", "url": "https://a.example/new"},
         "2026-11-21-low-tide-2 new"),
    ],
)  # fmt: skip
def test_second_import_makes_nothing_twice(
    project: Project, change: dict[str, str], result: str
) -> None:
    assert run(project, [POST]) == ["2026-11-21-low-tide new"]
    assert run(project, [replace(POST, **change)]) == [result]  # type: ignore[arg-type]
    assert run(project, [POST]) == ["2026-11-21-low-tide unchanged"]


def test_changed_post_is_imported_again_if_asked(project: Project) -> None:
    run(project, [POST])
    path = project.issues_dir / "2026-11-21-low-tide" / "post.html"
    path.write_text(path.read_text().replace("Tuesday", "Monday"))
    changed = replace(POST, content=f"{TEXT}<p>It did.</p>")
    update = replace(OPTIONS, update=True)
    assert run(project, [changed], update) == ["2026-11-21-low-tide updated"]
    assert "It did." in path.read_text()
    assert "Monday" in path.with_name("post.html.before-update").read_text()
    assert run(project, [changed], update) == ["2026-11-21-low-tide unchanged"]


def test_issue_written_by_hand_is_recognized_by_its_url(project: Project) -> None:
    folder = project.issues_dir / "2026-11-19-tide"
    folder.mkdir(parents=True)
    text = "---\ntitle: Tide\ncanonical_url: 'http://www.a.example/2026/low-tide'\n---\nMine.\n"
    (folder / "post.md").write_text(text)
    assert run(project, [POST], replace(OPTIONS, update=True)) == ["2026-11-19-tide unchanged"]
    assert (folder / "post.md").read_text() == text


def test_posts_of_one_source_with_one_url_are_several(project: Project) -> None:
    posts = [
        replace(POST, title=title, slug="", post_id=title, content=f"<p>{title} {TEXT}</p>")
        for title in ("One", "Two")
    ]
    assert run(project, posts) == ["2026-11-21-one new", "2026-11-21-two new"]
    assert run(project, posts) == ["2026-11-21-one unchanged", "2026-11-21-two unchanged"]


def make_note(title: str, text: str = "", **fields: str) -> SourcePost:
    """Make a post that shares its page and, unless it has another one, its id with others."""
    content = f"<p>{text or title} {TEXT}</p>"
    post = replace(POST, title=title, slug="", content=content, post_id="")
    return replace(post, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("shared", [{}, {"post_id": "7"}, {"post_id": "7", "url": ""}])
def test_different_posts_with_one_id_or_page_are_several(
    project: Project, shared: dict[str, str]
) -> None:
    one, two, three = (make_note(title, **shared) for title in ("One", "Two", "Three"))
    edited = make_note("One", "It did.", **shared)
    folders = [f"2026-11-21-{name}" for name in ("one", "two", "three")]
    assert run(project, [one, two]) == [f"{folders[0]} new", f"{folders[1]} new"]
    # A new one stands first, and another one was edited: each is still recognized.
    later = [three, edited, two]
    changed, unchanged, new = f"{folders[0]} changed", f"{folders[1]} unchanged", "three new"
    assert run(project, later) == [changed, unchanged, f"2026-11-21-{new}"]
    update = replace(OPTIONS, update=True)
    assert run(project, later, update) == [
        f"{folders[2]} unchanged",
        f"{folders[0]} updated",
        f"{folders[1]} unchanged",
    ]
    assert run(project, later, update) == [f"{folders[index]} unchanged" for index in (2, 0, 1)]


def test_new_title_and_text_of_one_post_make_no_second_issue(project: Project) -> None:
    run(project, [make_note("One"), make_note("Other", url="https://a.example/other")])
    renamed = make_note("A new title", "A new text.")
    assert run(project, [renamed]) == ["2026-11-21-one changed"]
    # The same post twice in one export, once with a correction: none overwrites the other.
    for options in (OPTIONS, replace(OPTIONS, update=True)):
        assert run(project, [make_note("One"), make_note("One", "Corrected.")], options) == [
            "2026-11-21-one unchanged",
            "2026-11-21-one repeated",
        ]


@pytest.mark.parametrize("is_draft_first", [True, False])
@pytest.mark.parametrize("shared", [{}, {"url": ""}, {"content": "<p>Another text. It is.</p>"}])
def test_a_draft_overwrites_no_issue_of_a_published_post(
    project: Project, shared: dict[str, str], *, is_draft_first: bool
) -> None:
    draft = replace(POST, post_id="2", status="draft", **shared)  # type: ignore[arg-type]
    both = [draft, POST] if is_draft_first else [POST, draft]
    update = replace(OPTIONS, update=True)
    first, second = "2026-11-21-low-tide", "2026-11-21-low-tide-2"
    assert run(project, both) == [f"{first} new", f"{second} new"]
    for options in (OPTIONS, update):
        assert set(run(project, both, options)) == {f"{first} unchanged", f"{second} unchanged"}
    for post in both:
        assert run(project, [post], update)[0].endswith(" unchanged")


@pytest.mark.parametrize("is_draft_known", [True, False])
def test_a_draft_and_its_published_copy_are_told_apart_in_later_runs(
    project: Project, *, is_draft_known: bool
) -> None:
    draft = replace(POST, post_id="2", status="draft")
    known, other = (draft, POST) if is_draft_known else (POST, draft)
    update = replace(OPTIONS, update=True)
    run(project, [known])
    later = [POST, draft] if is_draft_known else [draft]
    assert "2026-11-21-low-tide-2 new" in run(project, later, update)
    assert run(project, [known], update) == ["2026-11-21-low-tide unchanged"]
    assert run(project, [other], update) == ["2026-11-21-low-tide-2 unchanged"]


def test_a_draft_that_was_published_under_another_id_keeps_its_issue(project: Project) -> None:
    update = replace(OPTIONS, update=True)
    assert run(project, [replace(POST, post_id="2", status="draft")]) == ["2026-11-21-low-tide new"]
    assert run(project, [POST], update) == ["2026-11-21-low-tide updated"]


@pytest.mark.parametrize(
    ("title", "post_id", "name"),
    [
        ("\u2026", "17", "post-17"),
        ("\U0001f389", "https://a.example/?p=18", "post"),
        ("?!", "", "post"),
        ("***", "a-b", "post-a-b"),
    ],
)
def test_a_title_without_a_word_is_one(
    project: Project, title: str, post_id: str, name: str
) -> None:
    post = replace(POST, title=title, slug="", post_id=post_id)
    file = project.root / "blog" / "\u2026.md"
    file.parent.mkdir()
    file.write_text(f"---\ntitle: '{title}'\n---\nAnother text, of other boats.\n")
    in_file = SourcePost(title, file=file, date=POST.date)
    assert run(project, [post, in_file])[0] == f"2026-11-21-{name} new"
    texts = [path.read_text() for path in project.issues_dir.glob("*/post.*")]
    assert len(texts) == 2
    assert all(title in text.partition("subject:")[0] for text in texts)


def test_bad_post_stops_no_other(project: Project) -> None:
    posts: list[SourcePost | UnreadablePost] = [
        UnreadablePost("Broken", Problem("it can't be read")),
        replace(POST, title="Empty", content="<p></p>", post_id="2", url=""),
        replace(POST, title="Deep", content="<div>" * 2_000, post_id="3", url=""),
        POST,
        replace(POST, title="", slug="", content="<p>A short note. And more of it, in a second "
                "sentence that is long.</p>", post_id="4", url="", status="draft"),
    ]  # fmt: skip
    outcomes = list(import_posts(project, posts, OPTIONS))
    assert [
        outcome.title if isinstance(outcome, FailedImport) else outcome.source_import.folder.name
        for outcome in outcomes
    ] == [
        "Broken",
        "Empty",
        "Deep",
        "2026-11-21-low-tide",
        "2026-11-21-a-short-note-and-more-of-it-in-a-second",
    ]
    note = outcomes[-1]
    assert isinstance(note, ComparedImport)
    assert note.source_import.result
    assert note.source_import.result.imported_post.front_matter["draft"] is True
    assert sorted(path.name for path in project.issues_dir.iterdir()) == [
        "2026-11-21-a-short-note-and-more-of-it-in-a-second",
        "2026-11-21-low-tide",
    ]


def test_a_bad_image_does_not_stop_the_import_of_its_post(project: Project) -> None:
    folder = project.root / "blog"
    folder.mkdir()
    (folder / "words.png").write_text("words")
    (folder / "a.md").write_text(f"# Low tide\n\n{TEXT}\n\n![A boat](words.png)\n")
    (outcome,) = import_posts(project, [SourcePost("Low tide", file=folder / "a.md")], OPTIONS)
    assert isinstance(outcome, ComparedImport)
    assert outcome.source_import.result is not None
    (problem,) = outcome.source_import.result.not_copied
    assert "'words.png' is not an image that an email can show" in problem.message
