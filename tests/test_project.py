import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from newsletter.config import load_config
from newsletter.errors import ConfigError, ProjectError
from newsletter.project import (
    Project,
    create_project,
    default_templates_dir,
    find_issue,
    find_root,
    list_issue_folders,
    open_project,
)


def flat(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in settings.items():
        inner = isinstance(value, dict)
        values |= flat(value, f"{above}{name}.") if inner else {above + name: value}
    return values


@pytest.fixture
def project(project_folder: Path) -> Project:
    for name in ("2026-11-08-first-boat", "2026-11-15-ice", "2026-11-22-first-ice", "drafts"):
        (project_folder / "issues" / name).mkdir()
    (project_folder / "issues" / "2026-12-01-notes").write_text("a file is no issue")
    return open_project()


def test_the_folder_is_found_from_deep_inside_it(project: Project) -> None:
    inside = project.issues_dir / "2026-11-15-ice"
    assert find_root(inside) == project.root
    assert open_project(inside).config == project.config


def test_no_folder_is_told_with_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="newsletter init DIR"):
        find_root(tmp_path)


def test_wrong_settings_are_told_on_opening(project_folder: Path) -> None:
    with (project_folder / "newsletter.yml").open("a") as file:
        file.write("naem_: x\n")
    with pytest.raises(ConfigError, match=r"newsletter.yml:9: unknown key 'naem_'"):
        open_project()


def test_only_dated_folders_are_issues_oldest_first(project: Project) -> None:
    names = [folder.name for folder in list_issue_folders(project)]
    assert names == ["2026-11-08-first-boat", "2026-11-15-ice", "2026-11-22-first-ice"]


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (None, "2026-11-22-first-ice"),
        ("boat", "2026-11-08-first-boat"),
        ("BOAT", "2026-11-08-first-boat"),
        ("11-15", "2026-11-15-ice"),
        ("2026-11-15-ice", "2026-11-15-ice"),
        ("issues/2026-11-15-ice/", "2026-11-15-ice"),
    ],
)
def test_an_issue_is_found_by_a_part_of_its_name(
    project: Project, wanted: str | None, name: str
) -> None:
    assert find_issue(project, wanted).name == name


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("first", "2 issues match 'first': 2026-11-08-first-boat, 2026-11-22-first-ice"),
        ("herring", "no issue matches 'herring'. There are: 2026-11-22-first-ice"),
        ("drafts", "no issue matches 'drafts'"),
        ("", "3 issues match ''"),
    ],
)
def test_no_or_several_issues_by_a_name_are_told(project: Project, wanted: str, words: str) -> None:
    with pytest.raises(ProjectError, match=re.escape(words)):
        find_issue(project, wanted)


def test_no_issues_at_all_are_told_with_the_next_step(project_folder: Path) -> None:
    (project_folder / "issues").rmdir()
    with pytest.raises(ProjectError, match="newsletter import POST"):
        find_issue(open_project(), None)


def test_a_new_folder_loads_and_holds_the_default_templates(tmp_path: Path) -> None:
    create_project(tmp_path / "a" / "quay", "Quay: a #1 “letter”", None)
    project = open_project(tmp_path / "a" / "quay")
    assert project.config.name == project.config.sender.name == "Quay: a #1 “letter”"
    assert project.config.sender.address == "editor@quay-a-1-letter.example"
    theirs = {path.relative_to(project.templates_dir) for path in project.templates_dir.rglob("*")}
    ours = {
        path.relative_to(default_templates_dir()) for path in default_templates_dir().rglob("*")
    }
    assert theirs == ours
    assert Path("issue.mjml") in ours


@pytest.mark.parametrize("name", ["12:30", "no", "Ærlig talt", "日報", "- x", "@NAME@", "a" * 200])
def test_any_name_survives_the_settings_file(tmp_path: Path, name: str) -> None:
    create_project(tmp_path, name, "ed@harbournotes.org")
    config = open_project(tmp_path).config
    assert (config.name, config.sender.address) == (name, "ed@harbournotes.org")


def test_every_default_that_the_new_file_shows_is_the_default(tmp_path: Path) -> None:
    create_project(tmp_path, "Quay", None)
    path = tmp_path / "newsletter.yml"
    plain = flat(load_config(path, {}).model_dump())
    path.write_text(re.sub(r"^( *)#(?=\S)", r"\1", path.read_text(), flags=re.MULTILINE))
    shown = flat(load_config(path, {}).model_dump())
    # What has no default is shown with an example.
    differing = {name for name, value in shown.items() if plain.get(name) != value}
    assert {name for name in differing if plain.get(name)} == set()
    assert {"postal_address", "public_url", "sendgrid.asm_group"} <= differing


def test_nothing_is_overwritten_and_nothing_left_behind(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine")
    (tmp_path / "README").write_text("mine too")
    with pytest.raises(ProjectError, match=re.escape("already there: .gitignore")):
        create_project(tmp_path, "Quay", None)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".gitignore", "README"]
    assert (tmp_path / ".gitignore").read_text() == "mine"


def test_a_folder_with_other_things_gains_a_newsletter(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("mine")
    create_project(tmp_path, "Quay", None)
    assert open_project(tmp_path).config.name == "Quay"
    assert (tmp_path / "README").read_text() == "mine"


def test_what_fails_half_way_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a" / "b"
    rename = Path.rename

    def failing(path: Path, to: Path) -> Path:
        if to == target / "newsletter.yml":
            raise OSError(28, "No space left on device", str(to))
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="No space left"):
        create_project(target, "Quay", None)
    assert list(tmp_path.iterdir()) == []
