"""Catch-ups by real processes: two at once, and one that is killed in the middle."""

from collections import Counter
from pathlib import Path

from sender_process import READERS, SenderProject

ISSUE = "2026-12-01-letter"
JOINED = 60
CATCH_UP = ("send", ISSUE, "--catch-up", "--yes", "--json")


def send_and_let_readers_join(sender_project: SenderProject, tmp_path: Path) -> None:
    sender_project.write_issue(ISSUE)
    code, output = sender_project.run("send", ISSUE, "--yes", "--json")
    assert code == 0, output
    path = tmp_path / "joined.csv"
    rows = (f"joined{number}@example.com" for number in range(JOINED))
    path.write_text("\n".join(("email", *rows)) + "\n")
    code, output = sender_project.run("subscribers", "import", str(path))
    assert code == 0, output


def assert_everybody_has_it_once(sender_project: SenderProject) -> None:
    counts = Counter(email.address for email in sender_project.double.accepted)
    assert set(counts.values()) == {1}
    assert len(counts) == READERS + JOINED


def test_two_catch_ups_at_once_send_it_once(sender_project: SenderProject, tmp_path: Path) -> None:
    send_and_let_readers_join(sender_project, tmp_path)
    senders = [sender_project.start(*CATCH_UP) for _ in range(2)]
    outputs = [process.communicate(timeout=120) for process in senders]
    assert any(process.returncode == 0 for process in senders), outputs
    code, output = sender_project.run(*CATCH_UP)
    assert code in {0, 3}, output
    assert_everybody_has_it_once(sender_project)
    assert sender_project.run(*CATCH_UP)[0] == 3


def test_killed_catch_up_is_completed_by_the_same_command(
    sender_project: SenderProject, tmp_path: Path
) -> None:
    send_and_let_readers_join(sender_project, tmp_path)
    request_count = len(sender_project.double.requests)
    sender = sender_project.start(*CATCH_UP, "--concurrency", "1")
    sender_project.double.wait_for_requests(request_count + 3, seconds=30)
    sender.kill()
    sender.communicate()
    sender_project.double.wait_until_idle()
    sender_project.let_leases_end()
    code, output = sender_project.run(*CATCH_UP)
    assert code in {0, 1, 3}, output
    events = tmp_path / "events.jsonl"
    sender_project.write_events(events)
    name = f"{ISSUE}~catch-up-1"
    code, output = sender_project.run("reconcile", name, "--events", str(events))
    assert code in {0, 1}, output
    if sender_project.states(name)["unknown"]:
        # There are events for everything that the fake SendGrid accepted, so these weren't.
        assert sender_project.run("resolve", name, "--resend", "--yes")[0] == 0
        assert sender_project.run("resume", name, "--json")[0] == 0
    assert_everybody_has_it_once(sender_project)
    assert sender_project.run(*CATCH_UP)[0] == 3
