"""Release a version: build it, check it, then commit and tag it.

``release.py VERSION`` works on the last commit, in a temporary folder: it sets the version, dates
the changelog, builds the source distribution and from that the wheel, checks what is in them, and
runs ``check-wheel``. Only then it changes the repository: it commits the two files, tags the commit
and puts both archives into ``dist/``. With ``--dry-run`` it stops before that.
"""

import argparse
import datetime
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from packaging.version import InvalidVersion, Version

VERSION_FILE = "newsletter/__init__.py"
CHANGELOG = "CHANGELOG.md"
VERSION_LINE = re.compile(r'^__version__ = ".*"$', re.MULTILINE)
UNRELEASED = re.compile(r"^## Unreleased\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
RELEASED = re.compile(r"^## (\d\S*)", re.MULTILINE)
# The wheel has these folders of the repository, whole, and nothing else.
WHEEL_FOLDERS = {"newsletter": "newsletter", "templates": "newsletter/default_templates"}
UNWANTED = re.compile(
    r"(^|/)(tests?/|test_|conftest\.py$|__pycache__/|\.env$)"
    r"|\.(csv|tsv|jsonl|db|db-wal|db-shm|sqlite3?|backup|eml|pem|key)$"
)
SECRET = re.compile(rb"SG\.[\w-]{16,}\.[\w-]{32,}|-----BEGIN [A-Z ]*PRIVATE KEY-----")


class ReleaseError(Exception):
    """The reason why nothing is released."""


def main() -> int:
    """Release the version that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(description="Release a version of newsletter.")
    parser.add_argument("version", help="such as 1.2.0 or 1.2.0rc1")
    parser.add_argument("--dry-run", action="store_true", help="build and check, change nothing")
    args = parser.parse_args()
    root = Path(_run("git", "rev-parse", "--show-toplevel", cwd=Path.cwd()).strip())
    try:
        with tempfile.TemporaryDirectory() as folder:
            release(root, args.version, Path(folder), dry_run=args.dry_run)
    except ReleaseError as error:
        sys.stderr.write(f"Nothing was released: {error}\n")
        return 1
    return 0


def release(root: Path, version: str, work: Path, *, dry_run: bool) -> None:
    """Build and check a version in an empty folder; unless it is a dry run, commit and tag it.

    Raises:
        ReleaseError: the version or the repository isn't ready, or a check has failed.
    """
    check_repository(root, version)
    now = datetime.datetime.now(datetime.UTC)
    date = str(int(now.timestamp()))  # of the commit too: its files give the same archives again
    changed = {
        VERSION_FILE: set_version((root / VERSION_FILE).read_text(), version),
        CHANGELOG: date_changelog((root / CHANGELOG).read_text(), version, now.date()),
    }
    export = work / "export"
    export.mkdir()
    _run("git", "archive", "--output", f"{export}.tar", "HEAD", cwd=root)
    _run("tar", "-xf", f"{export}.tar", cwd=export)
    for name, text in changed.items():
        (export / name).write_text(text)
    sdist, wheel = build(export, work / "dist", date)
    check_contents(export, sdist, wheel, version)
    _run(str(export / "scripts/check-wheel"), str(wheel), cwd=work, shown=True)
    if dry_run:
        sys.stdout.write(f"{version} can be released. Nothing was changed.\n")
        return
    for name, text in changed.items():
        (root / name).write_text(text)
    commit = ("git", "commit", "--quiet", f"--message=Release {version}", "--", *changed)
    try:
        _run(*commit, cwd=root, date=date)
    except ReleaseError:  # by a hook
        _run("git", "restore", "--staged", "--worktree", "--", *changed, cwd=root)
        raise
    _run("git", "tag", "--annotate", f"--message=newsletter {version}", f"v{version}", cwd=root)
    (root / "dist").mkdir(exist_ok=True)
    for file in (sdist, wheel):
        shutil.copy(file, root / "dist")
    sys.stdout.write(
        f"Committed and tagged v{version}; dist/ has {sdist.name} and {wheel.name}.\n"
        f"Next: check the wheel on Debian 12 and 13 (docs/how-to/release.md), then\n"
        f"  git push --atomic origin HEAD v{version}\n"
        f"To undo it before that: git tag --delete v{version} && git reset --hard HEAD~1\n"
    )


def check_repository(root: Path, version: str) -> None:
    """Refuse a version that isn't a new, larger one, an unclean tree, and an empty changelog.

    Raises:
        ReleaseError: it is refused.
    """
    try:
        parsed = Version(version)
    except InvalidVersion:
        raise ReleaseError(f"'{version}' is not a version (PEP 440), such as 1.2.0") from None
    if version != str(parsed) or parsed.local:
        raise ReleaseError(f"write the version as {parsed.public}, not {version}")
    if changes := _run("git", "status", "--porcelain", cwd=root):
        raise ReleaseError(f"there are changes that are not committed:\n{changes.rstrip()}")
    changelog = (root / CHANGELOG).read_text()
    tags = _run("git", "tag", "--list", "v*", cwd=root).split()
    released = list(_parse_versions([tag[1:] for tag in tags] + RELEASED.findall(changelog)))
    if released and parsed <= max(released):
        raise ReleaseError(f"{version} is not larger than {max(released)}, the last release")
    unreleased = UNRELEASED.search(changelog)
    if not unreleased or not re.search(r"^- ", unreleased[1], re.MULTILINE):
        raise ReleaseError(f"{CHANGELOG} has no line under '## Unreleased'")


def set_version(module: str, version: str) -> str:
    """Return the module's text with another version."""
    text, count = VERSION_LINE.subn(f'__version__ = "{version}"', module)
    if count != 1:
        raise ReleaseError(f"{VERSION_FILE} has {count} lines with __version__, not one")
    return text


def date_changelog(changelog: str, version: str, date: datetime.date) -> str:
    """Return the changelog with the unreleased changes under a version and its date."""
    return changelog.replace("## Unreleased\n", f"## Unreleased\n\n## {version} - {date}\n", 1)


def build(export: Path, dist: Path, date: str) -> tuple[Path, Path]:
    """Build the source distribution from an export, and the wheel from that; return both.

    The same files and date give the same bytes.
    """
    hatchling = (sys.executable, "-m", "hatchling", "build", "-d", str(dist), "-t")
    _run(*hatchling, "sdist", cwd=export, date=date)
    [sdist] = dist.glob("*.tar.gz")
    _run("tar", "-xf", str(sdist), cwd=dist)
    source = dist / sdist.name.removesuffix(".tar.gz")
    _run(*hatchling, "wheel", cwd=source, date=date)
    [wheel] = dist.glob("*.whl")
    return sdist, wheel


def check_contents(export: Path, sdist: Path, wheel: Path, version: str) -> None:
    """Refuse archives that lack a file, or have a test, a list of readers or a secret.

    Raises:
        ReleaseError: it names the files.
    """
    sources = {
        str(file.relative_to(export))
        for folder in WHEEL_FOLDERS
        for file in (export / folder).rglob("*")
        if file.is_file()
    }
    wanted = {WHEEL_FOLDERS[name.split("/")[0]] + name[name.index("/") :] for name in sources}
    in_wheel = read_wheel(wheel)
    in_sdist = read_sdist(sdist)
    packaged = {
        name for name in in_wheel if not name.startswith(f"newsletter-{version}.dist-info/")
    }
    problems = [
        *(f"the wheel lacks {name}" for name in wanted - packaged),
        *(f"the wheel has {name}" for name in packaged - wanted),
        *(f"the source distribution lacks {name}" for name in sources - in_sdist.keys()),
    ]
    for file, contents in ((wheel, in_wheel), (sdist, in_sdist)):
        problems += [f"{file.name} has {name}" for name in contents if UNWANTED.search(name)]
        problems += [
            f"{file.name} has a secret in {name}"
            for name, content in contents.items()
            if SECRET.search(content)
        ]
    if problems:
        raise ReleaseError("\n".join(sorted(problems)))


def read_wheel(wheel: Path) -> dict[str, bytes]:
    """Return the content of each file in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def read_sdist(sdist: Path) -> dict[str, bytes]:
    """Return the content of each file in a source distribution, by its path in the repository."""
    with tarfile.open(sdist) as archive:
        files = [(member, archive.extractfile(member)) for member in archive]
        return {member.name.partition("/")[2]: file.read() for member, file in files if file}


def _parse_versions(texts: list[str]) -> Iterator[Version]:
    for text in texts:
        try:
            yield Version(text)
        except InvalidVersion:
            continue  # a tag or heading of another kind


def _run(*command: str, cwd: Path, date: str = "", shown: bool = False) -> str:
    """Run a program, at a date for git and hatchling, and return its output.

    Raises:
        ReleaseError: it failed; the error has what it wrote.
    """
    dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date, "SOURCE_DATE_EPOCH": date}
    environment = os.environ | (dates if date else {})
    output = None if shown else subprocess.PIPE
    completed = subprocess.run(  # noqa: S603 - programs named in this module
        command, cwd=cwd, env=environment, stdout=output, stderr=output, text=True, check=False
    )
    if completed.returncode:
        written = f"{completed.stdout or ''}{completed.stderr or ''}".rstrip()
        raise ReleaseError(f"{' '.join(command)} failed\n{written}".rstrip())
    return completed.stdout or ""


if __name__ == "__main__":
    sys.exit(main())
