"""Whatever is wrong with a file, the desk shows it beside what last went well."""

from pathlib import Path

import pytest

from newsletter.preview.rendered_issues import Desk
from newsletter.project import open_project


@pytest.fixture
def desk(boat_issue: Path) -> Desk:
    return Desk(open_project(boat_issue.parent.parent))


def test_an_issue_is_rendered_once_until_its_files_change(desk: Desk, boat_issue: Path) -> None:
    first = desk.view(boat_issue.name)
    assert first.proof
    assert desk.view(boat_issue.name) is first
    (boat_issue / "post.md").write_text("---\ntitle: Another\n---\nWords.\n")
    desk.changed([boat_issue / "post.md"])
    second = desk.view(boat_issue.name)
    assert second.version > first.version
    assert second.proof
    assert second.proof.issue.post.title == "Another"


def test_another_issues_files_leave_it_alone(desk: Desk, boat_issue: Path) -> None:
    first = desk.view(boat_issue.name)
    desk.changed([boat_issue.parent / "2026-01-01-other" / "post.md"])
    assert desk.view(boat_issue.name) is first


def test_templates_and_settings_are_read_again(desk: Desk, boat_issue: Path) -> None:
    desk.view(boat_issue.name)
    settings = desk.project.root / "newsletter.yml"
    settings.write_text(settings.read_text().replace("Quay Street", "Fish Market"))
    footer = desk.project.templates_dir / "partials" / "footer.mjml"
    footer.write_text(footer.read_text().replace("{{ words.why }}", "Ahoy"))
    desk.changed([settings, footer])
    proof = desk.view(boat_issue.name).proof
    assert proof
    assert "Fish Market" in proof.email.html


def test_broken_front_matter_is_told_with_its_lines(desk: Desk, boat_issue: Path) -> None:
    good = desk.view(boat_issue.name).proof
    (boat_issue / "post.md").write_text("---\ntitle: Fine\nnumber: [1\n---\nWords.\n")
    desk.changed([boat_issue / "post.md"])
    view = desk.view(boat_issue.name)
    assert view.proof is good
    (fault,) = view.faults
    assert fault.file.endswith("post.md")
    assert fault.line
    assert (3, "number: [1") in fault.excerpt


def test_every_problem_of_a_template_is_told(desk: Desk, boat_issue: Path) -> None:
    template = desk.project.templates_dir / "issue.mjml"
    text = template.read_text()
    template.write_text(text.replace("<mj-spacer", "<mj-spaser", 1).replace("</mj-head>", "", 1))
    desk.changed([template])
    view = desk.view(boat_issue.name)
    assert view.faults
    assert all(fault.file and fault.line and fault.excerpt for fault in view.faults)


@pytest.mark.parametrize("broken", ["name: [", "sender: 4\n"])
def test_broken_settings_are_told_and_mended(desk: Desk, boat_issue: Path, broken: str) -> None:
    settings = desk.project.root / "newsletter.yml"
    whole = settings.read_text()
    settings.write_text(broken)
    desk.changed([settings])
    assert desk.view(boat_issue.name).faults
    settings.write_text(whole)
    desk.changed([settings])
    assert not desk.view(boat_issue.name).faults


def test_a_missing_image_is_told_with_its_line(desk: Desk, boat_issue: Path) -> None:
    (boat_issue / "post.md").write_text("---\ntitle: Boat\n---\n\n![A boat](boat.jpg)\n")
    desk.changed([boat_issue])
    (fault,) = desk.view(boat_issue.name).faults
    assert "boat.jpg" in fault.message
    assert fault.line == 5


def test_a_deleted_post_keeps_the_last_good_version(desk: Desk, boat_issue: Path) -> None:
    good = desk.view(boat_issue.name).proof
    (boat_issue / "post.md").unlink()
    desk.changed([boat_issue / "post.md"])
    view = desk.view(boat_issue.name)
    assert view.faults
    assert view.proof is good
    boat_issue.rmdir()
    desk.changed([boat_issue])
    assert desk.view(boat_issue.name).faults


def test_a_post_of_ten_megabytes_is_refused_not_fatal(desk: Desk, boat_issue: Path) -> None:
    (boat_issue / "post.md").write_text("---\ntitle: Long\n---\n" + "word " * 2_000_001)
    desk.changed([boat_issue / "post.md"])
    (fault,) = desk.view(boat_issue.name).faults
    assert "limits.post_bytes" in fault.remedy
