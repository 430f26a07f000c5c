import io

import pytest

from newsletter.errors import Location
from newsletter.posts.importing.sources.csv_rows import CsvRow, iter_csv_rows

BREAKS_OFF = "the file breaks off in this row, or a quotation mark is missing"
TOO_MANY_CELLS = "the row has more cells than the first line"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('1,"<p>one</p>"', [CsvRow({"id": "1", "text": "<p>one</p>"})]),
        (
            '1,"two\nlines"\n\n2,b\n\n',
            [CsvRow({"id": "1", "text": "two\nlines"}), CsvRow({"id": "2", "text": "b"})],
        ),
        ("1", [CsvRow({"id": "1", "text": ""})]),
        ("1,a,,\n", [CsvRow({"id": "1", "text": "a"})]),
        ('1,"cut he', [CsvRow({"id": "1", "text": "cut he"}, BREAKS_OFF)]),
        ('1,"cut he\n', [CsvRow({"id": "1", "text": "cut he\n"}, BREAKS_OFF)]),
        ('1,a,"cut', [CsvRow({"id": "1", "text": "a"}, BREAKS_OFF)]),
        (
            "1,fog, wind and rain\n2,b",
            [CsvRow({"id": "1", "text": "fog"}, TOO_MANY_CELLS), CsvRow({"id": "2", "text": "b"})],
        ),
    ],
)
def test_row_that_may_be_incomplete_is_told(lines: str, expected: list[CsvRow]) -> None:
    file = io.BytesIO(f"id,text\n{lines}".encode())
    assert [*iter_csv_rows(file, Location("posts.csv"), frozenset({"id"}))] == expected


def test_of_columns_with_one_name_the_first_text_counts() -> None:
    file = io.BytesIO(b"Subject,slug,subject\nFog,fog,\n,wind,Wind\nRain,rain,Snow\n")
    rows = [row.cells for row in iter_csv_rows(file, Location("emails.csv"), frozenset({"slug"}))]
    assert [row["subject"] for row in rows] == ["Fog", "Wind", "Rain"]
