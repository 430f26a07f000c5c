"""What has changed between two mails, in words and links."""

from dataclasses import replace
from pathlib import Path

import pytest

from newsletter.preview.rendered_issues import PreviewWorkspace
from newsletter.preview.views.diff import DiffSpan, compare_emails
from newsletter.project import open_project
from newsletter.render.email import Email


@pytest.fixture
def email(boat_issue: Path) -> Email:
    proof = (
        PreviewWorkspace(open_project(boat_issue.parent.parent))
        .get_state(boat_issue.name)
        .rendering
    )
    assert proof
    return proof.email


def changed(email: Email, old: str, new: str) -> Email:
    return replace(email, text=email.text.replace(old, new), html=email.html.replace(old, new))


def test_the_same_mail_has_no_difference(email: Email) -> None:
    difference = compare_emails(email, email)
    assert all(piece.kind == "same" for passage in difference.passages for piece in passage)
    assert difference.added == difference.removed == ()


def test_a_word_and_a_link_are_told_from_the_rest(email: Email) -> None:
    new = changed(email, "harbour.example/log", "harbour.example/diary")
    new = changed(new, "the ice let go", "the snow let go")
    difference = compare_emails(email, new)
    (passage,) = [one for one in difference.passages if DiffSpan("added", "snow ") in one]
    assert DiffSpan("removed", "ice ") in passage
    assert difference.added == ("https://harbour.example/diary",)
    assert difference.removed == ("https://harbour.example/log",)


def test_passages_with_little_in_common_are_shown_whole(email: Email) -> None:
    old = replace(email, text="The first boat of the year")
    new = replace(email, text="Nothing came but rain and wind")
    (passage,) = [one for one in compare_emails(old, new).passages if len(one) > 1]
    assert [piece.kind for piece in passage] == ["removed", "added"]
