import datetime
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from newsletter.config.models import Config
from newsletter.errors import PostError
from newsletter.posts.importing.import_post import ImportOptions, import_post
from newsletter.posts.importing.issue_folder.manifest import MANIFEST_FILE_NAME, read_manifest
from newsletter.project import Project

SENTENCE = (
    "The boats had been tied up since Tuesday, and nobody on the quay could say when the wind "
    "would stop."
)
NEW_IMPORT = ImportOptions(today=datetime.date(2026, 11, 22))
UPDATE = ImportOptions(today=datetime.date(2026, 12, 24), update=True)


@pytest.fixture
def project(tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path, config)


def write_source(path: str, text: str) -> str:
    Path(path).write_text(text)
    return path


def test_update_keeps_the_folder_and_date(project: Project) -> None:
    first = import_post(project, write_source("a.md", f"# Low tide\n\n{SENTENCE}\n"), NEW_IMPORT)
    again = import_post(
        project, write_source("a.md", f"# Low tide\n\n{SENTENCE} It did.\n"), UPDATE
    )
    assert (first.state, again.state) == ("new", "updated")
    assert (
        again.post_path == first.post_path == project.issues_dir / "2026-11-22-low-tide" / "post.md"
    )
    assert "\ndate: 2026-11-22\n" in again.post_path.read_text()
    assert [path.name for path in project.issues_dir.iterdir()] == ["2026-11-22-low-tide"]


def test_selector_of_the_settings_names_the_article(project: Project, config: Config) -> None:
    page = f"<body><article><h1>Fog</h1>{SENTENCE}</article><p class=story>{SENTENCE} It did.</p>"
    blog = config.blog.model_copy(update={"article": ".story"})
    project = replace(project, config=config.model_copy(update={"blog": blog}))
    imported = import_post(project, write_source("low-tide.html", page), NEW_IMPORT)
    assert "It did." in imported.post_path.read_text()
    assert "Fog" not in imported.post_path.read_text().partition("---\n")[2].partition("---")[2]


@pytest.mark.parametrize("options", [NEW_IMPORT, UPDATE])
def test_import_brings_back_a_deleted_post(project: Project, options: ImportOptions) -> None:
    source = write_source("a.md", f"# Low tide\n\n{SENTENCE}\n")
    first = import_post(project, source, NEW_IMPORT)
    text = first.post_path.read_text()
    first.post_path.unlink()
    again = import_post(project, source, options)
    assert (again.state, again.post_path, again.post_path.read_text()) == (
        "updated",
        first.post_path,
        text,
    )
    assert import_post(project, source, NEW_IMPORT).state == "unchanged"


def test_changed_source_of_a_deleted_post_needs_an_update(project: Project) -> None:
    first = import_post(project, write_source("a.md", f"# Low tide\n\n{SENTENCE}\n"), NEW_IMPORT)
    first.post_path.unlink()
    changed = write_source("a.md", f"# Low tide\n\n{SENTENCE} It did.\n")
    with pytest.raises(PostError, match="differs from the one imported here before"):
        import_post(project, changed, NEW_IMPORT)
    assert import_post(project, changed, UPDATE).state == "updated"


def test_settings_in_another_case_are_completed_and_not_repeated(
    project: Project, png: Callable[[int, int], bytes]
) -> None:
    Path("boat.png").write_bytes(png(9, 9))
    source = write_source("a.md", f"---\nTitle: Low tide\nHero: boat.png\n---\n{SENTENCE}\n")
    result = import_post(project, source, NEW_IMPORT)
    text = result.post_path.read_text()
    assert text.startswith("---\nTitle: Low tide\nHero: boat.png\nsubject: Low tide\n")
    assert len(re.findall("^title:", text, re.MULTILINE | re.IGNORECASE)) == 1
    assert result.image_names == ("boat.png",)


def test_issue_with_the_longer_slug_of_an_earlier_version_is_found(project: Project) -> None:
    title = "A very long headline about the boats that came back to our harbour"
    source = write_source("a.md", f"# {title}\n\n{SENTENCE}\n")
    old = import_post(project, source, NEW_IMPORT).post_path.parent
    assert old.name.endswith("-a-very-long-headline-about-the-boats")
    long = old.with_name(f"{old.name}-that-came-back-to-our")
    old.rename(long)
    write_source("a.md", f"# {title}\n\n{SENTENCE} Again.\n")
    assert import_post(project, source, UPDATE).post_path.parent == long


