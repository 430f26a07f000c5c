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
ORDER = ImportOptions(today=datetime.date(2026, 11, 22))
UPDATE = ImportOptions(today=datetime.date(2026, 12, 24), update=True)


@pytest.fixture
def project(tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path, config)


def write(path: str, text: str) -> str:
    Path(path).write_text(text)
    return path


def test_an_issue_keeps_its_folder_and_date_for_ever(project: Project) -> None:
    first = import_post(project, write("a.md", f"# Low tide\n\n{SENTENCE}\n"), ORDER)
    again = import_post(project, write("a.md", f"# Low tide\n\n{SENTENCE} It did.\n"), UPDATE)
    assert (first.state, again.state) == ("new", "updated")
    assert (
        again.post_path == first.post_path == project.issues_dir / "2026-11-22-low-tide" / "post.md"
    )
    assert "\ndate: 2026-11-22\n" in again.post_path.read_text()
    assert [path.name for path in project.issues_dir.iterdir()] == ["2026-11-22-low-tide"]


def test_a_post_in_another_syntax_replaces_the_file_of_the_first(project: Project) -> None:
    import_post(project, write("a.md", f"# Low tide\n\n{SENTENCE}\n"), ORDER)
    filed = import_post(project, write("a.html", f"<h1>Low tide</h1><p>{SENTENCE}</p>"), UPDATE)
    assert sorted(path.name for path in filed.post_path.parent.iterdir()) == [
        MANIFEST_FILE_NAME,
        "post.html",
    ]


def test_the_same_post_under_two_slugs_is_two_issues(project: Project) -> None:
    source = write("a.md", f"# Low tide\n\n{SENTENCE}\n")
    import_post(project, source, ORDER)
    other = import_post(project, source, ImportOptions(today=ORDER.today, slug="other"))
    assert (other.state, other.post_path.parent.name) == ("new", "2026-11-22-other")


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"source": 1, "files": []}', "\0"])
def test_a_broken_record_counts_as_none(project: Project, record: str) -> None:
    source = write("a.md", f"# Low tide\n\n{SENTENCE}\n")
    filed = import_post(project, source, ORDER)
    (filed.post_path.parent / MANIFEST_FILE_NAME).write_text(record)
    filed.post_path.write_text("mine")
    assert read_manifest(filed.post_path.parent) is None
    with pytest.raises(PostError, match="that no import made"):
        import_post(project, source, ORDER)
    assert filed.post_path.read_text() == "mine"


def test_an_update_that_fails_half_way_leaves_the_post_and_can_be_repeated(
    project: Project, png: Callable[[int, int], bytes]
) -> None:
    filed = import_post(project, write("a.md", f"# Low tide\n\n{SENTENCE}\n"), ORDER)
    before = filed.post_path.read_bytes()
    (project.root / "boat.png").write_bytes(png(2, 2))
    obstacle = filed.post_path.parent / "boat.png"
    obstacle.mkdir()
    source = write("a.md", f"# Low tide\n\n{SENTENCE}\n\n![](boat.png)\n")
    with pytest.raises(OSError, match=r"boat\.png"):
        import_post(project, source, UPDATE)
    assert filed.post_path.read_bytes() == before
    assert [path.name for path in project.issues_dir.iterdir()] == [filed.post_path.parent.name]
    obstacle.rmdir()
    assert import_post(project, source, UPDATE).state == "updated"
    assert obstacle.read_bytes() == png(2, 2)
