import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from newsletter.errors import PostError
from newsletter.posts.importing.sources.zip_guard import ZipFolder, open_zip


def create_zip(folder: Path, files: Mapping[str, bytes]) -> Path:
    path = folder / "posts.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def open_small_zip(path: Path) -> ZipFolder:
    return open_zip(path, max_total_bytes=10_000, max_entry_bytes=6_000)


def refusal_message(path: Path) -> str:
    def read_all() -> None:
        with open_small_zip(path) as folder:
            for name in folder.list_names():
                folder.read(name)

    with pytest.raises(PostError) as caught:
        read_all()
    return caught.value.problems[0].message


def test_files_are_listed_and_read(tmp_path: Path) -> None:
    path = create_zip(
        tmp_path,
        {
            "posts/1.html": b"<p>Gulls",
            "__MACOSX/posts/._1.html": b"x",
            "posts/.hidden": b"x",
            "files/Old.ZIP": b"PK",
            "posts/2\u00a0\u200d.html": b"<p>Knots",
        },
    )
    with open_small_zip(path) as folder:
        assert folder.list_names() == ["posts/1.html", "posts/2\u00a0\u200d.html"]
        assert folder.ignored == {
            "__MACOSX/posts/._1.html": "metadata of macOS",
            "posts/.hidden": "a hidden file",
            "files/Old.ZIP": "another archive",
        }
        assert folder.read("posts/1.html") == b"<p>Gulls"
        with folder.open("posts/1.html") as file:
            assert (file.read(3), file.read(), file.read()) == (b"<p>", b"Gulls", b"")
        with pytest.raises(KeyError):
            folder.read("posts/3.html")


def test_name_is_decoded(tmp_path: Path) -> None:
    """macOS writes UTF-8 without the flag that states it; Windows, the code page of DOS."""
    path = create_zip(tmp_path, {"m\xf6wen.html": b"<p>"})
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        content[content.index(signature) + offset] &= ~0x08
    path.write_bytes(content)
    with open_small_zip(path) as folder:
        assert folder.list_names() == ["m\xf6wen.html"]
    path.write_bytes(content.replace("\xf6".encode(), b"\x94x"))
    with open_small_zip(path) as folder:
        assert folder.list_names() == ["m\xf6xwen.html"]


def test_link_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "posts.zip"
    info = zipfile.ZipInfo("posts/1.html")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, b"/etc/passwd")
    with open_small_zip(path) as folder:
        assert (folder.list_names(), folder.ignored) == ([], {"posts/1.html": "a link"})


@pytest.mark.parametrize(
    "name", ["../a.html", "/a.html", "a/../../b.html", "C:a.html", "a\\b.html", "a\nb.html"]
)
def test_unsafe_name_is_refused(tmp_path: Path, name: str) -> None:
    assert "unsafe file name" in refusal_message(create_zip(tmp_path, {name: b"<p>"}))


def test_name_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    path = create_zip(tmp_path, {"a.html": b"<p>", "b.html": b"<p>"})
    path.write_bytes(path.read_bytes().replace(b"b.html", b"a.html"))
    assert refusal_message(path) == "the ZIP contains two files of the name 'a.html'"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.html": b"x" * 6_001}, "'a.html' in the ZIP has more than 6,000 bytes"),
        (
            {"a.html": b"x" * 6_000, "b.html": b"x" * 6_000},
            "the files in the ZIP have more than 10,000 bytes in total",
        ),
    ],
)
def test_too_large_files_are_refused(
    tmp_path: Path, files: Mapping[str, bytes], message: str
) -> None:
    assert refusal_message(create_zip(tmp_path, files)) == message


def test_file_read_twice_counts_once(tmp_path: Path) -> None:
    with open_small_zip(create_zip(tmp_path, {"a.html": b"x" * 6_000})) as folder:
        assert folder.read("a.html") == folder.read("a.html")


def test_bomb_is_refused_by_its_ratio(tmp_path: Path) -> None:
    path = create_zip(tmp_path, {"a.html": b"x" * 3_000_000})
    with (
        open_zip(path, max_total_bytes=1 << 30, max_entry_bytes=1 << 30) as folder,
        pytest.raises(PostError, match="more than 250 times its size"),
    ):
        folder.read("a.html")


def test_encrypted_file_is_refused_when_it_is_read(tmp_path: Path) -> None:
    path = create_zip(tmp_path, {"a.html": b"<p>", "b.html": b"<p>"})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with open_small_zip(path) as folder:
        assert folder.read("b.html") == b"<p>"
        with pytest.raises(PostError, match=r"'a\.html' in the ZIP is encrypted"):
            folder.read("a.html")


def test_damaged_zip_is_refused(tmp_path: Path) -> None:
    path = create_zip(tmp_path, {"a.html": b"<p>Gulls"})
    path.write_bytes(path.read_bytes()[:-10])
    assert refusal_message(path).startswith("the ZIP is damaged")
