"""kill -9 of the real sender at random points: afterwards nobody has two, and nobody is lost."""

import contextlib
import os
import random
import subprocess
from collections import Counter
from pathlib import Path

from sender_process import READERS, Desk

# The full number is for `make faults`; each kill costs about a second.
KILLS = int(os.environ.get("FAULTS_KILLS", "12"))


def kill_somewhere(desk: Desk, issue: str, chance: random.Random) -> bool:
    """Start a sender and kill it; ``False`` if it came to its end first."""
    seen = len(desk.double.requests)
    concurrency = str(chance.choice((1, 2, 8)))
    sender = desk.start("send", issue, "--yes", "--json", "--concurrency", concurrency)
    if at_request := chance.randrange(8):
        with contextlib.suppress(TimeoutError):
            desk.double.wait_for_requests(seen + at_request, seconds=5)
    # From the first import to just behind a request: a spread of places, none of them chosen.
    pause = chance.random() * (0.02 if at_request else 1.0)
    try:
        sender.communicate(timeout=pause)
    except subprocess.TimeoutExpired:
        sender.kill()
        sender.communicate()
        return True
    return False


def settle(desk: Desk, issue: str, events: Path) -> None:
    """Send what is left, and settle what is unknown by what the vendor reports."""
    desk.let_leases_end()
    code, words = desk.run("send", issue, "--yes", "--json")
    assert code in {0, 1}, words
    desk.write_events(events)
    code, words = desk.run("reconcile", issue, "--events", str(events))
    assert code in {0, 1}, words
    if desk.states(issue)["unknown"]:
        # The double answers for all that ever reached it, so these never did.
        code, words = desk.run("resolve", issue, "--resend", "--yes")
        assert code == 0, words
        code, words = desk.run("send", issue, "--yes", "--json")
        assert code == 0, words


def test_nobody_twice_nobody_lost_wherever_the_sender_dies(desk: Desk, tmp_path: Path) -> None:
    chance = random.Random(20261201)  # noqa: S311 - a spread, not a secret
    wanted = KILLS if desk.url.startswith("sqlite") else KILLS // 3
    kills = history = 0
    while kills < wanted:
        history += 1
        issue = f"2026-12-01-letter-{history:03}"
        desk.write_issue(issue)
        while kills < wanted and kill_somewhere(desk, issue, chance):
            kills += 1
            desk.double.wait_until_idle()
            desk.let_leases_end()
        settle(desk, issue, tmp_path / "events.jsonl")
        send_id = desk.send_id(issue)
        copies = Counter(
            one.address for one in desk.double.accepted if one.custom_args["nl_send"] == send_id
        )
        assert set(copies.values()) == {1}
        assert len(copies) == READERS
        assert desk.states(issue) == {"accepted": READERS}
