"""Plan, status, pause, cancel, retry, resolve and reconcile against the test double."""

import json
import re
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ready_to_send import ISSUE, POST, READERS, Cli, let_leases_end, started

from newsletter.cli.send.shared import open_send_context, terminal_observer
from newsletter.errors import DatabaseError
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault

SEQUENTIAL_SEND = ("send", "--yes", "--concurrency", "1")


def edit_post(folder: Path, before: str, after: str) -> None:
    post = folder / "issues" / ISSUE / "post.md"
    assert before in post.read_text()
    post.write_text(post.read_text().replace(before, after))


def load_status(newsletter: Cli) -> dict[str, object]:
    _, out, _ = newsletter("status", "ice", "--json")
    data: dict[str, object] = json.loads(out)
    return data


def write_events(
    folder: Path, fake_sendgrid: FakeSendGrid, kind: str, *, upto: int = READERS
) -> Path:
    """Write one event for every accepted email, as the webhook would post them."""
    path = folder / "events.jsonl"
    lines = [
        {
            "sg_event_id": f"event-{number}",
            "event": kind,
            "timestamp": int(fake_sendgrid.clock()),
            "email": email.address.upper(),
            **email.custom_args,
        }
        for number, email in enumerate(fake_sendgrid.accepted[:upto])
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_plan_sends_nothing_and_send_uses_the_plan(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SENDGRID_API_KEY")
    code, out, _ = newsletter("plan", "ice", "--batch-size", "6")
    assert code == 0
    assert "25 readers in 5 requests" in out
    assert "Planned. Nothing was sent." in out
    assert fake_sendgrid.requests == []
    code, out, _ = newsletter("plan", "ice", "--json")
    planned = json.loads(out)
    assert (planned["state"], planned["total"], planned["batches"]) == ("frozen", 25, {"ready": 5})
    newsletter("subscribers", "remove", f"reader{READERS}@example.com")  # alone in the last batch
    code, out, _ = newsletter("send", "ice", "--dry-run", "--json")
    assert (code, json.loads(out)["requests"]) == (0, 4)
    monkeypatch.setenv("SENDGRID_API_KEY", fake_sendgrid.key)
    code, out, _ = newsletter("send", "--yes")
    assert code == 0
    assert "24 readers in 4 requests, as planned" in out
    assert len(fake_sendgrid.accepted) == READERS - 1
    assert len(fake_sendgrid.requests) == 4
    assert newsletter("plan", "ice", "--again")[0] == 3


def test_status_of_a_send_that_is_blocked_says_what_to_do(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    for command, status, message, remedy in (
        (("send", "--yes"), 401, "The provided authorization grant is invalid", "SENDGRID_API_KEY"),
        (("resume",), 403, "not a verified Sender Identity", "Verify the sender"),
    ):
        fake_sendgrid.inject_faults(*(faults.error_response(status, message) for _ in range(5)))
        assert newsletter(*command)[0] == 1
        out = newsletter("status")[1]
        for words in (
            f"  {message}\n",
            remedy,
            "  find the cause with: newsletter doctor --online\n  resume with: newsletter resume",
        ):
            assert words in out, out
        assert remedy in str(load_status(newsletter)["remedy"])
        fake_sendgrid.clear_faults()
    assert newsletter("resume")[0] == 0
    assert load_status(newsletter)["remedy"] == ""
    assert "doctor" not in newsletter("status")[1]


def test_changed_issue_is_refused_with_a_diff_until_replanned(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    newsletter("plan", "ice")
    edit_post(project_folder, "Tuesday", "Wednesday")
    for command in (("send", "--yes"), ("plan",)):
        code, _, err = newsletter(*command)
        assert code == 1
        assert "-Hello {{ subscriber.name }}, the ice let go on Tuesday." in err
        assert "+Hello {{ subscriber.name }}, the ice let go on Wednesday." in err
        assert "newsletter plan the-ice --again" in err
    assert fake_sendgrid.requests == []
    assert newsletter("plan", "--again")[0] == 0
    assert newsletter("send", "--yes")[0] == 0
    assert b"Wednesday" in fake_sendgrid.requests[0].body


def test_send_is_refused_if_all_planned_recipients_unsubscribed(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    newsletter("plan", "ice")
    rows = "\n".join(f"reader{number}@example.com" for number in range(1, READERS + 1))
    (project_folder / "gone.csv").write_text(
        f"email,status\n{rows}".replace(".com", ".com,unsubscribed")
    )
    assert newsletter("subscribers", "import", "gone.csv")[0] == 0
    code, _, err = newsletter("send", "--yes")
    assert code == 1
    assert "all remaining readers of" in err
    assert "newsletter cancel the-ice" in err
    assert fake_sendgrid.requests == []


def test_status_shows_unknown_batches_and_how_to_resolve_them(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    assert "Nothing has been sent" in newsletter("status")[2]
    fake_sendgrid.inject_faults(InjectedFault(accept=True), faults.lost_response())
    newsletter(*SEQUENTIAL_SEND)
    code, out, _ = newsletter("status")
    assert code == 0
    assert out.splitlines()[0] == (
        "the-ice  needs review  15 of 25 accepted  1 batch unknown  0 lost"
    )
    assert "10 readers may or may not have it" in " ".join(out.split())
    for option in ("--accepted 2", "--resend 2", "--drop 2"):
        assert option in out
    assert all(len(line) <= 80 for line in out.splitlines())
    data = load_status(newsletter)
    assert data["readers"] == {"accepted": 15, "unknown": 10}
    assert data["lost"] == 0


def test_unknown_batch_is_sent_again_after_resolve_with_resend(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    fake_sendgrid.inject_faults(InjectedFault(accept=True), faults.lost_request())
    newsletter(*SEQUENTIAL_SEND)
    assert newsletter("resume", "ice")[0] == 1
    code, _, err = newsletter("resolve", "ice", "--resend", "1")
    assert code == 1
    assert "batch 1 of" in err
    code, out, _ = newsletter("resolve", "ice", "--resend", "2", typed="n\n")
    assert code == 1
    assert "reader11@example.com, reader12@example.com, reader13@example.com and 7 more" in out
    assert load_status(newsletter)["readers"] == {"accepted": 15, "unknown": 10}
    code, out, _ = newsletter("resolve", "ice", "--resend", "2", typed="y\n")
    assert code == 0
    assert "Next: newsletter resume the-ice" in out
    assert newsletter("resume", "ice")[0] == 0
    addresses = [email.address for email in fake_sendgrid.accepted]
    assert len(set(addresses)) == len(addresses) == READERS
    assert newsletter("resolve", "ice", "--drop", "--yes")[0] == 3


@pytest.mark.parametrize(
    ("option", "readers"),
    [("--accepted", {"accepted": 25}), ("--drop", {"accepted": 15, "dropped": 10})],
)
def test_unknown_batch_is_resolved_as_accepted_or_dropped(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, option: str, readers: dict[str, int]
) -> None:
    fake_sendgrid.inject_faults(InjectedFault(accept=True), faults.lost_response())
    newsletter(*SEQUENTIAL_SEND)
    assert newsletter("resolve", "ice", option, "--yes")[0] == 0
    data = load_status(newsletter)
    assert (data["state"], data["readers"]) == ("done", readers)
    assert len(fake_sendgrid.requests) == 3


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_issue_is_not_planned_again_once_its_unknown_batches_are_given_up(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, *, is_cancelled: bool
) -> None:
    fake_sendgrid.inject_faults(faults.lost_response(), faults.error_response(403, "no"))
    newsletter(*SEQUENTIAL_SEND)
    if is_cancelled:
        assert newsletter("cancel", "ice")[0] == 0
    assert newsletter("resolve", "ice", "--drop", "--yes")[0] == 0
    newsletter("cancel", "ice")
    code, _, err = newsletter("plan", "ice", "--again")
    assert (code, "An issue is sent only once" in " ".join(err.split())) == (1, True), err
    assert newsletter("send", "ice", "--yes")[0] != 0
    assert len(fake_sendgrid.accepted) == 10


def test_resolve_without_option_is_a_usage_error(newsletter: Cli) -> None:
    code, _, err = newsletter("resolve", "ice")
    assert code == 2
    assert "--accepted, --resend or --drop" in err


def test_exported_events_resolve_unknown_batches(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    fake_sendgrid.inject_faults(InjectedFault(accept=True), faults.lost_response())
    newsletter(*SEQUENTIAL_SEND)
    assert newsletter("reconcile", "ice")[0] == 1
    path = write_events(project_folder, fake_sendgrid, "processed", upto=11)
    code, out, _ = newsletter("reconcile", "ice", "--events", path)
    assert code == 0
    assert "11 new events recorded" in out
    assert "batch 2 was accepted" in out
    assert load_status(newsletter)["readers"] == {"accepted": READERS}
    code, out, _ = newsletter("reconcile", "ice", "--events", path)
    assert code == 0
    assert "0 new events recorded" in out
    assert "batch 2" not in out


def test_commands_on_a_send_print_its_status_as_json(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    def run(*args: str, code: int = 0) -> dict[str, Any]:
        actual, out, err = newsletter(*args, "--json")
        assert actual == code, err
        data: dict[str, Any] = json.loads(out)
        assert data["issue"] == ISSUE
        return data

    newsletter("plan")
    data = run("cancel", "ice")
    assert (data["phase"], data["dropped"]) == ("cancelled", READERS)
    fake_sendgrid.inject_faults(faults.lost_response(), faults.lost_response())
    assert newsletter(*SEQUENTIAL_SEND)[0] == 1
    data = run("reconcile", "ice", code=1)
    assert (data["state"], data["accepted_batches"], len(data["unknown"])) == (
        "needs_review",
        [],
        2,
    )
    path = write_events(project_folder, fake_sendgrid, "processed", upto=1)
    data = run("reconcile", "ice", "--events", str(path), code=1)
    assert (data["new_events"], data["accepted_batches"]) == (1, [1])
    assert [batch["batch"] for batch in data["unknown"]] == [2]
    data = run("resolve", "ice", "--drop", "--yes")
    assert (data["resolved"], data["state"], data["readers"]["dropped"]) == ([2], "done", 10)


def test_file_with_invalid_events_is_rejected_as_a_whole(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    fake_sendgrid.inject_faults(faults.lost_response())
    newsletter(*SEQUENTIAL_SEND)
    path = write_events(project_folder, fake_sendgrid, "delivered")
    path.write_text(path.read_text() + "\nno event\n{}\n")
    code, _, err = newsletter("reconcile", "ice", "--events", path)
    assert code == 1
    assert "events.jsonl:26:" in err
    assert "events.jsonl:27:" in err
    assert newsletter("reconcile", "ice")[0] == 1


def test_retry_sends_only_to_rejected_recipients(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    fake_sendgrid.inject_faults(
        faults.error_response(
            400, "Does not contain a valid address.", "personalizations.3.to.0.email"
        )
    )
    assert newsletter(*SEQUENTIAL_SEND)[0] == 0
    _, out, _ = newsletter("who", "ice", "--missed")
    assert out == (
        "reader4@example.com\trefused by SendGrid\t\t\tbatch 1\tDoes not contain a valid address.\n"
    )
    code, out, _ = newsletter("retry", "ice", typed="1\n")
    assert code == 0
    assert "1 reader of the-ice" in out
    assert (
        len({email.address for email in fake_sendgrid.accepted})
        == len(fake_sendgrid.accepted)
        == READERS
    )
    code, _, err = newsletter("retry", "ice")
    assert code == 3
    assert "refused no reader" in err
    assert load_status(newsletter)["state"] == "done"


def test_who_prints_the_result_of_every_recipient(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    fake_sendgrid.inject_faults(InjectedFault(accept=True), faults.lost_response())
    newsletter(*SEQUENTIAL_SEND)
    _, out, _ = newsletter("who", "ice", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["address"] for row in rows] == [f"reader{n}@example.com" for n in range(1, 26)]
    assert {row["state"] for row in rows[10:20]} == {"unknown"}
    assert "may or may not have it: " in rows[10]["reason"]
    assert (rows[0]["last_event"], rows[0]["last_event_at"]) == ("", None)
    _, out, _ = newsletter("who", "ice", "--missed")
    assert len(out.splitlines()) == 10


def test_who_shows_the_last_event_in_aligned_columns(
    newsletter: Cli,
    fake_sendgrid: FakeSendGrid,
    project_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    newsletter(*SEQUENTIAL_SEND)
    path = write_events(project_folder, fake_sendgrid, "delivered", upto=9)
    assert newsletter("events", "import", path)[0] == 0
    first, *_, last = newsletter("who", "ice")[1].splitlines()
    assert first.split("\t")[:3] == ["reader1@example.com", "sent", "delivered"]
    assert last.split("\t")[2:] == ["", "", "batch 3", "accepted by SendGrid"]
    row = json.loads(newsletter("who", "ice", "--json")[1].splitlines()[0])
    assert (row["last_event"], row["last_event_at"][-6:]) == ("delivered", "+00:00")
    monkeypatch.setattr("newsletter.cli.send.who.get_stream_width", lambda _: 80)
    lines = newsletter("who", "ice")[1].splitlines()
    assert len(lines) == READERS
    columns = {line.index("  batch ") for line in lines}
    assert len(columns) == 1
    assert re.fullmatch(r"reader1@example\.com   sent  delivered  .{15,17}  batch 1", lines[0])
    assert lines[-1].endswith("  batch 3  accepted by SendGrid")


def test_cancelled_plan_can_be_sent_another_time(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    newsletter("plan", "ice")
    code, out, _ = newsletter("cancel", "ice")
    assert code == 0
    assert "25 readers will not get it" in out
    assert newsletter("resume", "ice")[0] == 1
    edit_post(project_folder, "Tuesday", "Wednesday")
    assert newsletter("send", "--yes")[0] == 0
    assert len(fake_sendgrid.accepted) == READERS


def test_partial_send_stays_cancelled(newsletter: Cli, fake_sendgrid: FakeSendGrid) -> None:
    fake_sendgrid.inject_faults(InjectedFault(accept=True), faults.error_response(403, "no more"))
    newsletter(*SEQUENTIAL_SEND)
    code, out, err = newsletter("cancel", "ice")
    assert code == 0
    assert "15 readers will not get it" in out
    assert "10 readers had it already" in err
    for command in (("send", "--yes"), ("resume",), ("plan", "--again"), ("retry", "ice", "--yes")):
        assert newsletter(*command)[0] == 1
    assert len(fake_sendgrid.accepted) == 10
    _, out, _ = newsletter("who", "ice", "--missed")
    assert out.count("cancelled before it was sent") == 15


def test_commands_default_to_the_latest_send(newsletter: Cli) -> None:
    assert "nothing has been sent" in newsletter("pause")[2]
    newsletter("plan")
    code, _, err = newsletter("pause")
    assert code == 1
    assert "has not been started" in err
    assert "newsletter cancel the-ice" in err
    code, _, err = newsletter("status", "harbour")
    assert code == 1
    assert f"There are: {ISSUE}." in err


def test_resume_sends_the_planned_content_after_files_changed(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    fake_sendgrid.inject_faults(InjectedFault(accept=True), faults.error_response(403, "no more"))
    newsletter(*SEQUENTIAL_SEND)
    (project_folder / "issues" / ISSUE / "post.md").write_text(POST.replace("ice", "fire"))
    assert newsletter("send", "--yes")[0] == 1
    assert newsletter("resume")[0] == 0
    assert (
        len({email.address for email in fake_sendgrid.accepted})
        == len(fake_sendgrid.accepted)
        == READERS
    )
    assert not any(b"fire" in request.body for request in fake_sendgrid.requests)


def test_second_ctrl_c_stops_immediately_and_loses_nobody(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    fake_sendgrid.inject_faults(InjectedFault(accept=True), faults.slow_response(30.0))
    with started(project_folder, *SEQUENTIAL_SEND) as process:
        fake_sendgrid.wait_for_requests(2)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        while "Ctrl-C again stops at once" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Resume with: newsletter resume the-ice" in err
    data = load_status(newsletter)
    assert (data["state"], data["in_flight"]) == ("paused", 10)
    assert "10 readers in flight" in newsletter("status")[1]
    let_leases_end(project_folder)
    assert "newsletter reconcile the-ice" in newsletter("status")[1]
    assert newsletter("resume")[0] == 1
    assert load_status(newsletter)["readers"] == {"accepted": 15, "unknown": 10}
    assert (
        newsletter(
            "reconcile", "ice", "--events", write_events(project_folder, fake_sendgrid, "open")
        )[0]
        == 0
    )
    assert load_status(newsletter)["state"] == "done"
    assert (
        len({email.address for email in fake_sendgrid.accepted})
        == len(fake_sendgrid.accepted)
        == READERS
    )


def test_status_watch_ends_when_the_send_is_done(newsletter: Cli) -> None:
    newsletter("send", "--yes")
    code, out, _ = newsletter("status", "--watch")
    assert (code, out) == (0, "the-ice  done  25 of 25 accepted  0 batches unknown  0 lost\n")


def test_second_ctrl_c_says_how_to_resume_even_if_the_database_is_locked(
    newsletter: Cli, project_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert newsletter("plan")[0] == 0
    with (
        open_send_context("ice") as context,
        closing(sqlite3.connect(project_folder / "newsletter.db", isolation_level=None)) as other,
    ):
        with context.ledger.engine.connect() as connection:  # the one that is used again
            connection.exec_driver_sql("PRAGMA busy_timeout = 50")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match="locked"), terminal_observer(context)(READERS):
            raise KeyboardInterrupt
    assert "Resume with: newsletter resume the-ice" in capsys.readouterr().err


def test_send_whose_sender_was_killed_after_its_last_batch_is_finished(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    assert newsletter("send", "--yes")[0] == 0
    with closing(sqlite3.connect(project_folder / "newsletter.db")) as database, database:
        database.execute("UPDATE send SET state = 'running', finished_at = NULL")
    assert newsletter("send", "--yes")[0] == 0
    assert newsletter("status")[1].startswith("the-ice  done")
    assert len(fake_sendgrid.accepted) == READERS


def test_with_sqlite_nobody_is_told_to_start_a_worker(newsletter: Cli) -> None:
    assert newsletter("status", "--workers") == (
        0, "", "There are no workers: they need a database on PostgreSQL.\n"
    )  # fmt: skip
