"""kill -9 of the real sender at random points: nobody gets the email twice and nobody is lost."""

import contextlib
import os
import random
import subprocess
from pathlib import Path

from sender_process import READERS, SenderProject

# The full number is for `make faults`; each kill costs about half a second.
KILLS = int(os.environ.get("FAULTS_KILLS", "12"))


def kill_at_random_point(sender_project: SenderProject, issue: str, rng: random.Random) -> bool:
    """Start a sender and kill it; return ``False`` if it ended first."""
    request_count = len(sender_project.double.requests)
    concurrency = str(rng.choice((1, 2, 8)))
    sender = sender_project.start("send", issue, "--yes", "--json", "--concurrency", concurrency)
    if more_requests := rng.randrange(8):
        with contextlib.suppress(TimeoutError):
            sender_project.double.wait_for_requests(request_count + more_requests, seconds=5)
    # Any point from its start to just after a request.
    delay = rng.random() * (0.02 if more_requests else 0.3)
    try:
        sender.communicate(timeout=delay)
    except subprocess.TimeoutExpired:
        sender.kill()
        sender.communicate()
        return True
    return False


def complete(sender_project: SenderProject, issue: str, events: Path) -> None:
    """Send the rest, and resolve unknown batches by the provider's events."""
    sender_project.let_leases_end()
    code, output = sender_project.run("send", issue, "--yes", "--json")
    assert code in {0, 1}, output
    sender_project.write_events(events)
    code, output = sender_project.run("reconcile", issue, "--events", str(events))
    assert code in {0, 1}, output
    if sender_project.states(issue)["unknown"]:
        # There are events for everything that the fake SendGrid accepted, so these weren't.
        code, output = sender_project.run("resolve", issue, "--resend", "--yes")
        assert code == 0, output
        code, output = sender_project.run("send", issue, "--yes", "--json")
        assert code == 0, output


def test_killed_sender_never_duplicates_or_loses_an_email(
    sender_project: SenderProject, tmp_path: Path
) -> None:
    rng = random.Random(20261201)
    kill_count = KILLS if sender_project.url.startswith("sqlite") else KILLS // 3
    kills = issues = 0
    while kills < kill_count:
        issues += 1
        issue = f"2026-12-01-letter-{issues:03}"
        sender_project.write_issue(issue)
        while kills < kill_count and kill_at_random_point(sender_project, issue, rng):
            kills += 1
            sender_project.double.wait_until_idle()
            sender_project.let_leases_end()
        complete(sender_project, issue, tmp_path / "events.jsonl")
        counts = sender_project.count_copies(issue)
        assert set(counts.values()) == {1}
        assert len(counts) == READERS
        assert sender_project.states(issue) == {"accepted": READERS}
