import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

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


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in settings.items():
        is_nested = isinstance(value, dict)
        values |= flatten(value, f"{prefix}{name}.") if is_nested else {prefix + name: value}
    return values


@pytest.fixture
def project(project_folder: Path) -> Project:
    for name in ("2026-11-08-first-boat", "2026-11-15-ice", "2026-11-22-first-ice", "drafts"):
        (project_folder / "issues" / name).mkdir()
    (project_folder / "issues" / "2026-12-01-notes").write_text("a file is no issue")
    return open_project()


def test_project_folder_is_found_from_a_subfolder(project: Project) -> None:
    subfolder = project.issues_dir / "2026-11-15-ice"
    assert find_root(subfolder) == project.root
    assert open_project(subfolder).config == project.config


def test_missing_project_error_suggests_init(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="newsletter init DIR"):
        find_root(tmp_path)


def test_open_project_reports_invalid_settings(project_folder: Path) -> None:
    with (project_folder / "newsletter.yml").open("a") as file:
        file.write("naem_: x\n")
    with pytest.raises(ConfigError, match=r"newsletter.yml:9: unknown key 'naem_'"):
        open_project()


def test_list_issue_folders_returns_dated_folders_oldest_first(project: Project) -> None:
    names = [folder.name for folder in list_issue_folders(project)]
    assert names == ["2026-11-08-first-boat", "2026-11-15-ice", "2026-11-22-first-ice"]


@pytest.mark.parametrize(
    ("searched", "expected"),
    [
        (None, "2026-11-22-first-ice"),
        ("boat", "2026-11-08-first-boat"),
        ("BOAT", "2026-11-08-first-boat"),
        ("11-15", "2026-11-15-ice"),
        ("2026-11-15-ice", "2026-11-15-ice"),
        ("issues/2026-11-15-ice/", "2026-11-15-ice"),
    ],
)
def test_issue_is_found_by_part_of_its_name(
    project: Project, searched: str | None, expected: str
) -> None:
    assert find_issue(project, searched).name == expected


@pytest.mark.parametrize(
    ("searched", "message"),
    [
        ("first", "2 issues match 'first': 2026-11-08-first-boat, 2026-11-22-first-ice"),
        ("herring", "no issue matches 'herring'. There are: 2026-11-22-first-ice"),
        ("drafts", "no issue matches 'drafts'"),
        ("", "3 issues match ''"),
    ],
)
def test_find_issue_rejects_unknown_and_ambiguous_names(
    project: Project, searched: str, message: str
) -> None:
    with pytest.raises(ProjectError, match=re.escape(message)):
        find_issue(project, searched)


def test_find_issue_without_issues_suggests_import(project_folder: Path) -> None:
    (project_folder / "issues").rmdir()
    with pytest.raises(ProjectError, match="newsletter import POST"):
        find_issue(open_project(), None)


def test_new_project_loads_and_contains_the_default_templates(tmp_path: Path) -> None:
    create_project(tmp_path / "a" / "quay", "Quay: a #1 “letter”", None)
    project = open_project(tmp_path / "a" / "quay")
    assert project.config.name == project.config.sender.name == "Quay: a #1 “letter”"
    assert project.config.sender.address == "editor@quay-a-1-letter.example"
    created = {path.relative_to(project.templates_dir) for path in project.templates_dir.rglob("*")}
    defaults = {
        path.relative_to(default_templates_dir()) for path in default_templates_dir().rglob("*")
    }
    languages = {path for path in defaults if path.parts[0] == "words" and path.suffix}
    assert created == defaults - languages | {Path("words", "en.yml")}
    assert Path("issue.mjml") in defaults


def test_words_in_a_new_project_say_nothing_until_uncommented(tmp_path: Path) -> None:
    create_project(tmp_path, "Quay", None)
    (file,) = (tmp_path / "templates" / "words").iterdir()
    text = file.read_text("utf-8")
    assert yaml.safe_load(text) is None
    uncommented = re.sub(r"^# (?=\w+:$| {2}\w+: )", "", text, flags=re.MULTILINE)
    shipped = yaml.safe_load((default_templates_dir() / "words" / "en.yml").read_text("utf-8"))
    assert yaml.safe_load(uncommented) == shipped


@pytest.mark.parametrize("name", ["12:30", "no", "Ærlig talt", "日報", "- x", "@NAME@", "a" * 200])
def test_newsletter_name_round_trips_through_the_settings_file(tmp_path: Path, name: str) -> None:
    create_project(tmp_path, name, "ed@harbournotes.org")
    config = open_project(tmp_path).config
    assert (config.name, config.sender.address) == (name, "ed@harbournotes.org")


def test_commented_defaults_in_the_new_file_are_the_real_defaults(tmp_path: Path) -> None:
    create_project(tmp_path, "Quay", None)
    path = tmp_path / "newsletter.yml"
    defaults = flatten(load_config(path, {}).model_dump())
    path.write_text(re.sub(r"^( *)#(?=\S)", r"\1", path.read_text(), flags=re.MULTILINE))
    uncommented = flatten(load_config(path, {}).model_dump())
    # Settings without a default are shown with an example.
    differing = {name for name, value in uncommented.items() if defaults.get(name) != value}
    assert {name for name in differing if defaults.get(name)} == set()
    assert {"postal_address", "public_url", "sendgrid.asm_group"} <= differing


def test_create_project_overwrites_nothing_and_cleans_up_after_refusal(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine")
    (tmp_path / "README").write_text("mine too")
    with pytest.raises(ProjectError, match=re.escape("already exists: .gitignore")):
        create_project(tmp_path, "Quay", None)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".gitignore", "README"]
    assert (tmp_path / ".gitignore").read_text() == "mine"


def test_create_project_keeps_unrelated_files(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("mine")
    create_project(tmp_path, "Quay", None)
    assert open_project(tmp_path).config.name == "Quay"
    assert (tmp_path / "README").read_text() == "mine"


def test_create_project_removes_everything_after_a_failed_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a" / "b"
    rename = Path.rename

    def fail_on_settings_file(path: Path, to: Path) -> Path:
        if to == target / "newsletter.yml":
            raise OSError(28, "No space left on device", str(to))
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", fail_on_settings_file)
    with pytest.raises(OSError, match="No space left"):
        create_project(target, "Quay", None)
    assert list(tmp_path.iterdir()) == []
