import io
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.errors import SubscriberListError
from newsletter.subscribers.importing.files.zip_reader import unpack_lists
from newsletter.zip_files import is_zip_file

MAX_BYTES = 10_000


def create_zip(folder: Path, files: Mapping[str, bytes]) -> Path:
    path = folder / "audience.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def rejection_message(path: Path, max_bytes: int = MAX_BYTES) -> str:
    with pytest.raises(SubscriberListError) as caught, unpack_lists(path, max_bytes):
        pass
    (problem,) = caught.value.problems
    assert problem.where is not None
    assert problem.where.path == str(path)
    return problem.message


def test_only_csv_files_are_unpacked(tmp_path: Path) -> None:
    path = create_zip(
        tmp_path,
        {
            "list/Readers.CSV": b"email\n",
            "posts/1.html": b"<p>",
            "__MACOSX/._a.csv": b"x",
            ".hidden.csv": b"x",
            "more.tsv": b"email\tname\n",
        },
    )
    assert is_zip_file(path)
    with unpack_lists(path, MAX_BYTES) as (files, ignored):
        assert [file.name for file in files] == ["list/Readers.CSV", "more.tsv"]
        assert ignored == [
            ("posts/1.html", "not a CSV file"),
            ("__MACOSX/._a.csv", "metadata of macOS"),
            (".hidden.csv", "a hidden file"),
        ]
        assert files[0].path.read_bytes() == b"email\n"
        assert files[0].path.parent.stat().st_mode & 0o077 == 0
    assert not files[0].path.exists()


@pytest.mark.parametrize(
    "name",
    ["../readers.csv", "/etc/readers.csv", "a/../../b.csv", "C:\\r.csv", "c:r.csv", "a\nb.csv"],
)
def test_unsafe_file_name_is_rejected(tmp_path: Path, name: str) -> None:
    assert "unsafe file name" in rejection_message(create_zip(tmp_path, {name: b"email\n"}))
    assert not list(tmp_path.rglob("*.csv"))
    assert not (tmp_path.parent / "readers.csv").exists()


def test_file_name_with_a_nul_is_rejected(tmp_path: Path) -> None:
    path = create_zip(tmp_path, {"readers.csvX.txt": b"email\n"})
    path.write_bytes(path.read_bytes().replace(b"readers.csvX", b"readers.csv\0"))
    assert "unsafe file name" in rejection_message(path)


def test_nested_archive_is_rejected(tmp_path: Path) -> None:
    inner = create_zip(tmp_path, {"a.csv": b"email\n"}).read_bytes()
    message = rejection_message(create_zip(tmp_path, {"a.csv": b"email\n", "inner.ZIP": inner}))
    assert message == "the ZIP contains another archive: 'inner.ZIP'"


def test_zip_that_declares_too_many_bytes_is_rejected(tmp_path: Path) -> None:
    path = create_zip(tmp_path, {"a.csv": b"x" * 6_000, "b.csv": b"x" * 6_000})
    assert rejection_message(path) == "the files in the ZIP have more than 10,000 bytes in total"
    with unpack_lists(path, 12_000) as (files, _):
        assert len(files) == 2


def test_zip_bomb_that_declares_a_small_size_is_rejected(tmp_path: Path) -> None:
    path = create_zip(tmp_path, {"a.csv": b"x" * 50_000_000})
    data = path.read_bytes()
    assert len(data) < 100_000
    path.write_bytes(data.replace((50_000_000).to_bytes(4, "little"), (50).to_bytes(4, "little")))
    assert rejection_message(path).startswith("'a.csv' in the ZIP is damaged")


def test_zip_that_declares_too_large_a_size_is_read(tmp_path: Path) -> None:
    path = create_zip(tmp_path, {"a.csv": b"x" * 500})
    data = path.read_bytes()
    size_at = data.index(b"PK\x01\x02") + 24
    path.write_bytes(data[:size_at] + (1 << 30).to_bytes(4, "little") + data[size_at + 4 :])
    with unpack_lists(path, 1_000) as (files, _):
        assert files[0].path.stat().st_size == 500


def test_encrypted_zip_is_rejected(tmp_path: Path) -> None:
    path = create_zip(tmp_path, {"a.csv": b"email\n"})
    data = bytearray(path.read_bytes())
    for signature, flags_offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags_offset] |= 1
    path.write_bytes(bytes(data))
    assert rejection_message(path) == "'a.csv' in the ZIP is encrypted"


def test_excel_workbook_and_zip_without_lists_are_rejected(tmp_path: Path) -> None:
    path = create_zip(tmp_path, {"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"})
    assert rejection_message(path) == "this is an Excel workbook"
    assert (
        rejection_message(create_zip(tmp_path, {"a.html": b""}))
        == "there is no CSV file in the ZIP"
    )


