"""The mail that an issue is compared with: as last committed, or the issue before it."""

import io
import posixpath
import shutil
import stat
import subprocess
import tempfile
import zipfile
from pathlib import Path

from newsletter.errors import ProjectError
from newsletter.posts.read_issue import read_issue
from newsletter.preview.rendered_issues import Rendering
from newsletter.project import list_issue_folders
from newsletter.render.email import Email
from newsletter.render.issue import render_issue
from newsletter.render.template.loader import load_templates
from newsletter.sending.planning.proposal import render_issue_folder

GIT_TIMEOUT_SECONDS = 20


def render_previous_issue(rendering: Rendering) -> Email:
    """The issue that came before, as it renders now.

    Raises:
        NewsletterError: there is none, or it can't be rendered.
    """
    folders = [
        one for one in list_issue_folders(rendering.project) if one.name < rendering.issue.name
    ]
    if not folders:
        raise ProjectError("this is the first issue")
    return render_issue_folder(rendering.project, folders[-1])[1]


def render_last_commit(rendering: Rendering) -> Email:
    """The issue and the templates as git has them, with the settings of now.

    Raises:
        NewsletterError: there is no git, no commit of it, or it can't be rendered.
    """
    root = rendering.project.root
    folder = rendering.issue_dir.absolute().relative_to(root).as_posix()
    templates = rendering.project.templates_dir.relative_to(root).as_posix()
    with tempfile.TemporaryDirectory(prefix="newsletter-") as work:
        there = Path(work).resolve()
        _extract_from_git(root, folder, there)
        if _run_git(root, "ls-tree", "--name-only", "HEAD", f"{templates}/", check=False):
            _extract_from_git(root, templates, there)
        else:
            shutil.copytree(rendering.project.templates_dir, there / templates)
        issue = read_issue(there / folder, rendering.config)
        return render_issue(issue, load_templates(there / templates), rendering.config)


def _extract_from_git(root: Path, folder: str, destination: Path) -> None:
    # Not a tar archive: tarfile keeps names and links inside the folder only from Python 3.11.4 on,
    # and Debian 12 has 3.11.2.
    archive = _run_git(root, "archive", "--format=zip", "HEAD", "--", folder)
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        files.extractall(destination)
        for info in files.infolist():
            if stat.S_ISLNK(info.external_attr >> 16):
                _replace_symlink(files, info, destination)


def _replace_symlink(files: zipfile.ZipFile, info: zipfile.ZipInfo, destination: Path) -> None:
    """Write what a symbolic link leads to; one that leads out of the archive is left out."""
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
        done = subprocess.run(  # noqa: S603 - our own words
            [program, "-C", str(root), *args],
            capture_output=True,
            timeout=GIT_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProjectError("git does not answer") from error
    if done.returncode and check:
        raise ProjectError("git has no commit of this issue")
    return done.stdout
