"""``newsletter send``, from the editor's chair, against the double over real HTTP."""

import datetime
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from ready_to_send import ISSUE, POST, READERS, Cli

from newsletter.db import database_engine
from newsletter.db.schema import batch
from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault

ONE_BY_ONE = ("send", "--yes", "--concurrency", "1")


def edit(project_folder: Path, before: str, after: str) -> None:
    path = project_folder / "newsletter.yml"
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))


def test_a_send_shows_what_it_will_do_and_waits_for_the_count(
    newsletter: Cli, vendor: FakeSendGrid
) -> None:
    code, out, err = newsletter("send", "ice", typed="25\n")
    assert code == 0
    assert "The ice, friend" in out
    assert "Harbour Notes <editor@harbour-notes.org>" in out
    assert "25 readers in 3 requests" in out
    assert "Type 25 to send" in err
    assert "Sent to 25 of 25 readers." in out
    assert len({one.address for one in vendor.accepted}) == len(vendor.accepted) == READERS
    assert vendor.unfilled_tokens == set()


@pytest.mark.parametrize("typed", ["24\n", "yes\n", ""])
def test_anything_but_the_count_sends_nothing(
    newsletter: Cli, vendor: FakeSendGrid, typed: str
) -> None:
    code, _, _ = newsletter("send", typed=typed)
    assert code == 1
    assert vendor.requests == []
    assert newsletter("send", "--yes")[0] == 0


def test_an_issue_is_never_sent_twice(newsletter: Cli, vendor: FakeSendGrid) -> None:
    newsletter("send", "--yes")
    code, _, err = newsletter("send", "--yes")
    assert code == 1
    assert "was sent to 25 readers" in err
    assert len(vendor.accepted) == READERS
    assert "was sent to 25 readers" in newsletter("send", "--dry-run")[1].replace("\n    ", " ")


def test_json_tells_a_script_how_it_ended(newsletter: Cli, vendor: FakeSendGrid) -> None:
    vendor.inject_faults(InjectedFault(accept=True), faults.lost_response())
    code, out, err = newsletter(*ONE_BY_ONE, "--json")
    data = json.loads(out)
    assert code == 1
    assert data["state"] == "needs_review"
    assert data["readers"] == {"accepted": 15, "unknown": 10}
    assert [one["batch"] for one in data["unknown"]] == [2]
    assert "may or may not" in err


