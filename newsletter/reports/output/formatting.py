"""Format numbers of a report: percent, sparklines, bars, sentences. Pure."""

from collections.abc import Sequence

from newsletter.reports.model import GrowthSinceIssue, LinkClicks
from newsletter.wording import format_count

_BARS = "▁▂▃▄▅▆▇█"
_PARTS = "▏▎▍▌▋▊▉█"
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


def draw_text_bar(value: int, maximum: int, width: int) -> str:
    """Return a horizontal bar of up to ``width`` characters; only 0 has none."""
    eighths = -(-value * width * len(_PARTS) // maximum) if maximum else 0
    full, rest = divmod(eighths, len(_PARTS))
    return _PARTS[-1] * full + (_PARTS[rest - 1] if rest else "")


def describe_growth(growth: GrowthSinceIssue, day: str) -> str:
    """Return a sentence about the list's growth since ``day``, that of the issue before."""
    net = f"a net {'gain' if growth.net > 0 else 'loss'} of {abs(growth.net):,}"
    if not growth.net:
        net = "no change"
    return (
        f"Since the last issue ({day}), {growth.joined:,} joined and {growth.left:,} left: {net}."
    )


def count_unclicked_links(links: Sequence[LinkClicks]) -> str:
    """Return a sentence about the links without a click, or ``""`` if there are none."""
    count = sum(not link.total for link in links)
    if not count:
        return ""
    return f"{format_count(count, 'more link')} {'was' if count == 1 else 'were'} not clicked."
