"""docs/how-to/approve-in-a-pull-request.md: its workflows are safe, and their commands work."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from ready_to_send import ISSUE, READERS, Cli, flatten

from newsletter.sending.rehearsal import FakeSendGrid

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "approve-in-a-pull-request.md"
WORKFLOW = re.compile(
    r"^Save this as `\.github/workflows/(?P<name>[\w-]+)\.yml`.*?^```yaml\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
# A step's command that may end with 3, too.
DONE_BEFORE = " || test $? -eq 3"


def load_workflows() -> dict[str, dict[Any, Any]]:
    """Return the page's workflows by name; ``on`` is ``True``, as YAML 1.1 reads it."""
    return {
        match["name"]: yaml.safe_load(match["text"])
        for match in WORKFLOW.finditer(PAGE.read_text())
    }


WORKFLOWS = load_workflows()
JOBS = {name: job for workflow in WORKFLOWS.values() for name, job in workflow["jobs"].items()}


def run_commands(newsletter: Cli, job: str) -> tuple[int, str]:
    """Run the program's commands of a job as its steps do; stop at one that fails."""
    commands = [step["run"] for step in JOBS[job]["steps"] if "run" in step]
    commands = [command for command in commands if command.startswith("newsletter ")]
    assert commands
    for command in commands:
        plain = command.removesuffix(DONE_BEFORE)
        code, _, err = newsletter(*shlex.split(plain)[1:])
        if code and not (code == 3 and plain != command):
            return code, flatten(err)
    return 0, ""


def test_approval_works_as_the_page_says(newsletter: Cli, fake_sendgrid: FakeSendGrid) -> None:
    post = Path("issues", ISSUE, "post.md")
    approved = post.read_text()
    assert run_commands(newsletter, "plan") == (0, "")
    post.write_text(approved.replace("Tuesday", "Monday"))
    code, err = run_commands(newsletter, "send")
    assert (code, f"{post}: changed since it was approved" in err) == (1, True), err
    post.write_text(approved)
    Path("late.csv").write_text("email\na@example.org\nb@example.org\n")
    newsletter("subscribers", "import", "late.csv")
    code, err = run_commands(newsletter, "send")
    assert (code, "27 readers now, and 25 were approved" in err) == (1, True), err
    assert fake_sendgrid.requests == []
    assert run_commands(newsletter, "plan") == run_commands(newsletter, "send") == (0, "")
    assert run_commands(newsletter, "send") == (0, "")
    assert len(fake_sendgrid.accepted) == READERS + 2


def test_workflows_run_for_branches_of_the_repository_only() -> None:
    triggers = {name: workflow[True] for name, workflow in WORKFLOWS.items()}
    assert triggers == {
        "newsletter-plan": {"push": {"branches": ["issues/**"]}, "workflow_dispatch": None},
        "newsletter-send": {"push": {"branches": ["main"], "paths": ["plan.json"]}},
    }


def test_two_sends_never_run_at_once() -> None:
    assert WORKFLOWS["newsletter-send"]["concurrency"] == {
        "group": "newsletter-send",
        "cancel-in-progress": False,
    }


def test_no_job_that_has_a_secret_can_write() -> None:
    assert all(workflow["permissions"] == {} for workflow in WORKFLOWS.values())
    read, write = {"contents": "read"}, {"contents": "write", "pull-requests": "write"}
    found = {
        name: (job.get("environment"), job["permissions"], "secrets." in str(job))
        for name, job in JOBS.items()
    }
    assert found == {
        "plan": ("newsletter-plan", read, True),
        "propose": (None, write, False),
        "send": ("newsletter", read, True),
    }
    assert "SENDGRID_API_KEY" not in str(JOBS["plan"])


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS.keys())
def test_steps_are_pinned_and_get_values_only_by_the_environment(job: dict[str, Any]) -> None:
    for step in job["steps"]:
        assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/x@v1"))
        assert "${{" not in step.get("run", "")
        # A job with a secret leaves no token behind for what it installs.
        if step.get("uses", "").startswith("actions/checkout") and "environment" in job:
            assert step["with"]["persist-credentials"] is False
    assert job["timeout-minutes"]
