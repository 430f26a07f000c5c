"""Rendering on demand: invalidation, errors beside the last good rendering."""

from pathlib import Path

import pytest

from newsletter.preview.rendered_issues import PreviewWorkspace
from newsletter.project import open_project


@pytest.fixture
def workspace(boat_issue: Path) -> PreviewWorkspace:
    return PreviewWorkspace(open_project(boat_issue.parent.parent))


def test_issue_is_rendered_once_until_its_files_change(
    workspace: PreviewWorkspace, boat_issue: Path
) -> None:
    first = workspace.get_state(boat_issue.name)
    assert first.rendering
    assert workspace.get_state(boat_issue.name) is first
    (boat_issue / "post.md").write_text("---\ntitle: Another\n---\nWords.\n")
    workspace.invalidate([boat_issue / "post.md"])
    second = workspace.get_state(boat_issue.name)
    assert second.version > first.version
    assert second.rendering
    assert second.rendering.issue.post.title == "Another"


def test_changes_of_another_issue_do_not_invalidate(
    workspace: PreviewWorkspace, boat_issue: Path
) -> None:
    first = workspace.get_state(boat_issue.name)
    workspace.invalidate([boat_issue.parent / "2026-01-01-other" / "post.md"])
    assert workspace.get_state(boat_issue.name) is first


def test_changed_templates_and_settings_are_read_again(
    workspace: PreviewWorkspace, boat_issue: Path
) -> None:
    workspace.get_state(boat_issue.name)
    settings = workspace.project.root / "newsletter.yml"
    settings.write_text(settings.read_text().replace("Quay Street", "Fish Market"))
    footer = workspace.project.templates_dir / "partials" / "footer.mjml"
    footer.write_text(footer.read_text().replace("{{ words.why }}", "Ahoy"))
    workspace.invalidate([settings, footer])
    rendering = workspace.get_state(boat_issue.name).rendering
    assert rendering
    assert "Fish Market" in rendering.email.html


def test_broken_front_matter_is_reported_with_its_lines(
    workspace: PreviewWorkspace, boat_issue: Path
) -> None:
    good = workspace.get_state(boat_issue.name).rendering
    (boat_issue / "post.md").write_text("---\ntitle: Fine\nnumber: [1\n---\nWords.\n")
    workspace.invalidate([boat_issue / "post.md"])
    state = workspace.get_state(boat_issue.name)
    assert state.rendering is good
    (problem,) = state.problems
    assert problem.file.endswith("post.md")
    assert problem.line
    assert (3, "number: [1") in problem.excerpt


def test_every_problem_of_a_template_is_reported(
    workspace: PreviewWorkspace, boat_issue: Path
) -> None:
    template = workspace.project.templates_dir / "issue.mjml"
    text = template.read_text()
    template.write_text(text.replace("<mj-spacer", "<mj-spaser", 1).replace("</mj-head>", "", 1))
    workspace.invalidate([template])
    state = workspace.get_state(boat_issue.name)
    assert state.problems
    assert all(problem.file and problem.line and problem.excerpt for problem in state.problems)


@pytest.mark.parametrize("broken", ["name: [", "sender: 4\n"])
def test_broken_settings_are_reported_until_fixed(
    workspace: PreviewWorkspace, boat_issue: Path, broken: str
) -> None:
    settings = workspace.project.root / "newsletter.yml"
    valid = settings.read_text()
    settings.write_text(broken)
    workspace.invalidate([settings])
    assert workspace.get_state(boat_issue.name).problems
    settings.write_text(valid)
    workspace.invalidate([settings])
    assert not workspace.get_state(boat_issue.name).problems


def test_missing_image_is_reported_with_its_line(
    workspace: PreviewWorkspace, boat_issue: Path
) -> None:
    (boat_issue / "post.md").write_text("---\ntitle: Boat\n---\n\n![A boat](boat.jpg)\n")
    workspace.invalidate([boat_issue])
    (problem,) = workspace.get_state(boat_issue.name).problems
    assert "boat.jpg" in problem.message
    assert problem.line == 5


def test_deleted_post_keeps_the_last_good_rendering(
    workspace: PreviewWorkspace, boat_issue: Path
) -> None:
    good = workspace.get_state(boat_issue.name).rendering
    (boat_issue / "post.md").unlink()
    workspace.invalidate([boat_issue / "post.md"])
    state = workspace.get_state(boat_issue.name)
    assert state.problems
    assert state.rendering is good
    boat_issue.rmdir()
    workspace.invalidate([boat_issue])
    assert workspace.get_state(boat_issue.name).problems


def test_post_of_ten_megabytes_is_reported_as_too_large(
    workspace: PreviewWorkspace, boat_issue: Path
) -> None:
    (boat_issue / "post.md").write_text("---\ntitle: Long\n---\n" + "word " * 2_000_001)
    workspace.invalidate([boat_issue / "post.md"])
    (problem,) = workspace.get_state(boat_issue.name).problems
    assert "limits.post_bytes" in problem.remedy
