from collections.abc import Callable

import pytest

from newsletter.config import Config, find_placeholders
from newsletter.config.scaffold_placeholders import has_reserved_domain

REAL = """\
name: Harbour Notes
sender: {name: Harbour Notes, address: ed@harbournotes.org}
site_url: https://harbournotes.org
"""


def test_examples_are_named_and_real_values_are_not(load: Callable[..., Config]) -> None:
    told = [str(problem) for problem in find_placeholders(load())]
    assert len(told) == 2
    assert told[0] == (
        "sender.address in newsletter.yml is still the example editor@harbournotes.example. "
        "Put your own there."
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
def test_only_domains_reserved_for_examples_are_placeholders(
    value: str,
    expected: bool,  # noqa: FBT001
) -> None:
    assert has_reserved_domain(value) is expected
