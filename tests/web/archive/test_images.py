"""Finding an issue's images: only images inside the issue's folder."""

import os
from pathlib import Path

import pytest

from newsletter.web.archive.images import find_issue_image, list_issue_images


@pytest.fixture
def issue(tmp_path: Path) -> Path:
    folder = tmp_path / "2026-12-01-ice"
    (folder / "img").mkdir(parents=True)
    for name in ("a.png", "img/B.JPG", "post.md", ".hidden.png", "a.html", "quay æ.webp"):
        (folder / name).write_bytes(b"x")
    (tmp_path / "secret.png").write_bytes(b"secret")
    (folder / "out.png").symlink_to(tmp_path / "secret.png")
    (folder / "text.png").symlink_to(folder / "post.md")
    (folder / "same.png").symlink_to(folder / "a.png")
    (folder / "dir.png").mkdir()
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "loop.png").symlink_to("ring.svg")
    (folder / "ring.svg").symlink_to("loop.png")
    os.mkfifo(folder / "fifo.png")
    return folder


@pytest.mark.parametrize("name", ["a.png", "img/B.JPG", "quay æ.webp", "same.png"])
def test_image_in_the_folder_is_found(issue: Path, name: str) -> None:
    assert find_issue_image(issue, name) == (issue / name).resolve()


@pytest.mark.parametrize(
    "name",
    [
        "", "post.md", "a.html", ".hidden.png", "no.png", "out.png", "text.png", "dir.png",
        "../secret.png", "img/../a.png", "./a.png", "img//B.JPG", "/a.png", "..\\secret.png",
        "a.png\0", "a.png/", "%2e%2e/secret.png", "a\n.png", "x" * 5_000 + ".png",
        "gone.png", "loop.png", "ring.svg", "loop.png/a.png", "fifo.png",
    ],
)  # fmt: skip
def test_other_paths_are_not_found(issue: Path, name: str) -> None:
    assert find_issue_image(issue, name) is None


def test_list_has_every_image_that_is_served(issue: Path) -> None:
    assert list_issue_images(issue) == ["a.png", "img/B.JPG", "quay æ.webp", "same.png"]


def test_svg_is_looked_through_again_when_it_has_changed(issue: Path) -> None:
    drawing = '<svg xmlns="http://www.w3.org/2000/svg"><{}/></svg>'
    for element, is_found in (("rect", True), ("script", False), ("circle", True)):
        (issue / "tide.svg").write_text(drawing.format(element))
        for _ in range(2):
            assert (find_issue_image(issue, "tide.svg") is not None) == is_found
