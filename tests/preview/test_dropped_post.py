"""A dropped post becomes an issue as by ``newsletter import``, in an empty folder too."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import urllib3
from preview_server import PreviewClient, serving

PAGE = """\
<html><head><title>Gulls</title></head><body><article><h1>Gulls</h1>
<p>They came in May, and they stayed all summer long in the harbour.</p>
<div class="share-buttons"><a href="https://twitter.com/share">Share on Twitter</a></div>
<script>alert(1)</script></article></body></html>
"""


@pytest.fixture
def empty(project_folder: Path) -> Iterator[PreviewClient]:
    """A preview of a newsletter without issues."""
    with serving(project_folder, "") as preview:
        yield preview


def drop(
    preview: PreviewClient, name: str, data: bytes, **headers: str
) -> urllib3.BaseHTTPResponse:
    url = f"{preview.url}import?name={quote(name)}"
    return preview.pool.request("POST", url, body=data, headers=headers)


def test_empty_folder_takes_its_first_post(empty: PreviewClient) -> None:
    issues = empty.workspace.project.issues_dir
    with empty.stream() as states:
        first = next(states)
        assert (first["proof"], first["faults"]) == (None, [])
        assert empty.data("issues")["first"] == ""
        assert empty.get("mail").status == 409
        response = drop(empty, "gulls.md", b"# Gulls\n\nThey came.\n", origin=empty.origin)
        assert response.status == 200, response.data
        next(states)
    name = response.json()["issue"]
    assert empty.data("issues")["first"] == name
    assert (issues / name / "post.md").read_text().endswith("They came.\n")
    assert empty.get("mail").status == 200
    assert [folder.name for folder in issues.iterdir()] == [name]


def test_removed_lines_and_missing_images_are_listed(empty: PreviewClient) -> None:
    page = PAGE.replace("<p>They", '<p><img src="gull.jpg" alt="A gull"> They')
    data = drop(empty, "2026-05-01-gulls.html", page.encode(), origin=empty.origin).json()
    assert data["issue"] == "2026-05-01-gulls"
    assert any("Share on Twitter" in entry["text"] for entry in data["removed"])
    with empty.stream() as states:
        problem = next(states)["faults"][0]
    assert "gull.jpg" in problem["message"] + problem["remedy"]


def test_lost_words_are_listed(empty: PreviewClient) -> None:
    post = "# Fog\n\nIt lifts at noon.\n\n<!-- Open.\n\n{{ salty.foam }}\n\nsalty.foam\n"
    data = drop(empty, "fog.md", post.encode(), origin=empty.origin).json()
    assert any("Open" in phrase for phrase in data["lost"]), data


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("gulls.docx", b"words", "is not a post"),
        ("gulls.png", b"\x89PNG\r\n", "is not a post"),
        (".md", b"words", "is not a post"),
        ("", b"words", "is not a post"),
        ("gulls.md", b"PK\x03\x04", "gulls.md: this is a word processor's document"),
        ("gulls.md", b"", "gulls.md: "),
        ("gulls.md", b"---\ntitle: [\n---\nwords", "gulls.md:"),
        ("gu\0lls.md", b"words", "not valid"),
        (f"{'x' * 300}.md", b"words", "too long"),
    ],
)
def test_what_is_no_post_is_refused(
    empty: PreviewClient, name: str, data: bytes, reason: str
) -> None:
    response = drop(empty, name, data, origin=empty.origin)
    problem = response.json()["faults"][0]
    assert response.status == 422
    assert reason in f"{problem['file']}: {problem['message']}"
    assert "newsletter-" not in response.data.decode()
    assert not list(empty.workspace.project.issues_dir.glob("*"))


def test_name_leads_nowhere_and_size_and_origin_are_limited(empty: PreviewClient) -> None:
    words = b"# Gulls\n\nThey came.\n"
    assert drop(empty, "gulls.md", words).status == 403
    assert drop(empty, "gulls.md", b"x" * 5_000_001, origin=empty.origin).status == 413
    data = drop(empty, "../../..\\2026-05-01-gulls.md", words, origin=empty.origin).json()
    assert data["issue"] == "2026-05-01-gulls"
    assert not list(empty.workspace.project.root.parent.glob("*gulls*"))


def test_collision_is_what_import_says_and_nothing_is_overwritten(empty: PreviewClient) -> None:
    words = b"# Gulls\n\nThey came.\n"
    name = "2026-05-01-gulls.md"
    assert drop(empty, name, words, origin=empty.origin).json()["state"] == "new"
    assert drop(empty, name, words, origin=empty.origin).json()["state"] == "unchanged"
    post = empty.workspace.project.issues_dir / "2026-05-01-gulls" / "post.md"
    post.write_text(f"{post.read_text()}More.\n")
    edited = post.read_text()
    refused = drop(empty, name, b"# Gulls\n\nThey left.\n", origin=empty.origin)
    assert refused.status == 422
    assert "nothing was changed" in refused.json()["faults"][0]["message"]
    assert "--slug gulls-2" in refused.json()["faults"][0]["remedy"]
    assert post.read_text() == edited
