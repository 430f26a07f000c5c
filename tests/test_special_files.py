"""Devices and pipes are written to; a file never takes their place."""

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.private_files import replace_privately
from newsletter.public_files import write_public_file
from newsletter.special_files import is_special_file


def write_private_file(path: Path, data: bytes) -> None:
    with replace_privately(path) as file:
        file.write(data)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/dev/null", True), ("/dev/stdout", True), ("/dev", True), ("pipe", True), ("file", False),
     ("link", False), ("folder", False), ("missing", False)],
)  # fmt: skip
def test_special_files_are_told_from_others(tmp_path: Path, path: str, *, expected: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    assert is_special_file(tmp_path / path) is expected


@pytest.mark.parametrize("write", [write_public_file, write_private_file])
def test_pipe_is_written_to(tmp_path: Path, write: Callable[[Path, bytes], None]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = list[bytes]()
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write(pipe, b"new")
    reader.join()
    assert read == [b"new"]
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert [*tmp_path.iterdir()] == [pipe]
