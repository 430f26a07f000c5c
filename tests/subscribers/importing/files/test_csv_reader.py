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


def rows(path: Path, content: str | bytes) -> list[FileRow]:
    path = path / "readers.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with open_csv(path) as file:
        return list(file.rows())


def cells(path: Path, content: str | bytes) -> list[list[str]]:
    found = rows(path, content)
    assert not any(row.problem for row in found)
    return [row.cells for row in found]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_delimiter_and_line_end(tmp_path: Path, delimiter: str, end: str) -> None:
    text = "email" + delimiter + "name" + end + f'a@b.com{delimiter}"Ada,;|\tL"' + end
    assert cells(tmp_path, text) == [["email", "name"], ["a@b.com", "Ada,;|\tL"]]


def test_one_column_needs_no_delimiter(tmp_path: Path) -> None:
    assert cells(tmp_path, "a@b.com\nc@d.com") == [["a@b.com"], ["c@d.com"]]


def test_a_spreadsheets_own_first_line(tmp_path: Path) -> None:
    assert rows(tmp_path, "sep=;\nemail;name\na@b.com;Ada, L") == [
        FileRow(2, ["email", "name"]),
        FileRow(3, ["a@b.com", "Ada, L"]),
    ]


def test_blank_rows_are_passed_over_and_rows_keep_their_numbers(tmp_path: Path) -> None:
    assert rows(tmp_path, "\nemail,name\n\n,,\n \na@b.com,Ada\n")[:2] == [
        FileRow(2, ["email", "name"]),
        FileRow(6, ["a@b.com", "Ada"]),
    ]


def test_spaces_after_the_delimiter_do_not_hide_a_quote(tmp_path: Path) -> None:
    assert cells(tmp_path, 'email, name\na@b.com, "L, Ada"')[1] == ["a@b.com", "L, Ada"]


def test_a_cell_may_have_several_lines(tmp_path: Path) -> None:
    assert rows(tmp_path, 'email,note\na@b.com,"one\ntwo"\nc@d.com,x')[1:] == [
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
def test_a_broken_row_stops_no_other(tmp_path: Path, broken: str) -> None:
    found = rows(tmp_path, f"email,name\na@b.com,A\n{broken}\nc@d.com,C\ne@f.com,E\n")
    good = [row.cells for row in found if not row.problem]
    assert good == [["email", "name"], ["a@b.com", "A"], ["c@d.com", "C"], ["e@f.com", "E"]]
    bad = [row for row in found if row.problem]
    assert bad[0].line == 3
    assert sum(len(cell) for cell in bad[0].cells) < 150_000


def test_an_open_quote_swallows_no_row_that_has_quotes_itself(tmp_path: Path) -> None:
    found = rows(tmp_path, 'email,name\nb@b.com,"open\nc@d.com,"C, D"\ne@f.com,E\n')
    assert [row.cells[0] for row in found if not row.problem] == ["email", "c@d.com", "e@f.com"]


def test_quotes_that_are_opened_again_and_again_do_not_take_the_whole_file(
    tmp_path: Path,
) -> None:
    lines = 3 * MAX_ROW_LINES
    found = rows(tmp_path, "email,name\n" + 'a",""\n' * lines + "c@d.com,C\n")
    assert found[-1] == FileRow(lines + 2, ["c@d.com", "C"])


def test_a_last_line_that_is_too_long(tmp_path: Path) -> None:
    found = rows(tmp_path, "email,name\na@b.com,A\n" + "x" * (MAX_ROW_CHARACTERS + 5))
    assert [row.problem for row in found] == ["", "", "the row is too long"]


def test_bytes_that_are_nul_are_kept_to_be_refused(tmp_path: Path) -> None:
    assert cells(tmp_path, b"email,name\na@b.com,A\0da\n")[1] == ["a@b.com", "A\0da"]


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TABLES = st.lists(st.tuples(st.from_regex(r"[a-z]{1,5}@x\.com", fullmatch=True), NAMES))


@given(TABLES)
def test_what_is_written_is_read(table: list[tuple[str, str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("email", "name"), *table])
    with tempfile.TemporaryDirectory() as folder:
        found = cells(Path(folder), text.getvalue())
    # Spaces between a delimiter and a cell are nobody's.
    assert [[address, name.strip()] for address, name in found[1:]] == [
        [address, name.strip()] for address, name in table
    ]


@given(st.binary(max_size=300))
def test_any_bytes_are_read_row_by_row_or_refused_as_a_whole(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = rows(Path(folder), b"email,name\n" + data)
        except SubscriberListError:
            return
    numbers = [row.line for row in found]
    assert numbers == sorted(set(numbers))
