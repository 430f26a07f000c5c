"""Files for everybody are replaced at once; what can't be written is said with its remedy."""

import ast
import errno
import os
import stat
from pathlib import Path

import pytest

from newsletter.errors import FileWriteError
from newsletter.public_files import write_public_file

PACKAGE = Path(__file__).parent.parent / "newsletter"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("umask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
@pytest.mark.parametrize("durable", [True, False])
def test_new_file_has_the_mode_of_the_umask(
    tmp_path: Path, umask: int, expected: int, *, durable: bool
) -> None:
    before = os.umask(umask)
    try:
        write_public_file(tmp_path / "page.html", b"new", durable=durable)
    finally:
        os.umask(before)
    assert (tmp_path / "page.html").read_bytes() == b"new"
    assert mode(tmp_path / "page.html") == expected
    assert [*tmp_path.iterdir()] == [tmp_path / "page.html"]


@pytest.mark.parametrize("existing", [0o640, 0o755, 0o444])
def test_replaced_file_keeps_its_mode(tmp_path: Path, existing: int) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(b"old")
    path.chmod(existing)
    write_public_file(path, b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", existing)


@pytest.mark.parametrize("linked", ["elsewhere", "missing", "."])
def test_link_is_replaced_not_followed(tmp_path: Path, linked: str) -> None:
    (tmp_path / "elsewhere").write_text("somebody else's")
    (tmp_path / "elsewhere").chmod(0o600)
    (tmp_path / "page.html").symlink_to(tmp_path / linked)
    write_public_file(tmp_path / "page.html", b"new")
    assert not (tmp_path / "page.html").is_symlink()
    assert (tmp_path / "page.html").read_bytes() == b"new"
    assert mode(tmp_path / "page.html") != 0o600
    assert (tmp_path / "elsewhere").read_text() == "somebody else's"
    assert not (tmp_path / "missing").exists()


def test_missing_folders_are_created_if_asked(tmp_path: Path) -> None:
    write_public_file(tmp_path / "a" / "b" / "page.html", b"new", make_folders=True)
    assert (tmp_path / "a" / "b" / "page.html").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("name", "message", "remedy"),
    [
        ("missing/page.html", "no such file or directory", "Create its folder"),
        ("file/page.html", "not a directory", "Create its folder"),
        ("folder", "is a directory", "Move the folder of this name away"),
    ],
)
def test_what_cannot_be_written_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str, remedy: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("here already")
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(
        FileWriteError, match=f"^{name}: could not write the file: {message}. "
    ) as e:
        write_public_file(Path(name), b"new")
    assert e.value.problems[0].remedy.startswith(remedy)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("error_number", "message", "remedy"),
    [
        (errno.ENOSPC, "the disk is full; nothing was left half-written", "Make room"),
        (errno.EDQUOT, "the disk is full; nothing was left half-written", "Make room"),
        (errno.EACCES, "could not write the file: permission denied", "Make its folder writable"),
        (errno.EPERM, "could not write the file: operation not permitted", "Make its folder"),
        (errno.EROFS, "could not write the file: read-only file system", "Make its folder"),
        (errno.ENAMETOOLONG, "could not write the file: file name too long", "Use a shorter name."),
        (errno.EIO, "could not write the file: input/output error", ""),
    ],
)
@pytest.mark.parametrize("step", ["mkdir", "open", "fsync", "replace"])
def test_failure_leaves_the_file_as_it_was_and_names_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    error_number: int,
    message: str,
    remedy: str,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(error_number, os.strerror(error_number), ".temporary.new")

    monkeypatch.chdir(tmp_path)
    Path("page.html").write_bytes(b"old")
    monkeypatch.setattr(os if step == "fsync" else Path, step, fail)
    with pytest.raises(FileWriteError) as caught:
        write_public_file(Path("page.html"), b"new", make_folders=True, durable=True)
    monkeypatch.undo()
    (problem,) = caught.value.problems
    assert (problem.where, problem.message) == (("page.html", None), message)
    assert problem.remedy.startswith(remedy)
    assert (tmp_path / "page.html").read_bytes() == b"old"
    assert [*tmp_path.iterdir()] == [tmp_path / "page.html"]


@pytest.mark.parametrize("step", ["open", "replace"])
def test_interruption_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    do_step = getattr(Path, step)

    def interrupt(*args: object) -> None:
        if step == "open":
            do_step(*args).close()
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, step, interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_public_file(tmp_path / "page.html", b"new")
    assert [*tmp_path.iterdir()] == []


def test_no_other_module_writes_a_whole_file() -> None:
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"write_bytes", "write_text"}
    }
    # Two tools for developers, and three that write into a temporary folder.
    assert found == {
        "config/json_schema.py",
        "posts/front_matter/json_schema.py",
        "preview/dropped_post.py",
        "preview/previous_version.py",
        "project/scaffold.py",
    }
