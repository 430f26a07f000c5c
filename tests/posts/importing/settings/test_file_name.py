import datetime
from pathlib import PurePosixPath

import pytest

from newsletter.posts.importing.settings.file_name import parse_file_name

DAY = datetime.date(2026, 10, 2)


@pytest.mark.parametrize(
    ("path", "date", "slug", "title"),
    [
        ("_posts/2026-10-02-low-tide.md", DAY, "low-tide", "Low tide"),
        ("2026-10-2-low-tide.markdown", DAY, "low-tide", "Low tide"),
        ("2026-10-02_low_tide.md", DAY, "low-tide", "Low tide"),
        ("2026.10.02 Low tide.txt", DAY, "low-tide", "Low tide"),
        ("2026-10-02-low-tide/index.md", DAY, "low-tide", "Low tide"),
        ("posts/low-tide/index.nb.md", None, "low-tide", "Low tide"),
        ("low-tide/_index.md", None, "low-tide", "Low tide"),
        ("2026-10-02_Low-tide-4f0a8c1d2b3e.html", DAY, "low-tide", "Low tide"),
        ("2026-10-02-at-4f0a8c1d2b3e.md", DAY, "at-4f0a8c1d2b3e", "At 4f0a8c1d2b3e"),
        ("2026-10-02_Low-tide-4f0a8c1d2b3e.HTML", DAY, "low-tide", "Low tide"),
        ("2026-10-02_Low-tide-4f0a8c1d.htm", DAY, "low-tide-4f0a8c1d", "Low tide 4f0a8c1d"),
        ("low-tide-4f0a8c1d2b3e.html", None, "", "Low tide 4f0a8c1d2b3e"),
        ("1548.low-tide.html", None, "", "1548.low tide"),
        ("2025/01/01/2026-10-02-low-tide.md", DAY, "low-tide", "Low tide"),
        ("a/2026/10/02/b/low-tide.md", DAY, "", "Low tide"),
        ("2026/10/02/b/c/low-tide.md", None, "", "Low tide"),
        ("low-tide/index.pt-br.md", None, "low-tide", "Low tide"),
        ("low-tide/indexes.md", None, "", "Indexes"),
        ("154873201.low-tide.html", None, "low-tide", "Low tide"),
        ("2026-10-02.md", DAY, "", "2026 10 02"),
        ("2026-13-45-low-tide.md", None, "", "2026 13 45 low tide"),
        ("2026-10-02low.md", None, "", "2026 10 02low"),
        ("low-tide.md", None, "", "Low tide"),
        ("posts/2026/10/2/low-tide.md", DAY, "", "Low tide"),
        ("posts/2026/10/02/low-tide/index.md", DAY, "low-tide", "Low tide"),
        ("posts/2026/10/low-tide.md", None, "", "Low tide"),
        ("2026/13/45/low-tide.md", None, "", "Low tide"),
        ("index.md", None, "", "Index"),
        ("low-tide", None, "", "Low tide"),
        ("2026-10-02-…/index.md", DAY, "", "…"),
    ],
)
def test_date_and_slug_are_read_from_the_path(
    path: str, date: datetime.date | None, slug: str, title: str
) -> None:
    settings = parse_file_name(PurePosixPath(path))
    assert (settings.date, settings.slug, settings.title) == (date, slug, title)
