import datetime
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.config.models import Config
from newsletter.errors import PostError
from newsletter.posts.importing.import_post import ImportOptions, import_post
from newsletter.posts.importing.manifest import MANIFEST_FILE_NAME, read_manifest
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
    assert text.lower().count("title:") == 1
    assert result.image_names == ("boat.png",)


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
