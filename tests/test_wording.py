"""Counts with their nouns, and that no other module makes a plural by hand."""

import re
from pathlib import Path

import pytest

from newsletter.wording import format_count, pluralize

PACKAGE = Path(__file__).parent.parent / "newsletter"


@pytest.mark.parametrize(
    ("count", "noun", "text"),
    [
        (0, "reader", "0 readers"),
        (1, "reader", "1 reader"),
        (2, "reader", "2 readers"),
        (2_481, "reader", "2,481 readers"),
        (1, "batch", "1 batch"),
        (1_000, "batch", "1,000 batches"),
        (2, "unreadable event", "2 unreadable events"),
    ],
)
def test_count_has_the_form_of_the_noun_that_belongs_to_it(
    count: int, noun: str, text: str
) -> None:
    assert format_count(count, noun) == text
    assert text.endswith(f" {pluralize(count, noun)}")


def test_no_other_module_appends_an_s() -> None:
    by_hand = re.compile(r"""(?:""|'') if [^\n]*(?:== 1|!= 1) else ["']s["']|["']s["'] if """)
    found = [str(path) for path in PACKAGE.rglob("*.py") if by_hand.search(path.read_text())]
    assert found == []