def test_two_posts_with_the_same_cut_slug_are_two_issues(project: Project) -> None:
    title = "A very long headline about the boats"
    first = write_source("a.md", f"# {title} in spring\n\n{SENTENCE}\n")
    second = write_source("b.md", f"# {title} in autumn\n\n{SENTENCE} Again.\n")
    kept = import_post(project, first, NEW_IMPORT).post_path
    before = kept.read_text()
    with pytest.raises(PostError, match="imported from another post") as caught:
        import_post(project, second, NEW_IMPORT)
    assert "--slug a-very-long-headline-about-the-boats-in-2" in str(caught.value)
    assert kept.read_text() == before


def test_update_in_another_syntax_replaces_the_post_file(project: Project) -> None:
    import_post(project, write_source("a.md", f"# Low tide\n\n{SENTENCE}\n"), NEW_IMPORT)
    result = import_post(
        project, write_source("a.html", f"<h1>Low tide</h1><p>{SENTENCE}</p>"), UPDATE
    )
    assert sorted(path.name for path in result.post_path.parent.iterdir()) == [
        MANIFEST_FILE_NAME,
        "post.html",
    ]


def test_same_post_with_another_slug_is_another_issue(project: Project) -> None:
    source = write_source("a.md", f"# Low tide\n\n{SENTENCE}\n")
    import_post(project, source, NEW_IMPORT)
    other = import_post(project, source, ImportOptions(today=NEW_IMPORT.today, slug="other"))
    assert (other.state, other.post_path.parent.name) == ("new", "2026-11-22-other")


def test_two_posts_of_one_title_do_not_overwrite_each_other(project: Project) -> None:
    for name in ("a", "b"):
        Path(name).mkdir()
        write_source(f"{name}/links.md", f"# Links\n\n{SENTENCE} {name}\n")
    first = import_post(project, "a/links.md", NEW_IMPORT)
    before = first.post_path.read_text()
    with pytest.raises(PostError) as caught:
        import_post(project, "b/links.md", NEW_IMPORT)
    (problem,) = caught.value.problems
    assert problem.message == "the issue was imported from another post, a/links.md"
    assert problem.remedy.startswith("To import the post as a new issue, use: --slug links-2. ")
    second = import_post(
        project, "b/links.md", ImportOptions(today=NEW_IMPORT.today, slug="links-2")
    )
    assert (second.state, first.post_path.read_text()) == ("new", before)
    write_source("b/links.md", f"# Links\n\n{SENTENCE} c\n")
    with pytest.raises(PostError, match=r"links-2/.*Replace it with --update.*--slug links-3"):
        import_post(project, "b/links.md", NEW_IMPORT)
    first.post_path.write_text("mine")
    second.post_path.write_text("mine")
    again = ImportOptions(today=NEW_IMPORT.today, slug="links")
    with pytest.raises(PostError) as caught:
        import_post(project, "b/links.md", again)
    (problem,) = caught.value.problems
    assert problem.message.startswith("post.md was edited since it was imported")
    assert problem.remedy.startswith("To import the post as a new issue, use: --slug links-3. ")


@pytest.mark.parametrize(
    ("file", "date", "folders"),
    [
        ("b.md", "2026-10-02", ["2026-10-01-links", "2026-10-02-links"]),
        ("a.md", "2026-10-02", ["2026-10-01-links"]),
        ("b.md", "2026-10-01", ["2026-10-01-links"]),
    ],
)
def test_post_of_another_file_and_date_is_another_issue(
    project: Project, file: str, date: str, folders: list[str]
) -> None:
    import_post(
        project, write_source("a.md", f"---\ndate: 2026-10-01\n---\n# Links\n\n{SENTENCE}"), UPDATE
    )
    text = f"---\ndate: {date}\n---\n# Links\n\n{SENTENCE} b"
    import_post(project, write_source(file, text), UPDATE)
    assert sorted(folder.name for folder in project.issues_dir.iterdir()) == folders


