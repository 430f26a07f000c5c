"""``newsletter check``, and how its findings block a send."""

import json
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., tuple[int, str, str]]

ROOT = Path(__file__).parents[3]
ISSUE = "2026-12-01-the-ice"
GOOD = """\
---
title: The ice
subject: The ice let go, {{ subscriber.name }}
preheader: And what the boats made of it.
---
The ice let go on Tuesday, and by Thursday the boats lay at the quay again, paint still wet.
"""
SUBSCRIBE = "https://news.harbour-notes.org/subscribe"
BAD = GOOD + "\nThe [log](http://10.0.0.7/log) has it all.\n"


@pytest.fixture(autouse=True)
def _no_spamassassin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide SpamAssassin: it takes a second, and its score changes with every release."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def post(newsletter: Cli, project_folder: Path) -> Path:  # noqa: ARG001 - sets the project up
    post = project_folder / "issues" / ISSUE / "post.md"
    post.write_text(GOOD)
    return post


def test_the_sample_issues_pass_strictly(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("issues", "templates"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "newsletter.yml", folder)
    monkeypatch.chdir(folder)
    code, out, err = cli("check", "--all", "--strict")
    assert (code, err) == (0, "")
    assert out.startswith("No problems found in ")
    assert not (folder / "newsletter.db").exists()


def test_findings_are_printed_with_their_lines(newsletter: Cli, post: Path) -> None:
    text = BAD.replace("preheader: And what the boats made of it.\n", "")
    post.write_text(text + "\n[Here](https://boats.example/a).\n")
    code, out, _ = newsletter("check", "the-ice")
    assert code == 1
    lines = out.splitlines()
    assert lines[0] == f"issues/{ISSUE}/post.md"
    assert lines[1].split()[:3] == ["7", "error", "private-link"]
    assert any(line.split()[:3] == ["1", "warning", "no-preheader"] for line in lines)
    assert lines[-2].split()[:3] == ["9", "hint", "weak-link-text"]
    assert lines[-1].startswith("1 error, 1 warning, 1 hint in ")
    assert all(len(line) <= 80 for line in lines)


def test_rule_with_many_findings_is_listed_once(newsletter: Cli, post: Path) -> None:
    links = [f"[boat {number}](http://boats{number}.org)" for number in range(1, 15)]
    post.write_text(GOOD + "\n" + "\n\n".join(links) + "\n")
    code, out, _ = newsletter("check")
    assert code == 0
    lines = out.splitlines()
    assert lines[1] == "   8  warning  insecure-link  14 places: post.md:8, :10, :12 and 11 more"
    assert lines[2].strip() == "such as: http://boats1.org is not encrypted"
    assert len(lines) == 5
    assert lines[-1].startswith("14 warnings, 0 errors, 0 hints in ")
    assert lines[-1].endswith("; list them all with -v")
    assert all(len(line) <= 80 for line in lines)
    verbose = newsletter("check", "-v")[1]
    assert [line.split()[0] for line in verbose.splitlines() if " warning " in line] == [
        str(line) for line in range(8, 36, 2)
    ]
    assert "-v" not in verbose.splitlines()[-1]
    assert (
        len(json.loads(newsletter("check", "--format", "json")[1])["issues"][0]["findings"]) == 14
    )
    assert newsletter("check", "--format", "github")[1].count("::warning ") == 14


def test_a_finding_of_the_settings_is_listed_once_for_all_issues(
    newsletter: Cli, post: Path
) -> None:
    settings = post.parents[2] / "newsletter.yml"
    kept = [line for line in settings.read_text().splitlines() if "postal_address" not in line]
    settings.write_text("\n".join(kept) + "\n")
    another = post.parent.with_name("2026-11-29-the-thaw")
    another.mkdir()
    (another / "post.md").write_text(GOOD.replace("title: ", "title: Another ", 1))
    out = newsletter("check", "--all")[1]
    assert out.count("no-postal-address") == 1
    assert out.splitlines()[-1].startswith("1 warning, ")
    assert newsletter("check", "--all", "-v")[1].count("no-postal-address") == 2


def test_warnings_fail_only_with_strict(newsletter: Cli, post: Path) -> None:
    post.write_text(GOOD.replace("And what the boats made of it.", ""))
    assert newsletter("check")[0] == 0
    assert newsletter("check", "--strict")[0] == 1


def test_check_prints_next_step_and_rejects_issue_with_all(newsletter: Cli, post: Path) -> None:
    assert post.exists()
    assert newsletter("check")[2] == "Next: newsletter test the-ice --to YOUR-ADDRESS\n"
    code, _, err = newsletter("check", "the-ice", "--all")
    assert code == 2
    assert "--all checks every issue" in err


@pytest.mark.usefixtures("post")
def test_broken_welcome_email_is_pointed_out(newsletter: Cli, project_folder: Path) -> None:
    welcome = project_folder / "templates" / "welcome.md"
    welcome.write_text("# Ahoy\n\nHello {{ you }}\n")
    code, out, err = newsletter("check", "the-ice", "--format", "json")
    assert (code, json.loads(out)["issues"][0]["findings"]) == (0, [])
    message = (
        "The welcome email can't be sent: templates/welcome.md:3: {{ you }} is not a merge tag"
    )
    assert " ".join(err.split()).startswith(message)
    (welcome.with_name("welcome.mjml")).write_text("<mjml>")
    assert "welcome" not in newsletter("check", "the-ice")[2], "it is not used"
    (welcome.with_name("welcome.mjml")).unlink()
    welcome.write_text("# Ahoy\n\nHello you\n")
    assert "welcome" not in newsletter("check", "the-ice")[2]


def test_json_sarif_and_github_formats(newsletter: Cli, post: Path) -> None:
    post.write_text(BAD)
    code, out, _ = newsletter("check", "--format", "json")
    (issue,) = json.loads(out)["issues"]
    assert code == issue["error"] == 1
    assert issue["spamassassin"] is None
    (finding,) = issue["findings"]
    assert (finding["rule"], finding["line"]) == ("private-link", 8)
    (run,) = json.loads(newsletter("check", "--format", "sarif")[1])["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["private-link"]
    out = newsletter("check", "--format", "github")[1]
    assert out.startswith(f"::error file=issues/{ISSUE}/post.md,title=private-link,line=8::")


@pytest.mark.parametrize(
    ("greeting", "recipient"),
    [
        ("{{ subscriber.name }}", " for a reader of whom nothing is known"),
        ("all of you", ""),
    ],
)
def test_spamassassin_scores_the_copy_without_a_name_too(
    newsletter: Cli, post: Path, tmp_path: Path, greeting: str, recipient: str
) -> None:
    """The stand-in gives 7.5 points to "friend" in a subject, and to "all"."""
    program = tmp_path / "spamassassin"
    status = "X-Spam-Status: Yes, score=%s required=5.0 tests=%s autolearn=no"
    program.write_text(
        "#!/bin/sh\nwhile IFS= read -r line; do printf '%s\\n' \"$line\"; case $line in\n"
        f"  'Subject: '*friend*|'Subject: '*all*) printf '{status}\\n' 7.5 DEAR_FRIEND ;;\n"
        f"  'Subject: '*) printf '{status}\\n' 0.1 HTML_MESSAGE ;;\nesac; done\n"
    )
    program.chmod(0o755)
    post.write_text(GOOD.replace("{{ subscriber.name }}", greeting))
    code, out, _ = newsletter("check", "--strict")
    assert code == 1
    assert "spam-score" in out
    words = " ".join(out.split())
    assert f"7.5 points (5.0 or more is spam){recipient}: DEAR_FRIEND" in words


def test_longest_merge_value_of_the_list_is_checked(
    newsletter: Cli, post: Path, project_folder: Path
) -> None:
    assert post.exists()
    with sqlite3.connect(project_folder / "newsletter.db") as database:
        database.execute("UPDATE subscriber SET name = ? WHERE id = 3", ("x" * 90,))
    database.close()
    out = newsletter("check", "--format", "json")[1]
    (finding,) = json.loads(out)["issues"][0]["findings"]
    assert finding["rule"] == "long-merge-value"
    assert "106 characters" in finding["message"]


@pytest.mark.parametrize("command", [("send", "--yes"), ("plan",)])
def test_errors_block_send_and_plan(newsletter: Cli, post: Path, command: tuple[str, ...]) -> None:
    post.write_text(BAD)
    code, _, err = newsletter(*command)
    assert code == 1
    assert f"issues/{ISSUE}/post.md:8: private-link: http://10.0.0.7/log" in err
    code, out, _ = newsletter("send", "--dry-run")
    assert code == 0
    assert "A real send would be refused" in out
    assert "private-link" in out


def test_allowed_finding_is_sent_and_recorded_with_its_reason(newsletter: Cli, post: Path) -> None:
    reason = "the crew reads it on board"
    post.write_text(BAD.replace("---\nThe", f"allow:\n  private-link: {reason}\n---\nThe"))
    code, out, _ = newsletter("plan")
    assert code == 0
    assert f"private-link: {reason}" in out
    status = json.loads(newsletter("status", "--json")[1])
    assert status["allowed"] == {"private-link": reason}
    assert newsletter("send", "--yes")[0] == 0


def test_exception_for_unknown_rule_blocks_plan(newsletter: Cli, post: Path) -> None:
    post.write_text(GOOD.replace("---\nThe", "allow: {no-preheeder: short}\n---\nThe"))
    code, _, err = newsletter("plan")
    assert code == 1
    assert "did you mean 'no-preheader'?" in err


def test_links_that_were_not_requested_are_counted(
    newsletter: Cli, post: Path, project_folder: Path
) -> None:
    post.write_text(GOOD + "\n[The quay](https://quay.harbour-notes.org/a)\n")
    (project_folder / "build").mkdir(exist_ok=True)
    result = {"at": time.time(), "kind": "not asked", "detail": "", "redirect_url": ""}
    failing = {**result, "kind": "robots failing"}
    links = {
        "https://quay.harbour-notes.org/a": result,
        "https://harbour-notes.org": failing,
        SUBSCRIBE: {**result, "kind": "fine"},
    }
    (project_folder / "build" / "links.json").write_text(json.dumps(links))
    code, _, err = newsletter("check", "--online")
    assert code == 0
    assert "1 of 3 links were not checked: robots.txt disallows it." in err
    assert "1 of 3 links were not checked: their site's robots.txt has a server error" in err


def test_fresh_link_results_are_reused(newsletter: Cli, post: Path, project_folder: Path) -> None:
    post.write_text(GOOD + "\n[The quay](https://quay.harbour-notes.org/a)\n")
    (project_folder / "build").mkdir(exist_ok=True)
    # Results for all links of the email, so that the test needs no network.
    moved = {"at": time.time(), "kind": "moved", "detail": "", "redirect_url": "https://new.org/"}
    fine = {**moved, "kind": "fine", "redirect_url": ""}
    links = {
        "https://quay.harbour-notes.org/a": moved,
        "https://harbour-notes.org": fine,
        SUBSCRIBE: fine,
    }
    (project_folder / "build" / "links.json").write_text(json.dumps(links))
    code, out, _ = newsletter("check", "--online")
    assert code == 0
    assert "moved-link" in out
    assert "is now at https://new.org/" in " ".join(out.split())
