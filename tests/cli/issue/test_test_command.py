"""``newsletter test``: sends a marked copy and changes nothing."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from newsletter.db import database_engine
from newsletter.project import open_project
from newsletter.sending.planning.tested_issues import list_tested_issues
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault

Cli = Callable[..., tuple[int, str, str]]

POST = """\
---
title: The ice
draft: true
---
Hello {{ subscriber.name | default("friend") }}, the ice let go on Tuesday.
"""


@pytest.fixture
def fake_sendgrid() -> Iterator[FakeSendGrid]:
    with FakeSendGrid() as double:
        yield double


@pytest.fixture
def newsletter(
    project_folder: Path, cli: Cli, fake_sendgrid: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    folder = project_folder / "issues" / "2026-12-01-the-ice"
    folder.mkdir()
    (folder / "post.md").write_text(POST)
    with (project_folder / "newsletter.yml").open("a") as settings:
        settings.write("public_url: https://news.harbournotes.example\n")
    monkeypatch.setenv("SENDGRID_API_KEY", fake_sendgrid.key)
    monkeypatch.setenv("SENDGRID_HOST", fake_sendgrid.url)
    return cli


def test_draft_is_sent_to_each_address_marked_and_personalized(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    code, out, err = newsletter(
        "test", "ice", "--to", "me@example.com", "--to", "you@example.com", "--to", "ME@example.com"
    )
    assert code == 0
    assert out == "Sent [TEST] The ice to ME@example.com, you@example.com\n"
    assert err.endswith("Next: newsletter send the-ice --dry-run\n")
    assert [email.address for email in fake_sendgrid.accepted] == [
        "ME@example.com",
        "you@example.com",
    ]
    body = json.loads(fake_sendgrid.requests[0].body)
    assert body["subject"] == "[TEST] The ice"
    personalization = body["personalizations"][0]
    assert "Sample Reader" in personalization["substitutions"].values()
    assert personalization["headers"]["List-Unsubscribe"].endswith("/u/sample>")
    assert fake_sendgrid.unfilled_tokens == set()
    assert not list(project_folder.glob("*.db*"))


def test_tested_issue_is_recorded_if_there_is_a_database(
    newsletter: Cli, project_folder: Path
) -> None:
    assert newsletter("db", "upgrade")[0] == 0
    assert newsletter("test", "ice", "--to", "me@example.com")[0] == 0
    config = open_project(project_folder).config
    with database_engine(config.database, project_folder) as engine:
        assert list_tested_issues(engine) == ["2026-12-01-the-ice"]


def test_test_as_json(newsletter: Cli) -> None:
    code, out, _ = newsletter("test", "--to", "me@example.com", "--json")
    assert code == 0
    assert json.loads(out)["to"] == ["me@example.com"]


FAILURES: list[tuple[InjectedFault, str]] = [
    (faults.error_response(401, "The provided authorization grant is invalid"), "SENDGRID_API_KEY"),
    (faults.error_response(403, "not a verified Sender Identity"), "Verify the sender"),
    (faults.error_response(400, "odd", "content.0.value"), "odd"),
    (faults.error_response(500), "may or may not"),
    (faults.lost_response(), "may or may not"),
    (faults.rate_limit_response(0), "Try again in a minute"),
]


@pytest.mark.parametrize(("fault", "message"), FAILURES)
def test_failure_is_reported_with_a_remedy(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, fault: InjectedFault, message: str
) -> None:
    fake_sendgrid.inject_faults(fault)
    code, out, err = newsletter("test", "--to", "me@example.com")
    assert (code, out) == (1, "")
    assert message in err


def test_missing_address_key_or_server_is_reported(
    newsletter: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert newsletter("test")[0] == 2
    assert "not a valid email address" in newsletter("test", "--to", "me")[2]
    monkeypatch.setenv("SENDGRID_HOST", "http://127.0.0.1:1")
    assert "nothing was sent" in newsletter("test", "--to", "me@example.com")[2]
    monkeypatch.delenv("SENDGRID_API_KEY")
    assert "export SENDGRID_API_KEY" in newsletter("test", "--to", "me@example.com")[2]


@pytest.mark.parametrize(
    ("name", "subjects", "path"),
    [
        ("confirm", ["Confirm your subscription to Harbour Notes"], "/confirm/sample"),
        ("welcome", ["Welcome to Harbour Notes"], "/u/sample"),
        ("move", ["Confirm your new address for Harbour Notes"] * 2, "/move/sample"),
        ("download", ["Your data from Harbour Notes"], "/download/sample"),
        ("erase", ["Delete your data from Harbour Notes"], "/erase/sample"),
    ],
)
def test_emails_to_one_reader_have_sample_links_and_leave_no_trace(
    newsletter: Cli,
    fake_sendgrid: FakeSendGrid,
    project_folder: Path,
    name: str,
    subjects: list[str],
    path: str,
) -> None:
    assert newsletter("subscribers", "add", "me@example.com")[0] == 0
    before = dump_database(project_folder)
    code, out, _ = newsletter(
        "test", "--email", name, "--to", "me@example.com", "--to", "you@example.com", "--json"
    )
    assert code == 0
    marked = [f"[TEST] {subject}" for subject in subjects]
    to = ["me@example.com", "you@example.com"]
    assert json.loads(out) == {"email": name, "subjects": marked, "to": to}
    requests = [json.loads(request.body) for request in fake_sendgrid.requests]
    assert [request["subject"] for request in requests] == [s for s in marked for _ in to]
    for request in requests:
        assert (
            request["content"][0]["value"].count(f"https://news.harbournotes.example{path}>") == 1
        )
    assert dump_database(project_folder) == before


def dump_database(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "newsletter.db")) as connection:
        return list(connection.iterdump())


def test_which_email_to_one_reader(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    to = ("--to", "me@example.com")
    code, out, err = newsletter("test", "--email", "welcome", *to)
    assert (code, out) == (0, "Sent [TEST] Welcome to Harbour Notes to me@example.com\n")
    assert "set signup.welcome to true" in err
    assert not list(project_folder.glob("*.db*"))
    code, _, err = newsletter("test", "--email", "welcom", *to)
    assert (code, "Did you mean 'welcome'?" in err) == (2, True)
    assert newsletter("test", "ice", "--email", "welcome", *to)[0] == 2
    (project_folder / "templates" / "welcome.md").write_text("# Ahoy\n\n{{ you }}\n")
    code, _, err = newsletter("test", "--email", "welcome", *to)
    assert code == 1
    assert "welcome.md:3: {{ you }} is not a merge tag" in err
    assert len(fake_sendgrid.requests) == 1