@pytest.mark.parametrize(
    ("path", "text", "slug", "others"),
    [
        ("a.md", "---\ntitle: Ebb\ndate: 2026-11-22\n---\n", "", ("2026-11-22-low-tide",)),
        ("a.md", "# Ebb\n\n", "", ("2026-11-22-low-tide",)),
        ("a.md", "# Ebb\n\n", "ebb", ()),
        ("b.md", "# Ebb\n\n", "", ()),
        ("a.md", "---\ntitle: Ebb\ndate: 2026-11-29\n---\n", "", ()),
    ],
    ids=["new title", "without a date", "a slug was given", "another file", "another day"],
)
def test_second_issue_of_one_file_and_day_is_pointed_out(
    project: Project, path: str, text: str, slug: str, others: tuple[str, ...]
) -> None:
    import_post(project, write_source("a.md", f"# Low tide\n\n{SENTENCE}\n"), NEW_IMPORT)
    second = import_post(
        project, write_source(path, f"{text}{SENTENCE} It did.\n"), replace(NEW_IMPORT, slug=slug)
    )
    assert (second.state, second.same_file_issues) == ("new", others)


def test_manifest_without_the_name_of_the_source_is_read(project: Project) -> None:
    source = write_source("a.md", f"# Low tide\n\n{SENTENCE}\n")
    manifest = import_post(project, source, NEW_IMPORT).post_path.parent / MANIFEST_FILE_NAME
    manifest.write_text(re.sub(r'"name":.*\n', "", manifest.read_text()))
    assert import_post(project, source, NEW_IMPORT).state == "unchanged"
    changed = write_source("a.md", f"# Low tide\n\n{SENTENCE} It did.\n")
    with pytest.raises(PostError, match=r"here before\. To import the post as a new issue, use"):
        import_post(project, changed, NEW_IMPORT)


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("_posts/2026-10-02-gulls.md", "2026-10-02-gulls"),
        ("2026-10-02-gulls/index.md", "2026-10-02-gulls"),
        ("gulls/index.md", "2026-11-22-gulls"),
        ("gulls.md", "2026-11-22-low-tide"),
    ],
)
def test_date_and_slug_come_from_the_file_name(project: Project, path: str, folder: str) -> None:
    Path(path).parent.mkdir(exist_ok=True)
    source = write_source(path, f"---\ntitle: Low tide\n---\n{SENTENCE}\n")
    assert import_post(project, source, NEW_IMPORT).post_path.parent.name == folder


def test_front_matter_beats_the_file_name(project: Project) -> None:
    text = f"---\ntitle: Low tide\ndate: 2026-10-05\nslug: terns\n---\n{SENTENCE}\n"
    result = import_post(project, write_source("2026-10-02-gulls.md", text), NEW_IMPORT)
    assert result.post_path.parent.name == "2026-10-05-terns"


