"""Format counts with their nouns, for every message."""


def pluralize(count: int, noun: str) -> str:
    """Return the noun as it follows a count: ``reader``, ``readers``; ``batch``, ``batches``."""
    if count == 1:
        return noun
    return f"{noun}es" if noun.endswith("ch") else f"{noun}s"


def format_count(count: int, noun: str) -> str:
    """Format a count with its noun: ``1 reader``, ``2,481 readers``."""
    return f"{count:,} {pluralize(count, noun)}"
