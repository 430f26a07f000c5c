"""Format numbers of a report: percent, sparklines, lists of reasons. Pure."""

from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"
DASH = "\N{EN DASH}"


def format_percent(share: float | None, digits: int = 1) -> str:
    """Return ``99.6 %``; a share above 0 is never rounded to 0, one below 1 never to 100."""
    if share is None:
        return DASH
    smallest = 10**-digits
    percent = 100 * share
    if 0 < percent < smallest / 2:
        return f"<{smallest:.{digits}f} %"
    if 100 - smallest / 2 <= percent < 100:  # noqa: PLR2004 - per cent
        percent = 100 - smallest
    return f"{percent:.{digits}f} %"


def sparkline(counts: Sequence[int]) -> str:
    """Return a bar of one of eight heights for each count; only 0 has the lowest."""
    maximum = max(counts, default=0)
    if not maximum:
        return _BARS[0] * len(counts)
    # Rounded up, so that any count above 0 differs from 0.
    return "".join(_BARS[-(-7 * count // maximum) if count else 0] for count in counts)


def group_hours(hours: Sequence[int], length: int) -> list[int]:
    """Return the sums of ``length`` hours each."""
    return [sum(hours[start : start + length]) for start in range(0, len(hours), length)]


def format_reasons(reasons: Sequence[tuple[str, int]], limit: int = 3) -> str:
    """Return ``8 invalid address, 3 mailbox full``; reasons beyond ``limit`` are summed up."""
    shown = [f"{count:,} {reason}" for reason, count in reasons[:limit]]
    rest = sum(count for _, count in reasons[limit:])
    return ", ".join([*shown, f"{rest:,} more"] if rest else shown)
