"""``newsletter archive``: what was corrected since the email was sent, and what was not."""

import json
from pathlib import Path
from typing import Any

import pytest
from ready_to_send import ISSUE, Cli

from newsletter.sending.rehearsal import FakeSendGrid

BASE = "https://harbour-notes.org/letters"
POST = """\
---
title: The ice, {{ subscriber.name }}
template: TEMPLATE
button:
  text: Read the log
  url: https://harbour-notes.org/log
---
Hello {{ subscriber.name | default("friend") }}, the ice let go on Tuesday.

The [boats](https://harbour-notes.org/boats) lay at the quay again,[^1] paint still wet on most of
them, and nobody had seen the harbour master since the first of the storms.

## What comes next

Spring, we are told. It is late this year.

[^1]: Nearly all of the boats that had left in the autumn, that is.
"""


def write_post(folder: Path, template: str, *changes: tuple[str, str]) -> Path:
    text = POST.replace("TEMPLATE", template)
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    path = folder / "issues" / ISSUE / "post.md"
    path.write_text(text)
    return path


def load_corrections(newsletter: Cli, *args: str) -> list[tuple[int, str, str]]:
    _, out, err = newsletter("archive", "--base-url", BASE, "--json", *args)
    data: dict[str, Any] = json.loads(out or err)
    return [(found["line"], found["before"], found["after"]) for found in data["corrections"]]


@pytest.mark.usefixtures("fake_sendgrid")
def test_a_changed_card_of_a_digest_is_listed(newsletter: Cli, project_folder: Path) -> None:
    cards = (
        "digest:\n- {title: Knots, url: https://harbour-notes.org/knots, excerpt: Three.}\nbutton"
    )
    write_post(project_folder, "issue", ("button", cards))
    assert newsletter("send", "--yes")[0] == 0
    assert load_corrections(newsletter) == []
    write_post(project_folder, "issue", ("button", cards.replace("Three", "Four")))
    ((_, before, after),) = load_corrections(newsletter)
    assert (before, after) == ("Three", "Four")


@pytest.mark.parametrize("template", ["issue", "plain"])
def test_changed_passages_are_listed_with_their_lines(
    newsletter: Cli, project_folder: Path, fake_sendgrid: FakeSendGrid, template: str
) -> None:
    write_post(project_folder, template)
    assert load_corrections(newsletter) == []
    assert newsletter("send", "--yes")[0] == 0
    assert load_corrections(newsletter) == []
    cases: list[tuple[tuple[str, str], list[tuple[int, str, str]]]] = [
        (("Tuesday", "Wednesday"), [(8, "Tuesday", "Wednesday")]),
        (("paint still wet on", "paint wet on"), [(10, "still", "")]),
        (("late this year", "very late this year"), [(15, "", "very")]),
        (("Spring, we are told. It is late this year.\n", ""), [
            (16, "Spring, we are told. It is late this year", ""),
        ]),
        (("org/boats", "org/ships"), [
            (10, "", "https://harbour-notes.org/ships"), (0, "https://harbour-notes.org/boats", ""),
        ]),
        (("Nearly all of", "Some of"), [(17, "Nearly all", "Some")]),
        (("title: The ice", "title: The thaw"), [
            (2, "The ice, {{ subscriber.name }}", "The thaw, {{ subscriber.name }}"),
        ]),
    ]  # fmt: skip
    for change, expected in cases if template == "issue" else cases[-1:]:
        write_post(project_folder, template, change)
        found = load_corrections(newsletter)
        assert found == expected
    assert load_corrections(newsletter, "--issue", "ice")
    page = project_folder / "build" / "archive" / "issues" / "the-ice" / "index.html"
    assert "The thaw, friend" in page.read_text()
    assert len(fake_sendgrid.accepted) == 25
    for setting in ("archive: private", "draft: true"):  # such an issue has no page
        write_post(project_folder, template, ("title: The", f"{setting}\ntitle: The new"))
        assert load_corrections(newsletter) == []


def test_corrections_are_told_and_nobody_is_emailed_again(
    newsletter: Cli, project_folder: Path, fake_sendgrid: FakeSendGrid
) -> None:
    path = write_post(project_folder, "issue")
    assert newsletter("send", "--yes")[0] == 0
    path.write_text(path.read_text().replace("Tuesday", "Wednesday"))
    code, out, _ = newsletter("archive", "--base-url", BASE)
    assert code == 0
    assert out.splitlines()[1:] == [
        "the-ice was changed after it was sent; its page shows it as it is now:",
        f"  issues/{ISSUE}/post.md:8: 'Wednesday' instead of 'Tuesday'",
        "The emails stay as they were sent; nobody is emailed again.",
    ]
    assert len(fake_sendgrid.accepted) == 25
    path.write_text("---\ntitle: [\n")
    assert "instead of" not in newsletter("archive", "--base-url", BASE)[1]
