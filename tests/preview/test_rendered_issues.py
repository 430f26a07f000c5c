"""Whatever is wrong with a file, the desk shows it beside what last went well."""

from pathlib import Path

import pytest

from newsletter.preview.rendered_issues import PreviewWorkspace
from newsletter.project import open_project


@pytest.fixture
def desk(boat_issue: Path) -> PreviewWorkspace:
    return PreviewWorkspace(open_project(boat_issue.parent.parent))


def test_an_issue_is_rendered_once_until_its_files_change(
    desk: PreviewWorkspace, boat_issue: Path
) -> None:
    first = desk.get_state(boat_issue.name)
    assert first.rendering
    assert desk.get_state(boat_issue.name) is first
    (boat_issue / "post.md").write_text("---\ntitle: Another\n---\nWords.\n")
    desk.invalidate([boat_issue / "post.md"])
    second = desk.get_state(boat_issue.name)
    assert second.version > first.version
    assert second.rendering
    assert second.rendering.issue.post.title == "Another"


def test_another_issues_files_leave_it_alone(desk: PreviewWorkspace, boat_issue: Path) -> None:
    first = desk.get_state(boat_issue.name)
    desk.invalidate([boat_issue.parent / "2026-01-01-other" / "post.md"])
    assert desk.get_state(boat_issue.name) is first


def test_templates_and_settings_are_read_again(desk: PreviewWorkspace, boat_issue: Path) -> None:
    desk.get_state(boat_issue.name)
    settings = desk.project.root / "newsletter.yml"
    settings.write_text(settings.read_text().replace("Quay Street", "Fish Market"))
    footer = desk.project.templates_dir / "partials" / "footer.mjml"
    footer.write_text(footer.read_text().replace("{{ words.why }}", "Ahoy"))
    desk.invalidate([settings, footer])
    proof = desk.get_state(boat_issue.name).rendering
    assert proof
    assert "Fish Market" in proof.email.html


def test_broken_front_matter_is_told_with_its_lines(
    desk: PreviewWorkspace, boat_issue: Path
) -> None:
    good = desk.get_state(boat_issue.name).rendering
    (boat_issue / "post.md").write_text("---\ntitle: Fine\nnumber: [1\n---\nWords.\n")
    desk.invalidate([boat_issue / "post.md"])
    view = desk.get_state(boat_issue.name)
    assert view.rendering is good
    (fault,) = view.problems
    assert fault.file.endswith("post.md")
    assert fault.line
    assert (3, "number: [1") in fault.excerpt


def test_every_problem_of_a_template_is_told(desk: PreviewWorkspace, boat_issue: Path) -> None:
    template = desk.project.templates_dir / "issue.mjml"
    text = template.read_text()
    template.write_text(text.replace("<mj-spacer", "<mj-spaser", 1).replace("</mj-head>", "", 1))
    desk.invalidate([template])
    view = desk.get_state(boat_issue.name)
    assert view.problems
    assert all(fault.file and fault.line and fault.excerpt for fault in view.problems)


@pytest.mark.parametrize("broken", ["name: [", "sender: 4\n"])
def test_broken_settings_are_told_and_mended(
    desk: PreviewWorkspace, boat_issue: Path, broken: str
) -> None:
    settings = desk.project.root / "newsletter.yml"
    whole = settings.read_text()
    settings.write_text(broken)
    desk.invalidate([settings])
    assert desk.get_state(boat_issue.name).problems
    settings.write_text(whole)
    desk.invalidate([settings])
    assert not desk.get_state(boat_issue.name).problems


def test_a_missing_image_is_told_with_its_line(desk: PreviewWorkspace, boat_issue: Path) -> None:
    (boat_issue / "post.md").write_text("---\ntitle: Boat\n---\n\n![A boat](boat.jpg)\n")
    desk.invalidate([boat_issue])
    (fault,) = desk.get_state(boat_issue.name).problems
    assert "boat.jpg" in fault.message
    assert fault.line == 5


def test_a_deleted_post_keeps_the_last_good_version(
    desk: PreviewWorkspace, boat_issue: Path
) -> None:
    good = desk.get_state(boat_issue.name).rendering
    (boat_issue / "post.md").unlink()
    desk.invalidate([boat_issue / "post.md"])
    view = desk.get_state(boat_issue.name)
    assert view.problems
    assert view.rendering is good
    boat_issue.rmdir()
    desk.invalidate([boat_issue])
    assert desk.get_state(boat_issue.name).problems


def test_a_post_of_ten_megabytes_is_refused_not_fatal(
    desk: PreviewWorkspace, boat_issue: Path
) -> None:
    (boat_issue / "post.md").write_text("---\ntitle: Long\n---\n" + "word " * 2_000_001)
    desk.invalidate([boat_issue / "post.md"])
    (fault,) = desk.get_state(boat_issue.name).problems
    assert "limits.post_bytes" in fault.remedy
