import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import SubscriberListError
from newsletter.subscribers.importing.files.csv_reader import (
    MAX_ROW_CHARACTERS,
    MAX_ROW_LINES,
    FileRow,
    open_csv,
)


def read_rows(path: Path, content: str | bytes) -> list[FileRow]:
    path = path / "readers.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with open_csv(path) as file:
        return list(file.rows())


def read_cells(path: Path, content: str | bytes) -> list[list[str]]:
    found = read_rows(path, content)
    assert not any(row.problem for row in found)
    return [row.cells for row in found]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_any_delimiter_and_line_end_is_read(tmp_path: Path, delimiter: str, line_end: str) -> None:
    text = "email" + delimiter + "name" + line_end + f'a@b.com{delimiter}"Ada,;|\tL"' + line_end
    assert read_cells(tmp_path, text) == [["email", "name"], ["a@b.com", "Ada,;|\tL"]]


def test_one_column_needs_no_delimiter(tmp_path: Path) -> None:
    assert read_cells(tmp_path, "a@b.com\nc@d.com") == [["a@b.com"], ["c@d.com"]]


def test_separator_hint_of_excel_is_skipped(tmp_path: Path) -> None:
    assert read_rows(tmp_path, "sep=;\nemail;name\na@b.com;Ada, L") == [
        FileRow(2, ["email", "name"]),
        FileRow(3, ["a@b.com", "Ada, L"]),
    ]


def test_blank_rows_are_skipped_but_counted(tmp_path: Path) -> None:
    assert read_rows(tmp_path, "\nemail,name\n\n,,\n \na@b.com,Ada\n")[:2] == [
        FileRow(2, ["email", "name"]),
        FileRow(6, ["a@b.com", "Ada"]),
    ]


def test_space_between_delimiter_and_quote_is_ignored(tmp_path: Path) -> None:
    assert read_cells(tmp_path, 'email, name\na@b.com, "L, Ada"')[1] == ["a@b.com", "L, Ada"]


def test_cell_may_contain_line_breaks(tmp_path: Path) -> None:
    assert read_rows(tmp_path, 'email,note\na@b.com,"one\ntwo"\nc@d.com,x')[1:] == [
        FileRow(2, ["a@b.com", "one\ntwo"]),
        FileRow(4, ["c@d.com", "x"]),
    ]


@pytest.mark.parametrize(
    "broken",
    [
        "b@b.com",
        "b@b.com,B,too,many",
        'b@b.com,"never closed',
        'b@b.com,"closed" too early',
        "b@b.com," + "x" * 140_000,
        "b@b.com," + "x" * 10_000_000,
        "b@b.com," + '"x\n' * 3,
    ],
    ids=["short", "long", "open", "early", "field", "10 MB", "quotes"],
)
def test_broken_row_does_not_affect_other_rows(tmp_path: Path, broken: str) -> None:
    found = read_rows(tmp_path, f"email,name\na@b.com,A\n{broken}\nc@d.com,C\ne@f.com,E\n")
    valid = [row.cells for row in found if not row.problem]
    assert valid == [["email", "name"], ["a@b.com", "A"], ["c@d.com", "C"], ["e@f.com", "E"]]
    broken_rows = [row for row in found if row.problem]
    assert broken_rows[0].line == 3
    assert sum(len(cell) for cell in broken_rows[0].cells) < 150_000


def test_unclosed_quote_does_not_swallow_a_row_with_quotes(tmp_path: Path) -> None:
    found = read_rows(tmp_path, 'email,name\nb@b.com,"open\nc@d.com,"C, D"\ne@f.com,E\n')
    assert [row.cells[0] for row in found if not row.problem] == ["email", "c@d.com", "e@f.com"]


def test_repeated_unclosed_quotes_do_not_swallow_the_file(tmp_path: Path) -> None:
    lines = 3 * MAX_ROW_LINES
    found = read_rows(tmp_path, "email,name\n" + 'a",""\n' * lines + "c@d.com,C\n")
    assert found[-1] == FileRow(lines + 2, ["c@d.com", "C"])


def test_last_line_that_is_too_long_is_rejected(tmp_path: Path) -> None:
    found = read_rows(tmp_path, "email,name\na@b.com,A\n" + "x" * (MAX_ROW_CHARACTERS + 5))
    assert [row.problem for row in found] == ["", "", "the row is too long"]


def test_nul_bytes_are_kept(tmp_path: Path) -> None:
    assert read_cells(tmp_path, b"email,name\na@b.com,A\0da\n")[1] == ["a@b.com", "A\0da"]


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TABLES = st.lists(st.tuples(st.from_regex(r"[a-z]{1,5}@x\.com", fullmatch=True), NAMES))


@given(TABLES)
def test_written_tables_are_read_back(table: list[tuple[str, str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("email", "name"), *table])
    with tempfile.TemporaryDirectory() as folder:
        found = read_cells(Path(folder), text.getvalue())
    # Spaces around cells aren't preserved.
    assert [[address, name.strip()] for address, name in found[1:]] == [
        [address, name.strip()] for address, name in table
    ]


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_rejected_as_a_whole(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = read_rows(Path(folder), b"email,name\n" + data)
        except SubscriberListError:
            return
    numbers = [row.line for row in found]
    assert numbers == sorted(set(numbers))
