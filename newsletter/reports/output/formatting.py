"""How numbers of a report are written, on the terminal and on its page. Pure."""

from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"
DASH = "\N{EN DASH}"


def format_percent(share: float | None, digits: int = 1) -> str:
    """``99.6 %``; what isn't nothing is never called 0, what isn't all never 100."""
    if share is None:
        return DASH
    least = 10**-digits
    shown = 100 * share
    if 0 < shown < least / 2:
        return f"<{least:.{digits}f} %"
    if 100 - least / 2 <= shown < 100:  # noqa: PLR2004 - per cent
        shown = 100 - least
    return f"{shown:.{digits}f} %"


def sparkline(counts: Sequence[int]) -> str:
    """A bar of eight heights for each count; the highest is full, and 0 the lowest."""
    most = max(counts, default=0)
    if not most:
        return _BARS[0] * len(counts)
    # Whatever is there can be told from nothing.
    return "".join(_BARS[-(-7 * count // most) if count else 0] for count in counts)


def group_hours(hours: Sequence[int], length: int) -> list[int]:
    """Hours added up to steps of ``length`` hours."""
    return [sum(hours[start : start + length]) for start in range(0, len(hours), length)]


def format_reasons(reasons: Sequence[tuple[str, int]], limit: int = 3) -> str:
    """``8 invalid address, 3 mailbox full``; the rest after ``most`` in one."""
    shown = [f"{count:,} {words}" for words, count in reasons[:limit]]
    rest = sum(count for _, count in reasons[limit:])
    return ", ".join([*shown, f"{rest:,} more"] if rest else shown)
