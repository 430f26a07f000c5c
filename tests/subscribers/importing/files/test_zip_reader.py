import io
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.errors import SubscriberListError
from newsletter.subscribers.importing.files.zip_reader import is_zip_file, unpack_lists

MOST = 10_000


def packed(folder: Path, files: Mapping[str, bytes]) -> Path:
    path = folder / "audience.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def refusal(path: Path, most: int = MOST) -> str:
    with pytest.raises(SubscriberListError) as caught, unpack_lists(path, most):
        pass
    (problem,) = caught.value.problems
    assert problem.where is not None
    assert problem.where.path == str(path)
    return problem.message


def test_the_csv_files_and_no_others(tmp_path: Path) -> None:
    path = packed(
        tmp_path,
        {
            "list/Readers.CSV": b"email\n", "posts/1.html": b"<p>", "__MACOSX/._a.csv": b"x",
            ".hidden.csv": b"x", "more.tsv": b"email\tname\n",
        },
    )  # fmt: skip
    assert is_zip_file(path)
    with unpack_lists(path, MOST) as files:
        assert [file.name for file in files] == ["Readers.CSV", "more.tsv"]
        assert files[0].path.read_bytes() == b"email\n"
        assert files[0].path.parent.stat().st_mode & 0o077 == 0
    assert not files[0].path.exists()


@pytest.mark.parametrize(
    "name",
    ["../readers.csv", "/etc/readers.csv", "a/../../b.csv", "C:\\r.csv", "c:r.csv", "a\nb.csv"],
)
def test_names_that_lead_elsewhere(tmp_path: Path, name: str) -> None:
    assert "which leads elsewhere" in refusal(packed(tmp_path, {name: b"email\n"}))
    assert not list(tmp_path.rglob("*.csv"))
    assert not (tmp_path.parent / "readers.csv").exists()


def test_a_name_cut_off_at_a_nul(tmp_path: Path) -> None:
    path = packed(tmp_path, {"readers.csvX.txt": b"email\n"})
    path.write_bytes(path.read_bytes().replace(b"readers.csvX", b"readers.csv\0"))
    assert "leads elsewhere" in refusal(path)


def test_an_archive_in_it(tmp_path: Path) -> None:
    inner = packed(tmp_path, {"a.csv": b"email\n"}).read_bytes()
    message = refusal(packed(tmp_path, {"a.csv": b"email\n", "inner.ZIP": inner}))
    assert message == "there is another archive in the ZIP: 'inner.ZIP'"


def test_too_large_by_its_own_word(tmp_path: Path) -> None:
    path = packed(tmp_path, {"a.csv": b"x" * 6_000, "b.csv": b"x" * 6_000})
    assert refusal(path) == "the files in the ZIP have more than 10,000 bytes"
    with unpack_lists(path, 12_000) as files:
        assert len(files) == 2


def test_a_bomb_that_says_it_is_small(tmp_path: Path) -> None:
    path = packed(tmp_path, {"a.csv": b"x" * 50_000_000})
    data = path.read_bytes()
    assert len(data) < 100_000
    path.write_bytes(data.replace((50_000_000).to_bytes(4, "little"), (50).to_bytes(4, "little")))
    assert refusal(path).startswith("the ZIP is broken")


def test_encrypted(tmp_path: Path) -> None:
    path = packed(tmp_path, {"a.csv": b"email\n"})
    data = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + flags] |= 1
    path.write_bytes(bytes(data))
    assert refusal(path) == "the ZIP is encrypted"


def test_an_excel_workbook_and_a_zip_without_readers(tmp_path: Path) -> None:
    path = packed(tmp_path, {"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"})
    assert refusal(path) == "this is an Excel workbook"
    assert refusal(packed(tmp_path, {"a.html": b""})) == "there is no CSV file in the ZIP"


def test_far_too_many_files(tmp_path: Path) -> None:
    path = packed(tmp_path, {f"{number}.csv": b"" for number in range(10_001)})
    assert refusal(path) == "there are more than 10,000 files in the ZIP"


@settings(deadline=None)
@given(st.data())
def test_a_broken_zip_is_refused_in_words(data: st.DataObject) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("readers.csv", b"email\nada@example.com\n" * 5)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "broken.zip"
        path.write_bytes(bytes(content[: data.draw(st.integers(4, len(content)))]))
        try:
            with unpack_lists(path, MOST):
                pass
        except SubscriberListError:
            pass
