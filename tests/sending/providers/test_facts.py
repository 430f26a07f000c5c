"""Facts about providers: how many readers may share a batch."""

from dataclasses import replace
from typing import Any

import pytest

from newsletter.sending.providers.sendgrid.facts import FACTS


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({}, 1_000),
        ({"outcome": "each"}, 1),
        ({"fills": "rendered"}, 1),
        ({"headers_per_reader": False}, 1),
    ],
)
def test_readers_share_a_batch_only_if_all_of_it_can_differ_between_them(
    changes: dict[str, Any], size: int
) -> None:
    assert replace(FACTS, unit_size=1_000, **changes).max_batch_size == size
