"""``newsletter test``: a marked copy that changes nothing."""

import json
from collections.abc import Callable, Iterator
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
def vendor() -> Iterator[FakeSendGrid]:
    with FakeSendGrid() as double:
        yield double


@pytest.fixture
def newsletter(
    project_folder: Path, cli: Cli, vendor: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    folder = project_folder / "issues" / "2026-12-01-the-ice"
    folder.mkdir()
    (folder / "post.md").write_text(POST)
    monkeypatch.setenv("SENDGRID_API_KEY", vendor.key)
    monkeypatch.setenv("SENDGRID_HOST", vendor.url)
    return cli


def test_a_draft_goes_to_each_address_marked_and_filled_in(
    newsletter: Cli, vendor: FakeSendGrid, project_folder: Path
) -> None:
    code, out, _ = newsletter(
        "test", "ice", "--to", "me@example.com", "--to", "you@example.com", "--to", "ME@example.com"
    )
    assert code == 0
    assert out == "Sent [TEST] The ice to ME@example.com, you@example.com\n"
    assert [one.address for one in vendor.accepted] == ["ME@example.com", "you@example.com"]
    body = json.loads(vendor.requests[0].body)
    assert body["subject"] == "[TEST] The ice"
    one = body["personalizations"][0]
    assert "Sample Reader" in one["substitutions"].values()
    assert one["headers"]["List-Unsubscribe"].endswith("/u/sample>")
    assert vendor.unfilled_tokens == set()
    assert not list(project_folder.glob("*.db*"))


def test_where_there_is_a_database_the_site_learns_whose_images_are_wanted(
    newsletter: Cli, project_folder: Path
) -> None:
    assert newsletter("db", "upgrade")[0] == 0
    assert newsletter("test", "ice", "--to", "me@example.com")[0] == 0
    config = open_project(project_folder).config
    with database_engine(config.database, project_folder) as engine:
        assert list_tested_issues(engine) == ["2026-12-01-the-ice"]


def test_json_for_scripts(newsletter: Cli) -> None:
    code, out, _ = newsletter("test", "--to", "me@example.com", "--json")
    assert code == 0
    assert json.loads(out)["to"] == ["me@example.com"]


ENDINGS: list[tuple[InjectedFault, str]] = [
    (faults.error_response(401, "The provided authorization grant is invalid"), "SENDGRID_API_KEY"),
    (faults.error_response(403, "not a verified Sender Identity"), "Verify the sender"),
    (faults.error_response(400, "odd", "content.0.value"), "odd"),
    (faults.error_response(500), "may or may not"),
    (faults.lost_response(), "may or may not"),
    (faults.rate_limit_response(0), "Try again in a minute"),
]


@pytest.mark.parametrize(("fault", "told"), ENDINGS)
def test_what_went_wrong_is_told_with_the_next_step(
    newsletter: Cli, vendor: FakeSendGrid, fault: InjectedFault, told: str
) -> None:
    vendor.inject_faults(fault)
    code, out, err = newsletter("test", "--to", "me@example.com")
    assert (code, out) == (1, "")
    assert told in err


def test_no_address_no_key_no_server(newsletter: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert newsletter("test")[0] == 2
    assert "no email address" in newsletter("test", "--to", "me")[2]
    monkeypatch.setenv("SENDGRID_HOST", "http://127.0.0.1:1")
    assert "nothing was sent" in newsletter("test", "--to", "me@example.com")[2]
    monkeypatch.delenv("SENDGRID_API_KEY")
    assert "export SENDGRID_API_KEY" in newsletter("test", "--to", "me@example.com")[2]
