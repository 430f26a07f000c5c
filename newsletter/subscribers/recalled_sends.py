"""Tell whether a scheduled send was recalled, so that nobody has it.

Pure. SendGrid guarantees that it discards what it holds if it has confirmed the cancellation in
time. A later confirmation proves nothing, and the send counts as one that readers may have.
"""

import datetime

# SendGrid guarantees a cancellation only until so long before the scheduled time.
PROVIDER_CANCEL_MARGIN = datetime.timedelta(minutes=10)


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
