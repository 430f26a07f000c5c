"""``newsletter issues``: states, problems, alignment."""

import datetime
import json
import re
from pathlib import Path
from typing import Any

from ready_to_send import ISSUE, POST, READERS, Cli, set_scheduled_time, time_ahead

from newsletter.cli.issue.issues import BROKEN, DRAFT, READY, STATES
from newsletter.sending.ledger.send_phase import SEND_PHASE_LABELS
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults

NO_TITLE = (
    "the post has no title. Add a line like 'title: Spring in the harbour' to its front matter."
)
HELD = ("send", "--yes", "--hold-at-sendgrid", "--at")


def write_issue(folder: Path, name: str, post: str) -> None:
    (folder / "issues" / name).mkdir()
    (folder / "issues" / name / "post.md").write_text(post)


def load_issues(newsletter: Cli, *options: str) -> list[dict[str, Any]]:
    _, out, _ = newsletter("issues", "--json", *options)
    return [json.loads(line) for line in out.splitlines()]


def test_issues_are_listed_newest_first(newsletter: Cli, project_folder: Path) -> None:
    write_issue(
        project_folder, "2026-12-08-the-boat", "---\ntitle: B\ndraft: true\n---\nIt came.\n"
    )
    write_issue(project_folder, "2026-11-24-no-title", "No title.\n")
    assert newsletter("send", "--yes", ISSUE)[0] == 0
    code, out, err = newsletter("issues")
    assert (code, err) == (1, "")
    day = re.compile(r"(?<=sent )\d+ [A-Z][a-z]{2}(?: \d{4})?(?= to 25)")
    (sent_on,) = day.findall(out)
    gap = " " * len(sent_on)
    assert day.sub("DAY", out).splitlines() == [
        f"Date        Name      State      {gap}  Words",
        f"2026-12-08  the-boat  draft      {gap}      2",
        "2026-12-01  the-ice   sent DAY to 25      8",
        "2026-11-24  no-title  broken",
        f"    issues/2026-11-24-no-title/post.md:1: {NO_TITLE}",
    ]
    boat, ice, broken = load_issues(newsletter)
    assert boat["state"] == "draft"
    assert boat["findings"] is None
    assert ice["title"] == "The ice, {{ subscriber.name }}"
    assert (ice["phase"], ice["total"], ice["accepted"]) == ("done", READERS, READERS)
    assert ice["sent_at"]
    assert broken["words"] is None
    (problem,) = broken["problems"]
    assert (problem["file"], problem["line"]) == ("issues/2026-11-24-no-title/post.md", 1)


def test_states_select_issues(newsletter: Cli, project_folder: Path) -> None:
    write_issue(
        project_folder, "2026-12-08-the-boat", POST.replace("---\nH", "draft: true\n---\nH")
    )
    names = [issue["issue"] for issue in load_issues(newsletter, "--state", "ready")]
    assert names == [ISSUE]
    assert len(load_issues(newsletter, "--state", "ready", "--state", "draft")) == 2
    assert newsletter("issues", "--state", "needs-review") == (
        0,
        "",
        "None of 2 issues is needs-review.\n",
    )
    assert newsletter("issues", "--state", "new")[0] == 2


def test_check_counts_findings(newsletter: Cli, project_folder: Path) -> None:
    write_issue(project_folder, "2026-12-08-the-boat", POST + "\n[a](http://localhost/)\n")
    code, out, _ = newsletter("issues", "--check")
    assert code == 0
    assert re.search(r"^2026-12-08  the-boat  ready +\d+ +1 +\d$", out, re.MULTILINE)
    boat, ice = load_issues(newsletter, "--check")
    assert (boat["findings"]["error"], ice["findings"]["error"]) == (1, 0)


def test_state_tells_what_becomes_of_the_send(
    newsletter: Cli, project_folder: Path, fake_sendgrid: FakeSendGrid
) -> None:
    def get_state() -> str:
        return newsletter("issues")[1].splitlines()[1].split("  ", 2)[2] + "  "

    assert re.fullmatch(r"ready +8  ", get_state())
    newsletter("plan")
    assert "planned  " in get_state()
    newsletter(*HELD, time_ahead(hours=5))
    assert re.search(r"^scheduled for \d+ \w{3}( \d{4})? \d\d:\d\d  ", get_state())
    set_scheduled_time(project_folder, hours=-1)
    assert "sent " in get_state()
    (held,) = load_issues(newsletter)
    assert datetime.datetime.fromisoformat(held["sent_at"]) >= datetime.datetime.fromisoformat(
        time_ahead(minutes=-30)
    )  # handed over later than it was due
    set_scheduled_time(project_folder, hours=5)
    newsletter("cancel", "ice")
    assert "cancelled  " in get_state()
    fake_sendgrid.inject_faults(faults.lost_response())
    newsletter("send", "--yes", "--concurrency", "1")
    assert "needs review  " in get_state()


def test_options_have_the_labels_of_all_phases() -> None:
    labels = {label.in_list for label in SEND_PHASE_LABELS.values()}
    assert {*STATES} == {BROKEN, DRAFT, READY} | labels


def test_folder_without_issues_is_nothing_to_do(cli: Cli, project_folder: Path) -> None:
    code, out, err = cli("issues")
    assert (code, out) == (3, "")
    assert err.startswith("newsletter: there are no issues in issues. Create one from a post with:")
    assert not list(project_folder.glob("newsletter.db*"))
