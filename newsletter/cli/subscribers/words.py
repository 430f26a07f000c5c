"""Numbers in words, for the commands of the list."""

from collections.abc import Mapping


def by_status(counts: Mapping[str, int]) -> str:
    """``40 active, 2 bounced``: those that there are."""
    return ", ".join(f"{count:,} {status}" for status, count in counts.items() if count)


def count_of(count: int, noun: str) -> str:
    """``1 row``, ``2,000 rows``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
