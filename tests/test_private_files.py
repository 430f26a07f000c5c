"""Files and folders that only their owner can read, whatever the umask; links are not followed."""

import ast
import fcntl
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter.private_files import (
    create_private_file,
    create_temporary_beside,
    delete_leftover_folders,
    make_private_folder,
    replace_privately,
    temporary_private_folder,
    tighten_new_file,
)

PACKAGE = Path(__file__).parent.parent / "newsletter"


@pytest.fixture(params=[0o000, 0o022, 0o077], autouse=True)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_and_folders_are_private_from_the_start(tmp_path: Path) -> None:
    make_private_folder(tmp_path / "folder")
    with create_private_file(tmp_path / "folder" / "file") as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600
        file.write(b"ada@example.com")
    descriptor, temporary = create_temporary_beside(tmp_path / "folder" / "file")
    os.close(descriptor)
    assert mode(tmp_path / "folder") == 0o700
    assert temporary.parent == tmp_path / "folder"
    assert mode(temporary) == 0o600


KILLED_WITH_ADDRESSES = """
import os, signal
from newsletter.private_files import temporary_private_folder
with temporary_private_folder() as folder:
    (folder / "readers.csv").write_text("ada@example.com")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_temporary_folder_of_a_killed_program_is_deleted_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "newsletter-private-notes").write_text("a file of somebody")
    command = [sys.executable, "-c", KILLED_WITH_ADDRESSES]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    (left,) = tmp_path.glob("*/*/readers.csv")
    assert mode(left.parent) == mode(left.parents[1]) == 0o700
    with temporary_private_folder() as folder:
        assert not left.parent.exists()
        delete_leftover_folders()
        assert folder.exists()  # in use
        assert mode(folder) == 0o700
        # As a SQLite database in it does, of another process too.
        descriptor = os.open(folder, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)
    assert [path.name for path in tmp_path.iterdir()] == ["newsletter-private-notes"]


@pytest.mark.parametrize("target", ["elsewhere", "missing"])
def test_planted_link_is_not_followed(tmp_path: Path, target: str) -> None:
    (tmp_path / "elsewhere").write_text("somebody else's")
    (tmp_path / "link").symlink_to(tmp_path / target)
    with pytest.raises(FileExistsError):
        create_private_file(tmp_path / "link")
    with pytest.raises(FileExistsError):
        make_private_folder(tmp_path / "link")
    with replace_privately(tmp_path / "link") as file:
        file.write(b"ada@example.com")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "elsewhere").read_text() == "somebody else's"
    assert not (tmp_path / "missing").exists()


def test_replaced_file_is_private_though_the_one_before_was_not(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text("before")
    path.chmod(0o666)
    with replace_privately(path) as file:
        file.write(b"after")
        file.flush()
        assert path.read_text() == "before"
    assert (path.read_text(), mode(path)) == ("after", 0o600)
    assert [*tmp_path.iterdir()] == [path]


def test_failure_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text("before")
    with pytest.raises(OSError, match="disk"), replace_privately(path):
        raise OSError("the disk is full")
    assert path.read_text() == "before"
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize(
    ("content", "before", "after"),
    [("", 0o644, 0o600), ("", 0o666, 0o600), ("", 0o400, 0o400), ("more", 0o644, 0o644)],
)
def test_new_output_file_is_tightened(
    tmp_path: Path, content: str, before: int, after: int
) -> None:
    path = tmp_path / "who.txt"
    with path.open("w") as file:
        file.write(content)
        file.flush()
        path.chmod(before)
        tighten_new_file(file.fileno())
    assert mode(path) == after


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    folder = os.open(tmp_path, os.O_RDONLY)
    null = os.open(os.devnull, os.O_WRONLY)
    before = [os.fstat(descriptor).st_mode for descriptor in (reader, writer, folder, null)]
    for descriptor in (reader, writer, folder, null):
        tighten_new_file(descriptor)
    assert before == [os.fstat(descriptor).st_mode for descriptor in (reader, writer, folder, null)]
    for descriptor in (reader, writer, folder, null):
        os.close(descriptor)


@pytest.mark.parametrize("umask", [0o077], indirect=True)  # whatever it is
def test_no_other_module_sets_a_mode() -> None:
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in {"mkstemp", "chmod", "fchmod", "umask", "O_CREAT", "NamedTemporaryFile"}
    }
    # The mark of a database has the mode of the database, and holds no reader.
    assert found == {"private_files.py", "db/identity_mark.py"}
