"""Compare an issue with its test, plan, last commit or the previous one."""

import io
import posixpath
import shutil
import stat
import subprocess
import tempfile
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from newsletter.errors import NewsletterError, ProjectError
from newsletter.preview.rendered_issues import Rendering
from newsletter.preview.views.diff import compare_emails, compare_frames
from newsletter.project import list_issue_folders
from newsletter.render.email import Email
from newsletter.render.issue_folder import RenderedIssue, render_issue_folder
from newsletter.render.personalization import personalize_for_recipient
from newsletter.render.template.loader import load_templates
from newsletter.sending.ledger.find_sends import open_ledger
from newsletter.sending.ledger.record import get_send
from newsletter.sending.planning.frozen_content import load_frozen_email
from newsletter.sending.sample import SAMPLE_ADDRESS, make_sample_recipient

GIT_TIMEOUT_SECONDS = 20
_BASELINE_LABELS = {
    "test": "the last test",
    "plan": "the plan",
    "commit": "the last commit",
}


def build_comparison_data(
    rendering: Rendering, baseline: str, engine: sa.Engine | None
) -> dict[str, Any]:
    """Return how the email differs from what was tested, planned or committed, or of last time."""
    try:
        if baseline == "issue":
            return _compare_with_previous_issue(rendering)
        if baseline == "test":
            from newsletter.sending.sample_email import load_last_test

            email = load_last_test(rendering.issue)
        elif baseline == "plan":
            email = load_planned_email(rendering, engine)
        else:
            email = render_last_commit(rendering)
    except NewsletterError as error:
        return {"problem": str(error.problems[0])}
    old, new = _personalize_both(rendering, email)
    return {
        "against": _BASELINE_LABELS.get(baseline, _BASELINE_LABELS["commit"]),
        "facts": [],
        **asdict(compare_emails(old, new)),
    }


def _compare_with_previous_issue(rendering: Rendering) -> dict[str, Any]:
    previous = render_previous_issue(rendering)
    difference = compare_frames(
        *_personalize_both(rendering, previous.email),
        (previous, rendering.rendered),
        rendering.config.theme.template,
    )
    return {
        "against": previous.issue.name,
        "facts": difference.facts,
        **asdict(difference.footer),
    }


def _personalize_both(rendering: Rendering, old: Email) -> tuple[Email, Email]:
    sample = make_sample_recipient(SAMPLE_ADDRESS, rendering.config)
    old, new = (
        personalize_for_recipient(version, rendering.config, sample.attributes, sample.token)
        for version in (old, rendering.email)
    )
    return old, new


def load_planned_email(rendering: Rendering, engine: sa.Engine | None) -> Email:
    """Return the email of the issue's plan or send, as it was frozen.

    Raises:
        NewsletterError: there is none, or it can't be read.
    """
    ledger = open_ledger(engine, rendering.config) if engine else None
    send = get_send(ledger, rendering.issue.name) if ledger else None
    if ledger is None or send is None:
        raise ProjectError("this issue has been neither planned nor sent")
    return load_frozen_email(ledger, send)


def render_previous_issue(rendering: Rendering) -> RenderedIssue:
    """Render the issue before this one with the current templates and settings.

    Raises:
        NewsletterError: there is no such issue, or it can't be rendered.
    """
    folders = [
        folder
        for folder in list_issue_folders(rendering.project)
        if folder.name < rendering.issue.name
    ]
    if not folders:
        raise ProjectError("this is the first issue")
    return render_issue_folder(rendering.project, folders[-1])


def render_last_commit(rendering: Rendering) -> Email:
    """Render the issue and its templates as last committed to git, with the current settings.

    Raises:
        NewsletterError: git is not installed, the issue is not committed, or it can't be rendered.
    """
    root = rendering.project.root
    folder = rendering.issue_dir.absolute().relative_to(root).as_posix()
    templates = rendering.project.templates_dir.relative_to(root).as_posix()
    with tempfile.TemporaryDirectory(prefix="newsletter-") as work:
        checkout = Path(work).resolve()
        _extract_from_git(root, folder, checkout)
        if _run_git(root, "ls-tree", "--name-only", "HEAD", f"{templates}/", check=False):
            _extract_from_git(root, templates, checkout)
        else:
            shutil.copytree(rendering.project.templates_dir, checkout / templates)
        committed = load_templates(checkout / templates)
        return render_issue_folder(rendering.project, checkout / folder, committed).email


def _extract_from_git(root: Path, folder: str, destination: Path) -> None:
    # Not a tar archive: only since Python 3.11.4 can tarfile keep names and links inside the folder
    # (PEP 706), and Debian 12 has 3.11.2.
    archive = _run_git(root, "archive", "--format=zip", "HEAD", "--", folder)
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        files.extractall(destination)
        for info in files.infolist():
            if stat.S_ISLNK(info.external_attr >> 16):
                _replace_symlink(files, info, destination)


def _replace_symlink(files: zipfile.ZipFile, info: zipfile.ZipInfo, destination: Path) -> None:
    """Write the file that a symbolic link points to; drop a link that points out of the archive."""
    target = posixpath.join(posixpath.dirname(info.filename), files.read(info).decode())
    path = destination / info.filename
    try:
        path.write_bytes(files.read(posixpath.normpath(target)))
    except KeyError:
        path.unlink()


def _run_git(root: Path, *args: str, check: bool = True) -> bytes:
    program = shutil.which("git")
    if program is None:
        raise ProjectError("git is not installed")
    try:
        completed = subprocess.run(  # noqa: S603 - a fixed command, no shell
            [program, "-C", str(root), *args],
            capture_output=True,
            timeout=GIT_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProjectError("git could not be run or timed out") from error
    if completed.returncode and check:
        raise ProjectError("this issue has not been committed to git")
    return completed.stdout
