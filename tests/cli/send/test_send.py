"""``newsletter send`` against the test double of SendGrid over real HTTP."""

import json
import logging
import re
import signal
from pathlib import Path

import pytest
from ready_to_send import ISSUE, POST, READERS, Cli, flatten, let_leases_end, started

from newsletter.db.automatic_backup import list_automatic_backups
from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault

SEQUENTIAL_SEND = ("send", "--yes", "--concurrency", "1")


def edit_settings(project_folder: Path, before: str, after: str) -> None:
    path = project_folder / "newsletter.yml"
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))


def test_send_prints_proposal_and_asks_for_the_count(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    code, out, err = newsletter("send", "ice", typed="25\n")
    assert code == 0
    assert "The ice, friend" in out
    assert "Harbour Notes <editor@harbour-notes.org>" in out
    assert "25 readers in 3 requests" in out
    assert "Type 25 to send" in err
    assert "Sent to 25 of 25 readers." in out
    assert (
        len({email.address for email in fake_sendgrid.accepted})
        == len(fake_sendgrid.accepted)
        == READERS
    )
    assert fake_sendgrid.unfilled_tokens == set()


def test_backup_is_made_before_a_send_and_restores_the_list(
    newsletter: Cli, project_folder: Path
) -> None:
    assert newsletter("send", "--yes")[0] == 0
    (backup,) = list_automatic_backups(project_folder / "newsletter.db")
    code, out, _ = newsletter("restore", str(backup), "--yes")
    assert code == 0
    assert "25 active; 0 sends" in out
    assert newsletter("send", "--yes")[0] == 3


@pytest.mark.parametrize("typed", ["24\n", "yes\n", ""])
def test_wrong_count_sends_nothing(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, typed: str
) -> None:
    code, _, _ = newsletter("send", typed=typed)
    assert code == 1
    assert fake_sendgrid.requests == []
    assert newsletter("send", "--yes")[0] == 0


def test_issue_is_never_sent_twice(newsletter: Cli, fake_sendgrid: FakeSendGrid) -> None:
    newsletter("send", "--yes")
    code, _, err = newsletter("send", "--yes")
    assert code == 3
    assert "was sent to 25 readers on" in err
    assert len(fake_sendgrid.accepted) == READERS
    assert "was sent to 25 readers" in newsletter("send", "--dry-run")[1].replace("\n    ", " ")


def test_send_as_json_reports_unknown_batch(newsletter: Cli, fake_sendgrid: FakeSendGrid) -> None:
    fake_sendgrid.inject_faults(InjectedFault(accept=True), faults.lost_response())
    code, out, err = newsletter(*SEQUENTIAL_SEND, "--json")
    data = json.loads(out)
    assert code == 1
    assert data["state"] == "needs_review"
    assert data["readers"] == {"accepted": 15, "unknown": 10}
    assert [entry["batch"] for entry in data["unknown"]] == [2]
    assert "may or may not" in err


REFUSED = {
    "no postal address": (
        "postal_address: Harbour Notes, 1 Quay Street, Bergen\n",
        "",
        "postal_address",
    ),
    "no unsubscribe link": ("public_url: https://news.harbour-notes.org\n", "", "public_url"),
    "example sender": ("editor@harbour-notes.org", "editor@harbournotes.example", "sender.address"),
}


@pytest.mark.parametrize(("before", "after", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_missing_required_settings_block_the_send(
    newsletter: Cli,
    fake_sendgrid: FakeSendGrid,
    project_folder: Path,
    before: str,
    after: str,
    message: str,
) -> None:
    edit_settings(project_folder, before, after)
    code, _, err = newsletter("send", "--yes")
    assert code == 1
    assert message in err
    assert fake_sendgrid.requests == []
    code, out, _ = newsletter("send", "--dry-run")
    assert code == 0
    assert message in out


def test_sendgrids_unsubscribe_group_replaces_public_url(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    edit_settings(project_folder, "public_url: https://news.harbour-notes.org\n", "")
    edit_settings(project_folder, "sendgrid:\n", "sendgrid:\n  asm_group: 77\n")
    assert newsletter("send", "--yes")[0] == 0
    body = json.loads(fake_sendgrid.requests[0].body)
    assert body["asm"] == {"group_id": 77}
    assert "headers" not in body["personalizations"][0]
    assert "<%asm_group_unsubscribe_raw_url%>" in body["content"][1]["value"]


def test_draft_is_not_sent(newsletter: Cli, project_folder: Path) -> None:
    post = project_folder / "issues" / ISSUE / "post.md"
    post.write_text(POST.replace("---\nHello", "draft: true\n---\nHello"))
    code, _, err = newsletter("send", "--yes")
    assert code == 1
    assert "post.md:3: this issue is a draft" in err


def test_send_without_key_fails(newsletter: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SENDGRID_API_KEY")
    code, _, err = newsletter("send", "--yes")
    assert code == 1
    assert "export SENDGRID_API_KEY=" in err


def test_send_to_empty_list_fails(newsletter: Cli, project_folder: Path) -> None:
    for path in project_folder.glob("newsletter.db*"):
        path.unlink()
    for arguments in (("send", "--yes"), ("send", "--dry-run")):
        code, _, err = newsletter(*arguments)
        assert code == 1
        assert "nobody on the list" in err
    assert not (project_folder / "build").exists()


@pytest.mark.parametrize(
    ("status", "message", "remedy"),
    [
        (401, "The provided authorization grant is invalid", "SENDGRID_API_KEY"),
        (401, "Maximum credits exceeded", "upgrade its plan"),
        (403, "The from address does not match a verified Sender Identity", "Verify the sender"),
    ],
)
def test_providers_error_is_printed_with_remedy_and_send_can_be_resumed(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, status: int, message: str, remedy: str
) -> None:
    fake_sendgrid.inject_faults(faults.error_response(status, message))
    code, _, err = newsletter("send", "--yes")
    assert code == 1
    assert message in err
    assert remedy in err
    assert newsletter("send", "--yes")[0] == 0
    assert len(fake_sendgrid.accepted) == READERS


def test_issue_can_be_replanned_after_first_request_was_rejected(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    fake_sendgrid.inject_faults(faults.error_response(403, "unverified"))
    newsletter(*SEQUENTIAL_SEND)
    edit_settings(project_folder, "editor@harbour-notes.org", "hello@harbour-notes.org")
    code, _, err = newsletter("send", "--yes")
    assert code == 1
    assert "-From: Harbour Notes <editor@harbour-notes.org>" in err
    assert "+From: Harbour Notes <hello@harbour-notes.org>" in err
    assert "newsletter plan the-ice --again" in err
    assert newsletter("plan", "--again")[0] == 0
    assert newsletter("send", "--yes")[0] == 0
    assert len(fake_sendgrid.accepted) == READERS
    assert b"hello@harbour-notes.org" in fake_sendgrid.requests[-1].body


def test_changed_issue_of_a_partial_send_is_refused(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    fake_sendgrid.inject_faults(InjectedFault(accept=True), faults.error_response(403, "no more"))
    newsletter(*SEQUENTIAL_SEND)
    post = project_folder / "issues" / ISSUE / "post.md"
    post.write_text(POST.replace("Tuesday", "Wednesday"))
    code, _, err = newsletter("send", "--yes")
    assert code == 1
    assert "has changed since its send was started" in err
    assert "+Hello {{ subscriber.name }}, the ice let go on Wednesday." in err
    post.write_text(POST)
    code, out, _ = newsletter("send", "--yes")
    assert code == 0
    assert "15 readers in 2 requests; resumes" in out
    assert len(fake_sendgrid.accepted) == READERS


def test_key_and_addresses_are_never_logged_or_written(
    newsletter: Cli,
    fake_sendgrid: FakeSendGrid,
    project_folder: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="newsletter")  # resets what -vv sets, after the test
    fake_sendgrid.inject_faults(faults.error_response(401, "no"))
    output = "".join(map(str, (*newsletter("-vv", "send", "--yes"), *newsletter("send", "--yes"))))
    assert len(fake_sendgrid.accepted) == READERS
    for text in (output, caplog.text):
        assert fake_sendgrid.key not in text
        assert "reader1@" not in text
    assert "POST /v3/mail/send" in caplog.text
    for path in project_folder.rglob("*"):
        assert not path.is_file() or fake_sendgrid.key.encode() not in path.read_bytes(), path


def test_dry_run_writes_the_requests_that_a_send_would_post(
    newsletter: Cli,
    fake_sendgrid: FakeSendGrid,
    project_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SENDGRID_API_KEY")
    code, out, _ = newsletter("send", "--dry-run", "--samples", "2", "--with-tokens")
    assert code == 0
    assert "the real ones: anyone with the files can unsubscribe" in flatten(out)
    folder = project_folder / "build" / ISSUE / "dry-run"
    dry_run_bodies = [
        json.loads(line) for line in (folder / "requests.jsonl").read_text().splitlines()
    ]
    assert f"build/{ISSUE}/dry-run/requests.jsonl" in out
    assert "25 readers in 3 requests" in out
    assert "SENDGRID_API_KEY" in out
    assert fake_sendgrid.requests == []
    monkeypatch.setenv("SENDGRID_API_KEY", fake_sendgrid.key)
    newsletter(*SEQUENTIAL_SEND)
    sent_bodies = [json.loads(request.body) for request in fake_sendgrid.requests]
    for body in (*dry_run_bodies, *sent_bodies):
        for personalization in body["personalizations"]:
            del personalization["custom_args"]
    assert dry_run_bodies == sent_bodies
    assert [path.name for path in sorted((folder / "samples").iterdir())] == ["1.eml", "2.eml"]
    sample = (folder / "samples" / "2.eml").read_text()
    assert "To: Reader 2 <reader2@example.com>" in sample
    assert "List-Unsubscribe: <https://news.harbour-notes.org/u/" in sample
    assert not MERGE_TOKEN_PATTERN.search(sample)


def test_dry_run_has_stand_ins_for_tokens_and_says_so(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    code, out, _ = newsletter("send", "--dry-run", "--json")
    assert (code, json.loads(out)["with_tokens"]) == (0, False)
    _, out, _ = newsletter("send", "--dry-run", "--segment", "name ~ reader")
    assert "stand-ins of the same length" in flatten(out)
    assert out.endswith("Next: newsletter send the-ice --segment 'name ~ reader'\n")
    newsletter(*SEQUENTIAL_SEND)
    requests = project_folder / "build" / ISSUE / "dry-run" / "requests.jsonl"
    texts = [requests.read_text(), *(request.body.decode() for request in fake_sendgrid.requests)]
    tokens = [set(re.findall(r"/u/([\w~-]+)", text)) for text in texts]
    assert all(token.startswith("not-a-token~") for token in tokens[0])
    assert len(tokens[0]) == READERS == len(set().union(*tokens[1:]))
    assert {len(token) for token in set().union(*tokens)} == {22}


def test_tokens_are_only_for_dry_runs(newsletter: Cli, fake_sendgrid: FakeSendGrid) -> None:
    code, _, err = newsletter("send", "--yes", "--with-tokens")
    assert code == 2
    assert "--with-tokens is for --dry-run" in err
    assert fake_sendgrid.requests == []


def test_dry_run_as_json(newsletter: Cli) -> None:
    code, out, _ = newsletter("send", "--dry-run", "--json")
    data = json.loads(out)
    assert code == 0
    assert (data["readers"], data["requests"], data["refused"]) == (READERS, 3, [])
    assert data["bytes"] == Path(data["files"]["requests"]).stat().st_size - 3


def test_dry_run_without_public_url_reports_example_links(
    newsletter: Cli, project_folder: Path
) -> None:
    edit_settings(project_folder, "public_url: https://news.harbour-notes.org\n", "")
    _, out, _ = newsletter("send", "--dry-run")
    assert "public-url-not-set.example" in out


def test_per_request_personalization_needs_no_substitutions(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    edit_settings(project_folder, "sendgrid:\n", "sendgrid:\n  personalize: per_request\n")
    assert newsletter(*SEQUENTIAL_SEND)[0] == 0
    bodies = [json.loads(request.body) for request in fake_sendgrid.requests]
    assert len(bodies) == READERS
    assert bodies[6]["subject"] == "The ice, Reader 7"
    assert "Hello Reader 7" in bodies[6]["content"][0]["value"]
    assert all("substitutions" not in body["personalizations"][0] for body in bodies)


@pytest.mark.parametrize("command", [("resume",), ("send", "--yes"), ("send", "--dry-run")])
def test_plan_of_batches_is_not_sent_one_by_one(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path, command: tuple[str, ...]
) -> None:
    """Every reader of a batch would get the first one's copy."""
    fake_sendgrid.inject_faults(InjectedFault(accept=True), faults.error_response(403, "no more"))
    newsletter(*SEQUENTIAL_SEND)
    edit_settings(project_folder, "sendgrid:\n", "sendgrid:\n  personalize: per_request\n")
    code, _, err = newsletter(*command)
    assert code == 1
    assert "Set it back to substitutions until this send has finished" in " ".join(err.split())
    assert len(fake_sendgrid.accepted) == 10


def test_ctrl_c_finishes_the_request_in_flight_and_send_can_be_resumed(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    fake_sendgrid.inject_faults(faults.slow_response(1.0))
    with started(project_folder, *SEQUENTIAL_SEND) as process:
        fake_sendgrid.wait_for_requests(1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 1
    assert "Stopping after the request in flight" in err
    assert "Sent to 10 of 25 readers." in out
    assert "Resume with: newsletter resume the-ice" in err
    assert newsletter("send", "--yes")[0] == 0
    assert (
        len({email.address for email in fake_sendgrid.accepted})
        == len(fake_sendgrid.accepted)
        == READERS
    )


def test_killed_sender_leaves_batch_unknown_and_nobody_is_mailed_twice(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    fake_sendgrid.inject_faults(InjectedFault(accept=True), faults.slow_response(30.0))
    with started(project_folder, *SEQUENTIAL_SEND) as process:
        fake_sendgrid.wait_for_requests(2)
        process.kill()
    let_leases_end(project_folder)
    code, out, _ = newsletter("send", "--yes", "--json")
    assert code == 1
    assert json.loads(out)["readers"] == {"accepted": 15, "unknown": 10}
    assert (
        len({email.address for email in fake_sendgrid.accepted})
        == len(fake_sendgrid.accepted)
        == READERS
    )
