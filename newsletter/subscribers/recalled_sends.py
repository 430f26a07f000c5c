"""Tell whether a scheduled send was recalled, so that nobody has it.

Pure. SendGrid guarantees that it discards what it holds if it has confirmed the cancellation in
time. A later confirmation proves nothing, and the send counts as one that readers may have.

The send of a recalled issue keeps its row, under another name, once the issue is planned again:
``2026-12-01-ice~recalled-1``.
"""

import datetime
import re

# SendGrid guarantees a cancellation only until so long before the scheduled time.
PROVIDER_CANCEL_MARGIN = datetime.timedelta(minutes=10)
RECALLED_MARK = "~recalled-"
_RECALLED_NAME = re.compile(rf"(?P<issue>.+){RECALLED_MARK}\d+")


def is_recalled(
    scheduled_at: datetime.datetime | None, recalled_at: datetime.datetime | None
) -> bool:
    """Return whether a send was recalled in time, so that nobody has it.

    Args:
        scheduled_at: when the provider was to deliver it.
        recalled_at: when the provider had confirmed the cancellation.
    """
    return (
        scheduled_at is not None
        and recalled_at is not None
        and scheduled_at - recalled_at >= PROVIDER_CANCEL_MARGIN
    )


def make_recalled_name(issue: str, number: int) -> str:
    """Return the name of an issue's recalled send, once the issue has been planned again.

    Args:
        issue: the issue's name.
        number: 1 for the first such send.
    """
    return f"{issue}{RECALLED_MARK}{number}"


def get_original_issue(name: str) -> str:
    """Return the issue of a send, given the send's name; they differ only after a recall."""
    match = _RECALLED_NAME.fullmatch(name)
    return match["issue"] if match else name
