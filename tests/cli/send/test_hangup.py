"""A send whose terminal is closed stops as for SIGTERM, or goes on if SIGHUP is ignored."""

import datetime
import json
import os
import pty
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from ready_to_send import ISSUE, READERS, Cli

from newsletter.cli.signals import (
    STOP_SIGNALS,
    handle_stop_signals,
    interrupt_on_stop_signals,
)
from newsletter.cli.terminal import ProgressObserver
from newsletter.db import database_engine
from newsletter.db.schema import send
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import ConnectionBehavior

SEND = (str(Path(sys.executable).parent / "newsletter"), "send", "--yes", "--concurrency", "3")
# Makes the pseudo-terminal on its standard input its controlling terminal: the kernel sends SIGHUP
# to the leader of a terminal's session.
LEADER = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"  # noqa: E501
# It is the first to be answered, so the remark about it comes before the other responses.
REFUSED_READER = replace(
    faults.error_response(
        400, "Does not contain a valid address.", "personalizations.3.to.0.email"
    ),
    behavior=ConnectionBehavior.DELAY,
    seconds=0.7,
)


@contextmanager
def started_on_terminal(*command: str) -> "Iterator[tuple[subprocess.Popen[bytes], int]]":
    """Start a program as the leader of a terminal's session; yield it and the terminal's master."""
    master, child = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", LEADER, *command],
        stdin=child,
        stdout=child,
        stderr=child,
        start_new_session=True,
    ) as process:
        os.close(child)
        yield process, master


def accepted_once(fake_sendgrid: FakeSendGrid) -> int:
    """Return how many addresses were accepted; nobody may be accepted twice."""
    counts = Counter(email.address for email in fake_sendgrid.accepted)
    assert set(counts.values()) <= {1}
    return len(counts)


@pytest.mark.parametrize("repeats", [0, 2])
def test_closed_terminal_ends_the_send_after_the_requests_in_flight(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, repeats: int
) -> None:
    slow = faults.slow_response(1.2)
    fake_sendgrid.inject_faults(REFUSED_READER, slow, slow)
    with started_on_terminal(*SEND) as (process, master):
        fake_sendgrid.wait_for_requests(3)
        os.close(master)
        for _ in range(repeats):  # a shell passes the signal on that the kernel sends as well
            process.send_signal(signal.SIGHUP)
    assert process.returncode == 1
    code, out, _ = newsletter("status", "ice")
    assert code == 0
    assert out.splitlines()[0].startswith("the-ice  paused  ")
    assert "0 batches unknown" in out
    assert "in flight" not in out
    assert f"{accepted_once(fake_sendgrid)} of 25 accepted" in out
    assert "1 refused by SendGrid" in out
    assert newsletter("resume")[0] == 0
    assert accepted_once(fake_sendgrid) == READERS - 1


def test_send_under_nohup_outlives_its_terminal(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    slow = faults.slow_response(0.7)
    fake_sendgrid.inject_faults(slow, slow)
    with started_on_terminal("nohup", *SEND, "--concurrency", "1") as (process, master):
        fake_sendgrid.wait_for_requests(1)
        os.close(master)
    assert process.returncode == 0
    assert "Sent to 25 of 25 readers." in (project_folder / "nohup.out").read_text()
    assert accepted_once(fake_sendgrid) == READERS
    assert newsletter("status")[1].startswith("the-ice  done  25 of 25 accepted")


def test_send_that_ignores_sighup_records_everything_without_a_terminal(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    slow = faults.slow_response(1.2)
    fake_sendgrid.inject_faults(REFUSED_READER, slow, slow)
    with started_on_terminal("sh", "-c", 'trap "" HUP; exec "$@"', "-", *SEND) as (
        process,
        master,
    ):
        fake_sendgrid.wait_for_requests(3)
        os.close(master)
    assert process.returncode == 1  # the result could not be printed
    assert newsletter("status")[1].startswith("the-ice  done  24 of 25 accepted")
    assert accepted_once(fake_sendgrid) == READERS - 1


def test_remarks_into_a_closed_pipe_do_not_lose_a_response(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    slow = faults.slow_response(1.2)
    fake_sendgrid.inject_faults(REFUSED_READER, slow, slow)
    read_end, write_end = os.pipe()
    with subprocess.Popen(
        SEND, cwd=project_folder, stderr=write_end, stdout=subprocess.DEVNULL
    ) as process:
        os.close(write_end)
        os.close(read_end)
    assert process.returncode == 0
    assert newsletter("who", ISSUE, "--missed")[1].count("\n") == 1
    assert accepted_once(fake_sendgrid) == READERS - 1


def test_scheduled_send_stops_on_sighup(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=5)
    assert newsletter("send", "--yes", "--local", "--at", at.isoformat(timespec="minutes"))[0] == 0
    with (
        database_engine("sqlite:///newsletter.db", project_folder) as engine,
        engine.begin() as connection,
    ):
        connection.execute(sa.update(send).values(scheduled_at=at - datetime.timedelta(hours=6)))
    fake_sendgrid.inject_faults(faults.slow_response(0.7))
    command = (SEND[0], "send", "--due", "--json", "--concurrency", "1")
    with subprocess.Popen(command, cwd=project_folder, stdout=subprocess.PIPE) as process:
        fake_sendgrid.wait_for_requests(1)
        process.send_signal(signal.SIGHUP)
        assert process.stdout
        data = json.loads(process.stdout.read())
    assert process.returncode == 1
    assert (data["state"], data["readers"]) == ("paused", {"accepted": 10, "pending": 15})
    assert newsletter("resume")[0] == 0
    assert accepted_once(fake_sendgrid) == READERS


@pytest.mark.parametrize(
    ("numbers", "is_interrupted"),
    [
        ((signal.SIGINT,), False),
        ((signal.SIGINT, signal.SIGINT), True),
        ((signal.SIGTERM, signal.SIGTERM), True),
        ((signal.SIGTERM, signal.SIGINT), True),
        ((signal.SIGHUP, signal.SIGHUP, signal.SIGHUP), False),
        ((signal.SIGTERM, signal.SIGHUP), False),
        ((signal.SIGHUP, signal.SIGTERM), False),
        ((signal.SIGHUP, signal.SIGTERM, signal.SIGTERM), True),
    ],
)
def test_second_signal_stops_immediately_unless_it_is_sighup(
    numbers: tuple[int, ...], *, is_interrupted: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    observer = ProgressObserver(lambda _: None)
    try:
        for number in numbers:
            observer.handle_signal(number, None)
    except KeyboardInterrupt:
        assert is_interrupted
    else:
        assert not is_interrupted
    assert observer.stop_requested
    assert "Stopping after the request in flight" in capfd.readouterr().err


@pytest.fixture
def restored_handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("restored_handlers")
@pytest.mark.parametrize("ignored", STOP_SIGNALS)
def test_ignored_signal_stays_ignored(ignored: int) -> None:
    received = []
    signal.signal(ignored, signal.SIG_IGN)
    with handle_stop_signals(lambda number, _: received.append(number)):
        for number in STOP_SIGNALS:
            signal.raise_signal(number)
    assert received == [number for number in STOP_SIGNALS if number != ignored]
    assert signal.getsignal(ignored) == signal.SIG_IGN


@pytest.mark.usefixtures("restored_handlers")
def test_stop_signals_interrupt_as_ctrl_c_does_unless_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interrupt_on_stop_signals()
    signal.raise_signal(signal.SIGHUP)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    interrupt_on_stop_signals()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGHUP)