def test_folder_of_an_index_file_is_found_from_inside(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("2026-10-02-gulls").mkdir()
    write_source("2026-10-02-gulls/index.md", SENTENCE)
    monkeypatch.chdir("2026-10-02-gulls")
    result = import_post(project, "index.md", NEW_IMPORT)
    assert (result.post_path.parent.name, result.imported_post.title) == (
        "2026-10-02-gulls",
        "Gulls",
    )


def test_twin_for_dark_mode_is_copied(project: Project, png: Callable[[int, int], bytes]) -> None:
    Path("img").mkdir()
    for name in ("tern.png", "tern.dark.png", "gull.png"):
        Path("img", name).write_bytes(png(9, 9))
    Path("img/gull.dark.png").symlink_to("/etc/hostname")
    text = f"# Low tide\n\n{SENTENCE}\n\n![A tern](img/tern.png)\n\n![A gull](img/gull.png)\n"
    folder = import_post(project, write_source("a.md", text), NEW_IMPORT).post_path.parent
    assert sorted(path.name for path in folder.rglob("*.png")) == [
        "gull.png", "tern.dark.png", "tern.png",
    ]  # fmt: skip


def test_path_of_an_image_stays_in_code_that_shows_it(
    project: Project, png: Callable[[int, int], bytes]
) -> None:
    Path("blog/_posts").mkdir(parents=True)
    Path("blog/img").mkdir()
    Path("blog/img/tern.png").write_bytes(png(9, 9))
    code = '```html\n<img src="../img/tern.png">\n```'
    text = f"{SENTENCE}\n\n{code}\n\n![A tern](../img/tern.png)\n"
    source = write_source("blog/_posts/a.md", text)
    body = import_post(project, source, replace(NEW_IMPORT, images=(Path("blog"),)))
    assert f"{code}\n\n![A tern](tern.png)\n" in body.post_path.read_text(encoding="utf-8")


def test_image_that_is_missing_is_kept_under_extra(
    project: Project, png: Callable[[int, int], bytes]
) -> None:
    Path("boat.png").write_bytes(png(9, 9))
    others = "image: gone.png\ncover: boat.png\nresources: [{src: gone.png}]"
    text = f"---\ntitle: Low tide\n{others}\n---\n{SENTENCE}\n"
    result = import_post(project, write_source("a.md", text), NEW_IMPORT)
    assert result.image_names == ("boat.png",)
    written = result.post_path.read_text()
    assert (
        "\nhero: boat.png\nextra:\n  image: gone.png\n  resources: [{src: gone.png}]\n# Optional"
        in written
    )


@pytest.mark.parametrize(
    "manifest", ["", "[]", "{}", '{"source": 1, "files": []}', "\0", "[" * 100_000]
)
def test_invalid_manifest_counts_as_missing(project: Project, manifest: str) -> None:
    source = write_source("a.md", f"# Low tide\n\n{SENTENCE}\n")
    result = import_post(project, source, NEW_IMPORT)
    (result.post_path.parent / MANIFEST_FILE_NAME).write_text(manifest)
    result.post_path.write_text("mine")
    assert read_manifest(result.post_path.parent) is None
    with pytest.raises(PostError, match="was not imported"):
        import_post(project, source, NEW_IMPORT)
    assert result.post_path.read_text() == "mine"


def test_failed_update_keeps_the_post_and_can_be_repeated(
    project: Project, png: Callable[[int, int], bytes]
) -> None:
    result = import_post(project, write_source("a.md", f"# Low tide\n\n{SENTENCE}\n"), NEW_IMPORT)
    before = result.post_path.read_bytes()
    (project.root / "boat.png").write_bytes(png(2, 2))
    obstacle = result.post_path.parent / "boat.png"
    obstacle.mkdir()
    source = write_source("a.md", f"# Low tide\n\n{SENTENCE}\n\n![](boat.png)\n")
    with pytest.raises(OSError, match=r"boat\.png"):
        import_post(project, source, UPDATE)
    assert result.post_path.read_bytes() == before
    assert [path.name for path in project.issues_dir.iterdir()] == [result.post_path.parent.name]
    obstacle.rmdir()
    assert import_post(project, source, UPDATE).state == "updated"
    assert obstacle.read_bytes() == png(2, 2)


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("/media/boats/blurred", None),
        ("media/boats/blurred", None),
        ("../media/blurred?id=3", None),
        ("//cdn.example/blurred", None),
        ("harbour", "harbour.png"),
    ],
)
def test_picture_without_a_file_ending_is_a_url_or_gets_its_ending(
    project: Project, png: Callable[[int, int], bytes], reference: str, name: str | None
) -> None:
    Path("harbour").write_bytes(png(4, 3))
    source = write_source("a.md", f"# Low tide\n\n{SENTENCE}\n\n![A boat]({reference})\n")
    result = import_post(project, source, NEW_IMPORT)
    assert result.image_names == ((name,) if name else ())
    assert f"![A boat]({name or reference})" in result.post_path.read_text()


def test_text_without_a_file_ending_is_not_a_picture(project: Project) -> None:
    Path("harbour").write_text("words")
    source = write_source("a.md", f"# Low tide\n\n{SENTENCE}\n\n![A boat](harbour)\n")
    with pytest.raises(PostError, match="'harbour' is not an image that an email can show"):
        import_post(project, source, NEW_IMPORT)
