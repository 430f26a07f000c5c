"""Events pause the real sender in mid-send; and a folder is renamed after it was killed."""

import json
import time
from collections import Counter
from pathlib import Path

from sender_process import PER_BATCH, READERS, SenderProject

from newsletter.sending.rehearsal.fake_sendgrid import faults

ISSUE = "2026-12-01-letter"
# Enough for a limit on bounces to apply, and a few that are slow, so that events come in between.
FAST, SLOW = 24, 16


def count_copies(sender_project: SenderProject) -> Counter[str]:
    return Counter(email.address for email in sender_project.double.accepted)


def write_bounces(sender_project: SenderProject, path: Path) -> None:
    """Write a bounce for every email that was accepted so far, as an export of events."""
    lines = (
        {
            "email": recipient.address,
            "event": "bounce",
            "type": "bounce",
            "timestamp": int(time.time()),
            "sg_event_id": f"bounce-{number}",
            **recipient.custom_args,
        }
        for number, recipient in enumerate(list(sender_project.double.accepted))
    )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_sender_stops_when_its_first_emails_bounce_and_goes_on_by_the_editors_word(
    sender_project: SenderProject, tmp_path: Path
) -> None:
    sender_project.write_issue(ISSUE)
    responses = [faults.slow_response(0.0)] * FAST + [faults.slow_response(1.0)] * SLOW
    sender_project.double.inject_faults(*responses)
    sender = sender_project.start("send", ISSUE, "--yes", "--json", "--concurrency", "1")
    sender_project.double.wait_for_requests(FAST + 1)
    events = tmp_path / "events.jsonl"
    write_bounces(sender_project, events)
    code, output = sender_project.run("events", "import", str(events))
    assert code == 0, output
    output, error = sender.communicate(timeout=120)
    assert sender.returncode == 1, output + error
    assert "bounced" in sender_project.run("status", ISSUE)[1]
    accepted = count_copies(sender_project)
    assert FAST * PER_BATCH <= len(accepted) < READERS
    assert sender_project.states(ISSUE)["accepted"] == len(accepted)

    code, output = sender_project.run("resume", ISSUE, "--json")
    assert code == 0, output
    assert set(count_copies(sender_project).values()) == {1}
    assert len(count_copies(sender_project)) == READERS


def test_renamed_folder_of_a_killed_send_is_not_sent_as_another_issue(
    sender_project: SenderProject,
) -> None:
    sender_project.write_issue(ISSUE)
    sender = sender_project.start("send", ISSUE, "--yes", "--json", "--concurrency", "2")
    sender_project.double.wait_for_requests(5)
    sender.kill()
    sender.communicate()
    sender_project.double.wait_until_idle()
    sender_project.let_leases_end()
    count = len(sender_project.double.accepted)
    folder = sender_project.folder / "issues" / ISSUE
    renamed = folder.rename(folder.with_name("2026-12-08-another-name"))

    code, output = sender_project.run("send", renamed.name, "--yes")
    assert code == 1, output
    assert f"is in {ISSUE}" in " ".join(output.split())
    assert len(sender_project.double.accepted) == count

    code, output = sender_project.run("resume", ISSUE, "--json")
    assert code in {0, 1}, output  # 1 if batches are unknown
    copies = count_copies(sender_project)
    assert set(copies.values()) == {1}
    states = sender_project.states(ISSUE)
    assert states.keys() <= {"accepted", "unknown"}
    assert sum(states.values()) == READERS
    assert len(copies) >= states["accepted"]
