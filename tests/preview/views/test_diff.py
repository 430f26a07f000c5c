"""Comparing two emails: text by words, and links."""

from dataclasses import replace
from pathlib import Path

import pytest

from newsletter.preview.rendered_issues import PreviewWorkspace
from newsletter.preview.views.diff import DiffSpan, compare_emails
from newsletter.project import open_project
from newsletter.render.email import Email


@pytest.fixture
def email(boat_issue: Path) -> Email:
    rendering = (
        PreviewWorkspace(open_project(boat_issue.parent.parent))
        .get_state(boat_issue.name)
        .rendering
    )
    assert rendering
    return rendering.email


def replace_text(email: Email, old: str, new: str) -> Email:
    return replace(email, text=email.text.replace(old, new), html=email.html.replace(old, new))


def test_identical_emails_have_no_differences(email: Email) -> None:
    diff = compare_emails(email, email)
    assert all(span.kind == "same" for passage in diff.passages for span in passage)
    assert diff.added == diff.removed == ()


def test_changed_word_and_link_are_found(email: Email) -> None:
    new = replace_text(email, "harbour.example/log", "harbour.example/diary")
    new = replace_text(new, "the ice let go", "the snow let go")
    diff = compare_emails(email, new)
    (passage,) = [spans for spans in diff.passages if DiffSpan("added", "snow ") in spans]
    assert DiffSpan("removed", "ice ") in passage
    assert diff.added == ("https://harbour.example/diary",)
    assert diff.removed == ("https://harbour.example/log",)


def test_dissimilar_passages_are_shown_whole(email: Email) -> None:
    old = replace(email, text="The first boat of the year")
    new = replace(email, text="Nothing came but rain and wind")
    (passage,) = [spans for spans in compare_emails(old, new).passages if len(spans) > 1]
    assert [span.kind for span in passage] == ["removed", "added"]
