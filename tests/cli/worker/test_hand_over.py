"""Every command that sends hands over to live workers, and sends by itself without any."""

import datetime
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa
from ready_to_send import Cli, flatten
from sender_process import PER_BATCH, READERS, SenderProject

from newsletter.cli.worker import hand_over
from newsletter.db import database_engine
from newsletter.db.schema import attempt, batch, send, send_recipient, worker
from newsletter.sending.lanes import lane_jobs
from newsletter.sending.lanes.worker_records import add_worker
from newsletter.sending.ledger.record import Ledger

ISSUE = "2026-12-01-letter"
NOW, HOUR = datetime.datetime.now(datetime.UTC), datetime.timedelta(hours=1)
DELETE_WORKERS = sa.delete(worker)
DELETE_LANES = sa.text("DELETE FROM procrastinate_jobs")
HANDED_OVER = (
    "1 worker sends it now.\n"
    "Follow it with: newsletter status letter --watch\n"
    "Stop it with: newsletter pause letter\n"
)


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


def execute(project: SenderProject, *statements: sa.Executable) -> None:
    with database_engine(project.url, project.folder) as engine, engine.begin() as connection:
        for statement in statements:
            connection.execute(statement)


def record_worker(
    project: SenderProject, concurrency: int = 16, *, does_periodic_jobs: bool = True
) -> None:
    """Leave the record of a live worker that does nothing."""
    with database_engine(project.url, project.folder) as engine:
        ledger = Ledger(engine)
        add_worker(ledger, "mail1:4211", concurrency, does_periodic_jobs=does_periodic_jobs)


def is_handed_over(project: SenderProject) -> bool:
    """Return whether the send runs, and a lane of it waits for the worker."""
    query = sa.text("SELECT send.state, count(args) FROM send, procrastinate_jobs GROUP BY 1")
    with database_engine(project.url, project.folder) as engine, engine.connect() as connection:
        return connection.execute(query).all() == [("running", 1)]


FROZEN = sa.update(send).values(state="frozen", scheduled_at=None)
SCHEDULED = sa.update(send).values(state="frozen", scheduled_at=NOW + HOUR)
DUE = sa.update(send).values(state="frozen", scheduled_at=NOW - HOUR)
PAUSED = sa.update(send).values(state="paused", scheduled_at=None)
REFUSED = (
    sa.update(send_recipient).values(state="rejected", error="refused"),
    sa.update(batch).values(state="rejected", fence=1),
    sa.update(send).values(state="done", scheduled_at=None),
)
# What the send is before it; each also works on what the one before it has left.
COMMANDS: Sequence[tuple[Sequence[sa.Executable], Sequence[str]]] = (
    ([], ("send", ISSUE, "--yes")),
    ([FROZEN], ("send", ISSUE, "--yes", "--concurrency", "2")),
    ([PAUSED], ("resume", ISSUE)),
    ([], ("resume", ISSUE)),  # of a send that runs
    ([SCHEDULED], ("reschedule", ISSUE, "--now", "--yes")),
    ([DUE], ("send", "--due")),
    ([DUE], ("send", "--due", "--by-server")),
    (REFUSED, ("retry", ISSUE, "--yes", "--repeat-article")),
)


