"""SIGHUP to the real sender at random points: it records what is in flight, or goes on."""

import contextlib
import json
import os
import random
import signal
import subprocess

from forked_command import ForkedCommand
from sender_process import READERS, SenderProject

from newsletter.sending.rehearsal.fake_sendgrid import faults

# The full number is for `make faults`; each costs about two seconds.
HANGUPS = int(os.environ.get("FAULTS_KILLS", "2"))
ISSUE = "2026-12-01-letter"


def let_it_send(sender_project: SenderProject, sender: ForkedCommand, seconds: float) -> None:
    """Wait for the first request of a sender, and for some seconds more or its end."""
    count = len(sender_project.double.requests)
    sender_project.double.inject_faults(*[faults.slow_response(0.2)] * 8)
    sender_project.double.wait_for_requests(count + 1)
    with contextlib.suppress(subprocess.TimeoutExpired):
        sender.wait(seconds)


def accepted_once(sender_project: SenderProject, issue: str) -> int:
    """Return how many have the email; nobody may have it twice."""
    counts = sender_project.count_copies(issue)
    assert set(counts.values()) <= {1}
    return len(counts)


def test_sender_that_gets_sighup_records_what_is_in_flight(sender_project: SenderProject) -> None:
    rng = random.Random(20261202)
    left = HANGUPS if sender_project.url.startswith("sqlite") else (HANGUPS + 2) // 3
    issue_count, issue = 0, ""
    while left or sender_project.states(issue).keys() != {"accepted"}:
        if not issue or sender_project.states(issue).keys() == {"accepted"}:
            issue_count += 1
            issue = f"{ISSUE}-{issue_count:03}"
            sender_project.write_issue(issue)
        concurrency = str(rng.choice((1, 2, 8)))
        sender = sender_project.start(
            "send", issue, "--yes", "--json", "--concurrency", concurrency
        )
        let_it_send(sender_project, sender, rng.random() * 0.3)
        if left:
            left -= 1
            for _ in range(rng.choice((1, 3))):  # a shell passes on what the kernel sends as well
                sender.send_signal(signal.SIGHUP)
        out, err = sender.communicate(timeout=120)
        # The signal may reach a sender that has printed the end of its send.
        has_ended = sender.returncode == -signal.SIGHUP and json.loads(out)["state"] == "done"
        assert has_ended or sender.returncode in {0, 1}, (out, err)
        states = sender_project.states(issue)
        assert states.keys() <= {"accepted", "pending"}
        assert states["accepted"] == accepted_once(sender_project, issue)
    assert sender_project.states(issue) == {"accepted": READERS}


def test_sender_that_ignores_sighup_goes_on(sender_project: SenderProject) -> None:
    sender_project.write_issue(ISSUE)
    sender = sender_project.start("send", ISSUE, "--yes", "--json", nohup=True)
    let_it_send(sender_project, sender, 0)
    for _ in range(3):
        sender.send_signal(signal.SIGHUP)
    output = sender.communicate(timeout=120)
    assert sender.returncode == 0, output
    assert sender_project.states(ISSUE) == {"accepted": READERS}
    assert accepted_once(sender_project, ISSUE) == READERS