REFUSED = {
    "no postal address": (
        "postal_address: Harbour Notes, 1 Quay Street, Bergen\n", "", "postal_address",
    ),
    "no way to leave": ("public_url: https://news.harbour-notes.org\n", "", "public_url"),
    "example sender": ("editor@harbour-notes.org", "editor@harbournotes.example", "sender.address"),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_what_must_be_right_before_a_send_is_asked_first(  # noqa: PLR0917 - fixtures
    newsletter: Cli,
    vendor: FakeSendGrid,
    project_folder: Path,
    before: str,
    after: str,
    told: str,
) -> None:
    edit(project_folder, before, after)
    code, _, err = newsletter("send", "--yes")
    assert code == 1
    assert told in err
    assert vendor.requests == []
    code, out, _ = newsletter("send", "--dry-run")
    assert code == 0
    assert told in out


def test_sendgrids_own_unsubscribe_group_serves_in_place_of_a_public_url(
    newsletter: Cli, vendor: FakeSendGrid, project_folder: Path
) -> None:
    edit(project_folder, "public_url: https://news.harbour-notes.org\n", "")
    edit(project_folder, "sendgrid:\n", "sendgrid:\n  asm_group: 77\n")
    assert newsletter("send", "--yes")[0] == 0
    body = json.loads(vendor.requests[0].body)
    assert body["asm"] == {"group_id": 77}
    assert "headers" not in body["personalizations"][0]
    assert "<%asm_group_unsubscribe_raw_url%>" in body["content"][1]["value"]


def test_a_draft_is_not_sent(newsletter: Cli, project_folder: Path) -> None:
    post = project_folder / "issues" / ISSUE / "post.md"
    post.write_text(POST.replace("---\nHello", "draft: true\n---\nHello"))
    code, _, err = newsletter("send", "--yes")
    assert code == 1
    assert "post.md:3: this issue is a draft" in err


def test_no_key(newsletter: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SENDGRID_API_KEY")
    code, _, err = newsletter("send", "--yes")
    assert code == 1
    assert "export SENDGRID_API_KEY=" in err


def test_an_empty_list(newsletter: Cli, project_folder: Path) -> None:
    for path in project_folder.glob("newsletter.db*"):
        path.unlink()
    for arguments in (("send", "--yes"), ("send", "--dry-run")):
        code, _, err = newsletter(*arguments)
        assert code == 1
        assert "nobody on the list" in err
    assert not (project_folder / "build").exists()


@pytest.mark.parametrize(
    ("status", "words", "remedy"),
    [
        (401, "The provided authorization grant is invalid", "SENDGRID_API_KEY"),
        (401, "Maximum credits exceeded", "raise its plan"),
        (403, "The from address does not match a verified Sender Identity", "Verify the sender"),
    ],
)
def test_the_vendors_refusal_comes_in_its_own_words_and_a_mended_send_goes_on(
    newsletter: Cli, vendor: FakeSendGrid, status: int, words: str, remedy: str
) -> None:
    vendor.inject_faults(faults.error_response(status, words))
    code, _, err = newsletter("send", "--yes")
    assert code == 1
    assert words in err
    assert remedy in err
    assert newsletter("send", "--yes")[0] == 0
    assert len(vendor.accepted) == READERS


def test_after_a_refused_first_request_the_issue_may_still_be_mended(
    newsletter: Cli, vendor: FakeSendGrid, project_folder: Path
) -> None:
    vendor.inject_faults(faults.error_response(403, "unverified"))
    newsletter(*ONE_BY_ONE)
    edit(project_folder, "editor@harbour-notes.org", "hello@harbour-notes.org")
    code, _, err = newsletter("send", "--yes")
    assert code == 1
    assert "-From: Harbour Notes <editor@harbour-notes.org>" in err
    assert "+From: Harbour Notes <hello@harbour-notes.org>" in err
    assert "newsletter plan the-ice --again" in err
    assert newsletter("plan", "--again")[0] == 0
    assert newsletter("send", "--yes")[0] == 0
    assert len(vendor.accepted) == READERS
    assert b"hello@harbour-notes.org" in vendor.requests[-1].body


def test_a_half_sent_issue_that_has_changed_is_refused(
    newsletter: Cli, vendor: FakeSendGrid, project_folder: Path
) -> None:
    vendor.inject_faults(InjectedFault(accept=True), faults.error_response(403, "no more"))
    newsletter(*ONE_BY_ONE)
    post = project_folder / "issues" / ISSUE / "post.md"
    post.write_text(POST.replace("Tuesday", "Wednesday"))
    code, _, err = newsletter("send", "--yes")
    assert code == 1
    assert "has changed since its send began" in err
    assert "+Hello {{ subscriber.name }}, the ice let go on Wednesday." in err
    post.write_text(POST)
    code, out, _ = newsletter("send", "--yes")
    assert code == 0
    assert "15 readers in 2 requests; goes on" in out
    assert len(vendor.accepted) == READERS


def test_the_key_is_nowhere(
    newsletter: Cli,
    vendor: FakeSendGrid,
    project_folder: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    vendor.inject_faults(faults.error_response(401, "no"))
    said = "".join(map(str, (*newsletter("-vv", "send", "--yes"), *newsletter("send", "--yes"))))
    assert len(vendor.accepted) == READERS
    for text in (said, caplog.text):
        assert vendor.key not in text
        assert "reader1@" not in text
    assert "POST /v3/mail/send" in caplog.text
    for path in project_folder.rglob("*"):
        assert not path.is_file() or vendor.key.encode() not in path.read_bytes(), path


def test_a_dry_run_writes_what_a_send_would_post(
    newsletter: Cli,
    vendor: FakeSendGrid,
    project_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SENDGRID_API_KEY")
    code, out, _ = newsletter("send", "--dry-run", "--samples", "2")
    assert code == 0
    folder = project_folder / "build" / ISSUE / "dry-run"
    dry = [json.loads(line) for line in (folder / "requests.jsonl").read_text().splitlines()]
    assert f"build/{ISSUE}/dry-run/requests.jsonl" in out
    assert "25 readers in 3 requests" in out
    assert "SENDGRID_API_KEY" in out
    assert vendor.requests == []
    monkeypatch.setenv("SENDGRID_API_KEY", vendor.key)
    newsletter(*ONE_BY_ONE)
    sent = [json.loads(request.body) for request in vendor.requests]
    for body in (*dry, *sent):
        for one in body["personalizations"]:
            del one["custom_args"]
    assert dry == sent
    assert [path.name for path in sorted((folder / "samples").iterdir())] == ["1.eml", "2.eml"]
    sample = (folder / "samples" / "2.eml").read_text()
    assert "To: Reader 2 <reader2@example.com>" in sample
    assert "List-Unsubscribe: <https://news.harbour-notes.org/u/" in sample
    assert not MERGE_TOKEN_PATTERN.search(sample)


def test_a_dry_run_in_json(newsletter: Cli) -> None:
    code, out, _ = newsletter("send", "--dry-run", "--json")
    data = json.loads(out)
    assert code == 0
    assert (data["readers"], data["requests"], data["refused"]) == (READERS, 3, [])
    assert data["bytes"] == Path(data["files"]["requests"]).stat().st_size - 3


def test_a_dry_run_without_a_public_url_says_that_its_links_are_examples(
    newsletter: Cli, project_folder: Path
) -> None:
    edit(project_folder, "public_url: https://news.harbour-notes.org\n", "")
    _, out, _ = newsletter("send", "--dry-run")
    assert "public-url-not-set.example" in out


def test_one_request_a_reader_has_nothing_left_to_substitute(
    newsletter: Cli, vendor: FakeSendGrid, project_folder: Path
) -> None:
    edit(project_folder, "sendgrid:\n", "sendgrid:\n  personalize: per_request\n")
    assert newsletter(*ONE_BY_ONE)[0] == 0
    bodies = [json.loads(request.body) for request in vendor.requests]
    assert len(bodies) == READERS
    assert bodies[6]["subject"] == "The ice, Reader 7"
    assert "Hello Reader 7" in bodies[6]["content"][0]["value"]
    assert all("substitutions" not in body["personalizations"][0] for body in bodies)


def test_ctrl_c_lets_the_request_in_flight_finish_and_the_next_run_goes_on(
    newsletter: Cli, vendor: FakeSendGrid, project_folder: Path
) -> None:
    vendor.inject_faults(faults.slow_response(1.0))
    command = [str(Path(sys.executable).parent / "newsletter"), *ONE_BY_ONE]
    with subprocess.Popen(
        command, cwd=project_folder, env=os.environ, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        vendor.wait_for_requests(1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 1
    assert "Stopping after the request in flight" in err
    assert "Sent to 10 of 25 readers." in out
    assert "Go on with: newsletter resume the-ice" in err
    assert newsletter("send", "--yes")[0] == 0
    assert len({one.address for one in vendor.accepted}) == len(vendor.accepted) == READERS


def test_a_killed_sender_leaves_its_batch_unknown_and_mails_nobody_twice(
    newsletter: Cli, vendor: FakeSendGrid, project_folder: Path
) -> None:
    vendor.inject_faults(InjectedFault(accept=True), faults.slow_response(30.0))
    command = [str(Path(sys.executable).parent / "newsletter"), *ONE_BY_ONE]
    with subprocess.Popen(command, cwd=project_folder, env=os.environ) as process:
        vendor.wait_for_requests(2)
        process.kill()
    with (
        database_engine("sqlite:///newsletter.db", project_folder) as engine,
        engine.begin() as connection,
    ):
        long_ago = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
        connection.execute(
            sa.update(batch).where(batch.c.state == "in_flight").values(lease_until=long_ago)
        )
    code, out, _ = newsletter("send", "--yes", "--json")
    assert code == 1
    assert json.loads(out)["readers"] == {"accepted": 15, "unknown": 10}
    assert len({one.address for one in vendor.accepted}) == len(vendor.accepted) == READERS