@pytest.fixture
def newsletter(sender_project: SenderProject, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> Cli:
    """The command line in a project with an issue that is planned."""
    sender_project.write_issue(ISSUE)
    monkeypatch.chdir(sender_project.folder)
    monkeypatch.setenv("SENDGRID_API_KEY", sender_project.double.key)
    monkeypatch.setenv("SENDGRID_HOST", sender_project.double.url)
    monkeypatch.setenv("NEWSLETTER_DATABASE", sender_project.url)
    code, _, err = cli("plan", ISSUE)
    assert code == 0, err
    return cli


def test_each_command_hands_over_to_live_workers_and_sends_without_any(
    newsletter: Cli, sender_project: SenderProject
) -> None:
    for statements, command in COMMANDS:
        execute(sender_project, DELETE_WORKERS, DELETE_LANES, *statements)
        record_worker(sender_project)
        code, out, err = newsletter(*command)
        assert (code, HANDED_OVER in out) == (0, True), (command, out, err)
        assert is_handed_over(sender_project), command
    assert sender_project.double.requests == []
    execute(sender_project, DELETE_WORKERS)
    code, out, err = newsletter("resume", ISSUE)
    assert (code, "No worker is running, so this command sends it." in err) == (0, True), (out, err)
    assert sender_project.states(ISSUE) == {"accepted": READERS}
    assert set(sender_project.count_copies(ISSUE).values()) == {1}


def test_ctrl_c_ends_the_wait_and_not_the_send(
    newsletter: Cli, sender_project: SenderProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("newsletter.cli.worker.hand_over.time.sleep", interrupt)
    record_worker(sender_project)
    code, _, err = newsletter("send", ISSUE, "--yes", "--wait")
    assert code == 1
    assert f"The workers go on: 0 of {READERS} readers are done." in err
    assert "Stopped" not in err
    assert is_handed_over(sender_project)


def test_the_wait_ends_some_time_after_the_worker_is_killed_and_says_what_to_do(
    newsletter: Cli, sender_project: SenderProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    polls = list[float]()

    def kill_worker(seconds: float) -> None:
        polls.append(seconds)
        execute(sender_project, sa.update(worker).values(seen_at=NOW - HOUR / 2))

    monkeypatch.setattr(hand_over, "MAX_POLLS_WITHOUT_WORKER", 3)
    monkeypatch.setattr("newsletter.cli.worker.hand_over.time.sleep", kill_worker)
    record_worker(sender_project)
    code, out, err = newsletter("send", ISSUE, "--yes", "--wait")
    assert (code, f"Sent to 0 of {READERS} readers." in out) == (1, True), err
    assert err.count("No worker can be seen; waiting for one to start.") == 1
    assert "No worker can be seen any more. Start one and it goes on: newsletter worker" in err
    assert "Resume with: newsletter resume letter" in err
    assert len(polls) == 4


def test_the_wait_goes_on_while_the_only_worker_is_restarted(
    newsletter: Cli, sender_project: SenderProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = (
        sa.update(send_recipient).values(state="accepted"),
        sa.update(send).values(state="done"),
    )
    steps: Iterator[Callable[[], object]] = iter(
        [
            lambda: execute(sender_project, DELETE_WORKERS),
            lambda: None,
            lambda: record_worker(sender_project),
            lambda: execute(sender_project, DELETE_WORKERS),
            lambda: None,
            lambda: execute(sender_project, *finished),
        ]
    )
    monkeypatch.setattr(hand_over, "MAX_POLLS_WITHOUT_WORKER", 2)
    monkeypatch.setattr(
        "newsletter.cli.worker.hand_over.time.sleep", lambda _seconds: next(steps)()
    )
    record_worker(sender_project)
    code, out, err = newsletter("send", ISSUE, "--yes", "--wait")
    assert (code, f"Sent to {READERS} of {READERS} readers." in out) == (0, True), err
    assert "any more" not in err


def test_readers_who_get_it_while_it_is_handed_over_count_for_the_wait(
    newsletter: Cli, sender_project: SenderProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_last = (
        send_recipient.c.subscriber_id
        == sa.select(sa.func.max(send_recipient.c.subscriber_id)).scalar_subquery()
    )
    hand_over_send = lane_jobs.hand_over_send

    def hand_over_to_a_quick_worker(*args: Any) -> int:
        worker_count = hand_over_send(*args)
        accepted = sa.update(send_recipient).where(~is_last).values(state="accepted")
        execute(sender_project, accepted)
        return worker_count

    def refuse_the_last(_seconds: float) -> None:
        refused = sa.update(send_recipient).where(is_last).values(state="rejected", error="no")
        execute(sender_project, refused, sa.update(send).values(state="done"))

    monkeypatch.setattr(lane_jobs, "hand_over_send", hand_over_to_a_quick_worker)
    monkeypatch.setattr("newsletter.cli.worker.hand_over.time.sleep", refuse_the_last)
    record_worker(sender_project)
    code, out, err = newsletter("send", ISSUE, "--yes", "--wait")
    assert (code, f"Sent to {READERS - 1} of {READERS} readers." in out) == (0, True), err
    assert "SendGrid refused 1 reader: no" in err


# What another command does as this one hands the send over, this one, and what it says.
MEANWHILE: Sequence[tuple[str, Sequence[str], str]] = (
    ("paused", ("send", "--due"), "Resume with: newsletter resume letter"),
    ("cancelled", ("resume", ISSUE), "It was cancelled by another command."),
    ("cancelled", ("send", "--due"), "It was cancelled by another command."),
)


def test_what_was_stopped_meanwhile_is_neither_handed_over_nor_sent(
    newsletter: Cli, sender_project: SenderProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_over_send, meanwhile = lane_jobs.hand_over_send, list[str]()

    def hand_over_too_late(*args: Any) -> int:
        execute(sender_project, sa.update(send).values(state=meanwhile.pop()))
        return hand_over_send(*args)

    monkeypatch.setattr(lane_jobs, "hand_over_send", hand_over_too_late)
    for has_worker, (state, command, words) in product((True, False), MEANWHILE):
        execute(sender_project, DELETE_WORKERS, DELETE_LANES)
        if has_worker:
            record_worker(sender_project)
        meanwhile.append(state)
        execute(sender_project, PAUSED if command[0] == "resume" else DUE)
        code, out, err = newsletter(*command)
        assert (code, words in err, "sends it now" in out) == (1, True, False), (out, err)
        assert f"Sent to 0 of {READERS} readers." in out
        assert not is_handed_over(sender_project)
    assert sender_project.double.requests == []


def test_the_wait_of_a_send_that_is_stopped_is_for_the_requests_in_flight(
    newsletter: Cli, sender_project: SenderProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sa.select(batch.c.id).where(batch.c.number == 1).scalar_subquery()
    in_flight = sa.update(batch).where(batch.c.id == first)
    accepted = sa.update(send_recipient).where(send_recipient.c.batch_id == first)
    steps = iter(
        [
            [
                in_flight.values(state="in_flight", fence=1, lease_until=NOW + HOUR),
                sa.update(send).values(state="cancelled", reason="stopped by hand"),
            ],
            [
                in_flight.values(state="accepted", lease_until=None),
                accepted.values(state="accepted"),
            ],
        ]
    )
    monkeypatch.setattr(
        "newsletter.cli.worker.hand_over.time.sleep",
        lambda _seconds: execute(sender_project, *next(steps)),
    )
    record_worker(sender_project)
    code, out, err = newsletter("send", ISSUE, "--yes", "--wait")
    assert (code, f"Sent to {PER_BATCH} of {READERS} readers." in out) == (1, True), (out, err)
    assert err.endswith("It was cancelled by another command.\n")
    assert "stopped by hand" not in err


def test_the_wait_of_a_send_that_is_blocked_says_what_to_do(
    newsletter: Cli, sender_project: SenderProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "authorization required"
    refused = {"http_status": 401, "outcome": "rejected", "body_sha": "0", "number": 1}
    first = sa.select(batch.c.id).where(batch.c.number == 1).scalar_subquery()
    blocked = (
        sa.insert(attempt).values(batch_id=first, started_at=NOW, ended_at=NOW, **refused),
        sa.update(batch).where(batch.c.id == first).values(fence=1, error=words),
        sa.update(send).values(state="blocked", reason=words),
    )
    monkeypatch.setattr(
        "newsletter.cli.worker.hand_over.time.sleep",
        lambda _seconds: execute(sender_project, *blocked),
    )
    record_worker(sender_project)
    code, _, err = newsletter("send", ISSUE, "--yes", "--wait")
    assert (code, f"It was stopped: {words}\nCheck SENDGRID_API_KEY" in err) == (1, True), err
    _, out, _ = newsletter("status", ISSUE)
    assert f"  {words}\n  Check SENDGRID_API_KEY" in out
    assert "  find the cause with: newsletter doctor --online, on each worker's machine\n" in out


def test_the_wait_says_that_nobody_does_the_periodic_jobs_any_more(
    newsletter: Cli, sender_project: SenderProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_sweeper = sa.update(worker).values(does_periodic_jobs=False)
    steps = iter([[stop_sweeper], [], [sa.update(send).values(state="paused")]])
    monkeypatch.setattr(
        "newsletter.cli.worker.hand_over.time.sleep",
        lambda _seconds: execute(sender_project, *next(steps)),
    )
    record_worker(sender_project)
    code, _, err = newsletter("send", ISSUE, "--yes", "--wait")
    assert (code, err.count("No worker does the periodic jobs")) == (1, 1), err


def test_status_tells_that_a_running_send_has_no_worker(
    newsletter: Cli, sender_project: SenderProject
) -> None:
    record_worker(sender_project)
    code, _, err = newsletter("send", ISSUE, "--yes")
    assert code == 0, err
    advice = "  start one with: newsletter worker\n  or go on without: newsletter resume letter\n"
    nobody = f"  nobody sends it: no worker is running.\n{advice}"
    gone = "  no worker is running any more; unless a command sends it, nothing goes on.\n" + advice
    lease = sa.func.now() + sa.literal(HOUR)
    claimed = sa.update(batch).where(batch.c.number == 1).values(state="in_flight", fence=1)
    killed = sa.update(worker).values(seen_at=NOW - HOUR / 2)
    # Without a record, it may be a command in another terminal that has the request in flight.
    for statements, expected in (
        ([], ""),
        ([killed], nobody),
        ([claimed.values(lease_until=lease)], gone),
        ([DELETE_WORKERS], ""),
        ([sa.update(batch).values(state="ready", lease_until=None)], nobody),
    ):
        execute(sender_project, *statements)
        code, out, _ = newsletter("status", ISSUE)
        assert (code, advice in out) == (0, bool(expected)), out
        assert expected in out


def test_workers_that_do_only_a_part_are_told_everywhere(
    newsletter: Cli, sender_project: SenderProject
) -> None:
    lacks_sweeper = "does the periodic jobs, so none starts what is scheduled"
    lacks_sender = "takes part in sends, so none starts what is scheduled"
    for concurrency, does_periodic_jobs, presence, missing in (
        (16, True, "live", ""),
        (16, False, "live", lacks_sweeper),
        (0, False, "none", ""),  # it is stopping
        (0, True, "other", lacks_sender),
    ):
        execute(sender_project, DELETE_WORKERS)
        record_worker(sender_project, concurrency, does_periodic_jobs=does_periodic_jobs)
        _, out, _ = newsletter("status", ISSUE, "--json")
        assert json.loads(out)["worker_presence"] == presence
        doctor = flatten(newsletter("doctor")[1])
        workers = newsletter("status", "--workers")[2]
        refused = newsletter("send", ISSUE, "--at", (NOW + HOUR).isoformat())[2]
        for words in (lacks_sweeper, lacks_sender):
            assert (f"No worker {words}" in workers) == (words == missing), workers
            assert (f"No worker {words}" in refused) == (words == missing), refused
            assert (f"warn workers: no worker {words}" in doctor) == (words == missing), doctor
        assert ("ok workers: running: mail1:4211" in doctor) == (presence == "live" and not missing)
    execute(sender_project, sa.update(send).values(state="running"))
    _, out, _ = newsletter("status", ISSUE)
    assert "  nobody sends it: the workers that run take no part in sends.\n" in out
    assert "  start one with: newsletter worker --queues sends\n" in out
    code, _, err = newsletter("resume", ISSUE)
    assert (code, "The workers that run take no part in sends, so this" in err) == (0, True), err
    assert sender_project.states(ISSUE) == {"accepted": READERS}
