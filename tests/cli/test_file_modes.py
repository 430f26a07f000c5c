"""Only the user can read what holds readers: all files, whichever command has written them.

Files are found by what is in them, not by their names, so that those of a new command are found.
"""

import contextlib
import json
import os
import re
import shlex
import shutil
import sqlite3
import stat
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from ready_to_send import ISSUE, Cli

from newsletter.cli.lazy_group import LazyGroup
from newsletter.cli.main import cli as command_line
from newsletter.cli.main import run_cli
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault
from newsletter.sending.rehearsal.fake_sendgrid.validation import ApiErrorEntry

# A reader's address or name; their tokens are added.
READER = rb"reader\d+@example\.com|\bReader \d+\b"
OTHERS = stat.S_IRWXG | stat.S_IRWXO
REFUSED = InjectedFault(
    status=400,
    errors=(ApiErrorEntry("Does not contain a valid address.", "personalizations.0.to.0.email"),),
)
ACCEPTED = InjectedFault(accept=True)
LATER = "--at '2099-12-01 09:00' --local"
SCRIPT = """\
init ../another
setup --yes --language=en-GB
templates list
templates new letter --from plain
templates use letter
subscribers import bad.csv
subscribers import readers.zip
subscribers import bad.jsonl
subscribers add reader90@example.com --name 'Reader 90'
subscribers list
subscribers show reader1@example.com --json
subscribers count 'name ~ reader'
subscribers segments
subscribers tag vip --address reader1@example.com
subscribers untag vip --address reader1@example.com
subscribers rotate-token reader1@example.com
subscribers stats --plot growth.svg
subscribers sync
subscribers export
subscribers export all.csv
subscribers export readable.csv --force
subscribers export all.jsonl --journal
doctor
build ice
check ice
issues
import boat.md --date 2026-12-02 --slug boat
digest --since 2020-01-01
weekly
test ice --to editor@harbour-notes.org
archive --issue ice
rehearse ice --faults lost-answer
send ice --dry-run --samples 5
send ice --dry-run --with-tokens
plan ice
send ice --yes --concurrency 1
pause ice
resume ice
status ice
who ice
reconcile ice --events events.jsonl
resolve ice --resend --yes
retry ice --yes
who ice --json
send ice --catch-up --yes
subscribers diff ice
subscribers explain reader1@example.com
events import events.jsonl
events unreadable
report ice --html report.html
archive
send boat --yes LATER
reschedule boat --yes LATER
cancel boat
backup list.backup
backup readable.csv --force
subscribers remove reader2@example.com
subscribers erase reader3@example.com --yes
restore list.backup --yes
db upgrade
db adopt --yes
db roles
db copy sqlite:///newsletter.db sqlite:///other.db --yes
""".replace("LATER", LATER)
# They write to the database, and to no file.
SERVERS = {"serve", "preview", "worker"}


def list_commands(group: LazyGroup, context: click.Context, *above: str) -> Iterator[str]:
    for name in group.lazy:
        command = group.get_command(context, name)
        if isinstance(command, LazyGroup):
            yield from list_commands(command, context, *above, name)
        else:
            yield " ".join((*above, name))


def test_script_has_every_command() -> None:
    assert isinstance(command_line, LazyGroup)
    commands = set(list_commands(command_line, click.Context(command_line)))
    missing = {
        command
        for command in commands - SERVERS
        if not re.search(rf"^{command}\b", SCRIPT, re.MULTILINE)
    }
    assert commands > SERVERS
    assert not missing, "add them to the script"


class FileScan:
    """What others may read of files that hold readers.

    Attributes:
        seen: every file that held a reader, with its mode.
        found: those that others may read, and their folders.
    """

    def __init__(self, root: Path, database: Path) -> None:
        self._root = root
        self._database = database
        self._own_folders = {root, *(path for path in root.rglob("*") if path.is_dir())}
        self._tokens = set[str]()
        self._unchanged = set[tuple[Path, tuple[int, ...]]]()
        self.seen = dict[str, int]()
        self.found = set[str]()

    def look(self, folder: Path) -> None:
        with contextlib.closing(sqlite3.connect(self._database)) as connection:
            self._tokens |= {
                token for (token,) in connection.execute("SELECT token FROM subscriber")
            }
        reader = re.compile(rb"|".join([READER, *map(str.encode, sorted(self._tokens))]))
        for path in folder.rglob("*"):
            status = path.lstat()
            version = (path, (status.st_ino, status.st_mtime_ns, status.st_size, status.st_mode))
            if stat.S_ISREG(status.st_mode) and version not in self._unchanged:
                self._unchanged.add(version)
                if reader.search(path.read_bytes()):
                    self._add(path)

    def _add(self, path: Path) -> None:
        name = str(path.relative_to(self._root))
        self.seen[name] = stat.S_IMODE(path.stat().st_mode)
        if self.seen[name] & OTHERS:
            self.found.add(name)
        if path.parent not in self._own_folders and path.parent.stat().st_mode & OTHERS:
            self.found.add(str(path.parent.relative_to(self._root)))


