"""Claim a notification in a file while the database can't be written."""

import hashlib
import os
import tempfile
import time
from pathlib import Path

from newsletter.private_files import create_private_file

# newsletter serve starts a due send that fails again every few seconds.
REPEAT_SECONDS = 3600.0


def claim_locally(key: str, now: float | None = None) -> bool:
    """Return whether nobody on this machine has claimed ``key`` within the last hour.

    If that can't be recorded either, it is as if nobody had: rather too often than never.

    Args:
        key: what is notified, and of which send.
        now: the time, in seconds since 1970; the clock's if left out.
    """
    now = time.time() if now is None else now
    try:
        digest = hashlib.sha256(key.encode()).hexdigest()[:32]
        path = Path(tempfile.gettempdir()) / f"newsletter-notified-{digest}"
        try:
            # An empty file needs no space on a full disk.
            create_private_file(path).close()
        except FileExistsError:
            if 0 <= now - path.lstat().st_mtime < REPEAT_SECONDS:
                return False
        os.utime(path, (now, now), follow_symlinks=False)
    except (OSError, NotImplementedError):
        return True
    return True