def test_zip_with_too_many_files_is_rejected(tmp_path: Path) -> None:
    path = create_zip(tmp_path, {f"{number}.csv": b"" for number in range(10_001)})
    assert rejection_message(path) == "there are more than 10,000 files in the ZIP"


def test_zip_with_a_huge_directory_is_rejected_before_it_is_read(tmp_path: Path) -> None:
    """A directory of 58 MB with a million empty files took 459 MB."""
    path = tmp_path / "audience.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(80):
            info = zipfile.ZipInfo(f"{number}.csv")
            info.comment = b"x" * 60_000
            archive.writestr(info, b"email\n")
    assert rejection_message(path) == "there are more than 10,000 files in the ZIP"


COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def change_data(path: Path, name: str, offset: int, data: bytes) -> None:
    """Overwrite bytes of the first file's compressed data."""
    content = bytearray(path.read_bytes())
    start = 30 + len(name) + offset
    content[start : start + len(data)] = data
    path.write_bytes(content)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    ("offset", "data", "reason"),
    [
        (16, b"\xff" * 4, "Bad CRC-32"),
        (20, (10).to_bytes(4, "little"), "Bad CRC-32"),  # the size of its data, too small
        (8, b"\x20", "compressed patched data"),
    ],
)
def test_damaged_file_is_named(
    tmp_path: Path, compression: int, offset: int, data: bytes, reason: str
) -> None:
    path = tmp_path / "audience.zip"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("readers.csv", b"email\nada@example.com\n" * 5)
        archive.writestr("more.csv", b"email\n")
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\x01\x02") + offset  # in the first entry of the central directory
    content[start : start + len(data)] = data
    path.write_bytes(content)
    message = rejection_message(path)
    assert message.startswith(f"'readers.csv' in the ZIP is damaged: {reason}")


def test_file_that_runs_past_the_end_of_the_zip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "audience.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readers.csv", b"email\n")
    content = bytearray(path.read_bytes())
    sizes_at = content.index(b"PK\x01\x02") + 20
    content[sizes_at : sizes_at + 8] = (5_000).to_bytes(4, "little") * 2
    path.write_bytes(content)
    # Newer versions of Python call it an overlap.
    assert rejection_message(path).startswith("'readers.csv' in the ZIP is damaged: ")


@pytest.mark.parametrize(
    ("method", "name"),
    [(9, "Deflate64"), (12, "bzip2"), (14, "LZMA"), (93, "Zstandard"), (77, "method 77")],
)
def test_only_stored_and_deflated_files_are_unpacked(
    tmp_path: Path, method: int, name: str
) -> None:
    path = create_zip(tmp_path, {"readers.csv": b"email\n", "logo.png": b"\x89PNG"})
    content = bytearray(path.read_bytes())
    for signature, method_offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.index(signature) + method_offset] = method
    path.write_bytes(content)
    expected = f"'readers.csv' in the ZIP is compressed with {name}, not with Deflate"
    assert rejection_message(path) == expected


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_damaged_content_is_rejected_with_a_message(tmp_path: Path, compression: int) -> None:
    path = tmp_path / "audience.zip"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("readers.csv", b"email\nada@example.com\n" * 5)
    change_data(path, "readers.csv", 8, b"\xff" * 12)
    assert rejection_message(path).startswith("'readers.csv' in the ZIP is ")


def test_damaged_file_name_or_offset_is_rejected_with_a_message(tmp_path: Path) -> None:
    path = create_zip(tmp_path, {"abgem\xf6ldet.csv": b"email\n"})
    content = path.read_bytes()
    path.write_bytes(content.replace("\xf6".encode(), b"\xff\xff"))
    assert rejection_message(path).startswith("the ZIP is damaged")
    end = content.rindex(b"PK\x05\x06")
    path.write_bytes(content[: end + 12] + b"\xff" * 4 + content[end + 16 :])
    assert rejection_message(path).startswith("the ZIP is damaged")


def test_error_of_the_import_is_not_taken_for_a_damaged_zip(tmp_path: Path) -> None:
    path = create_zip(tmp_path, {"readers.csv": b"email\n"})
    with pytest.raises(ValueError, match="of the import"), unpack_lists(path, MAX_BYTES):
        raise ValueError("of the import")


@settings(deadline=None)
@given(st.data())
def test_damaged_zip_is_rejected_with_a_message(data: st.DataObject) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", data.draw(st.sampled_from(COMPRESSIONS))) as archive:
        archive.writestr("readers.csv", b"email\nada@example.com\n" * 5)
        archive.writestr("l\xebsere.csv", b"email\n")
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "broken.zip"
        path.write_bytes(bytes(content[: data.draw(st.integers(4, len(content)))]))
        try:
            with unpack_lists(path, MAX_BYTES):
                pass
        except SubscriberListError:
            pass