@pytest.fixture
def umask() -> Iterator[None]:
    """The most careless one: what is private under it is so under every other."""
    before = os.umask(0o000)
    yield
    os.umask(before)


def write_inputs(folder: Path) -> None:
    """Write what the script reads; what has readers in it is the editor's, and private."""
    rows = "".join(f"reader{number}@example.com,Reader {number}\n" for number in range(60, 64))
    inputs: Mapping[str, str] = {
        "bad.csv": f"email,name\n{rows}reader64@example.com@,Reader 64\n",
        "bad.jsonl": '{"newsletter": 1, "attributes": {}}\n{"email": "reader65@example.com@"}\n',
        "events.jsonl": json.dumps({
            "sg_event_id": "a", "event": "open", "timestamp": int(time.time()),
            "email": "reader1@example.com",
        }) + '\n{"event": "reader5@example.com"}\n',
    }  # fmt: skip
    for name, text in inputs.items():
        (folder / name).write_text(text)
    with zipfile.ZipFile(folder / "readers.zip", "w") as archive:
        archive.writestr("readers.csv", f"email,name\n{rows}")
    for name in (*inputs, "readers.zip", "readers.csv"):
        (folder / name).chmod(0o600)
    (folder / "boat.md").write_text("# The boat\n\nIt came on Monday.\n")
    (folder / "readable.csv").write_text("an export of earlier\n")
    (folder / "readable.csv").chmod(0o644)


@pytest.fixture
def scan(
    newsletter: Cli,
    project_folder: Path,
    fake_sendgrid: FakeSendGrid,
    tmp_path: Path,
    umask: None,  # noqa: ARG001 - only sets it
    monkeypatch: pytest.MonkeyPatch,
) -> FileScan:
    """Run the script and return what was seen in its files, also in those that it has deleted."""
    for file in project_folder.glob("newsletter.db*"):
        file.unlink()
    write_inputs(project_folder)
    with (project_folder / "newsletter.yml").open("a") as settings:
        settings.write("blog: {feeds: ['http://127.0.0.1:9/feed.xml']}\n")  # refused, as private
    assert newsletter("subscribers", "import", "readers.csv")[0] == 0
    for name in ("tmp", "out"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    scan = FileScan(tmp_path, project_folder / "newsletter.db")
    remove_folder: Callable[..., None] = shutil.rmtree

    def look_and_remove(path: Any, *args: Any, **options: Any) -> None:
        scan.look(Path(path))
        remove_folder(path, *args, **options)

    clean_up = tempfile.TemporaryDirectory.cleanup

    def look_and_clean_up(temporary: tempfile.TemporaryDirectory[str]) -> None:
        scan.look(Path(temporary.name))
        clean_up(temporary)

    monkeypatch.setattr(shutil, "rmtree", look_and_remove)
    monkeypatch.setattr(tempfile.TemporaryDirectory, "cleanup", look_and_clean_up)
    for number, line in enumerate(SCRIPT.splitlines()):
        if line == "send ice --yes --concurrency 1":
            fake_sendgrid.inject_faults(ACCEPTED, REFUSED, ACCEPTED, faults.lost_response())
        code = run_redirected(shlex.split(line), tmp_path / "out" / str(number))
        assert code != 2, line
        scan.look(tmp_path)
    return scan


def run_redirected(args: list[str], file: Path) -> int:
    """Run a command as with ``> file.out 2> file.err`` in a shell."""
    with (
        file.with_suffix(".out").open("w") as out,
        file.with_suffix(".err").open("w") as err,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        return run_cli(args)


def test_no_file_with_readers_is_open_to_others(scan: FileScan) -> None:
    assert not scan.found
    # The scan has found what is known to be there, also what was deleted: it isn't blind.
    expected = {
        "harbour-notes/newsletter.db",
        f"harbour-notes/build/{ISSUE}/dry-run/requests.jsonl",
        f"harbour-notes/build/{ISSUE}/dry-run/samples/1.eml",
        "harbour-notes/all.csv",
        "harbour-notes/readable.csv",
        "harbour-notes/all.jsonl",
        "harbour-notes/bad.csv.refused.csv",
        "harbour-notes/bad.jsonl.refused.jsonl",
        "harbour-notes/list.backup",
    }
    assert expected <= scan.seen.keys()
    assert any(name.startswith("tmp/") for name in scan.seen)
    assert any(name.startswith("harbour-notes/backups/") for name in scan.seen)
    assert any(name.startswith("out/") for name in scan.seen)
