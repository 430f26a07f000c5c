from collections.abc import Callable

import pytest

from newsletter.config import Config, find_placeholders
from newsletter.config.scaffold_placeholders import has_reserved_domain

REAL = """\
name: Harbour Notes
sender: {name: Harbour Notes, address: ed@harbournotes.org}
site_url: https://harbournotes.org
"""


def test_only_example_values_are_reported(load: Callable[..., Config]) -> None:
    problems = [str(problem) for problem in find_placeholders(load())]
    assert len(problems) == 2
    assert problems[0] == (
        "sender.address in newsletter.yml is still the example editor@harbournotes.example. "
        "Replace it with your own."
    )
    assert find_placeholders(load(whole=REAL)) == ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a@b.example", True),
        ("a@EXAMPLE.com", True),
        ("a@mail.example.org", True),
        ("https://x.example:8000/y", True),
        ("a@notexample.com", False),
        ("a@example.community", False),
        ("https://harbour.org/?x=a.example", False),
    ],
)
def test_only_domains_reserved_by_rfc_2606_are_placeholders(
    value: str,
    expected: bool,
) -> None:
    assert has_reserved_domain(value) is expected
