"""Format counts with their nouns, and suggestions, for every message."""

from collections.abc import Sequence


def pluralize(count: int, noun: str) -> str:
    """Return the noun as it follows a count: ``reader``, ``readers``; ``batch``, ``batches``."""
    if count == 1:
        return noun
    return f"{noun}es" if noun.endswith("ch") else f"{noun}s"


def format_count(count: int, noun: str) -> str:
    """Format a count with its noun: ``1 reader``, ``2,481 readers``."""
    return f"{count:,} {pluralize(count, noun)}"


def format_suggestion(names: Sequence[str]) -> str:
    """Format names that were perhaps meant: ``Did you mean a or b?``; empty without any."""
    shown = ", ".join([*names[:-2], " or ".join(names[-2:])])
    return f"Did you mean {shown}?" if names else ""
