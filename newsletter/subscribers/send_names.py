"""Name the sends of an issue: the first, those set aside, catch-ups.

Pure. The send of an issue has the issue's name. A recalled send keeps its row, under another name,
once the issue is planned again: ``2026-12-01-ice~recalled-1``. A catch-up, to readers who joined
later, is ``2026-12-01-ice~catch-up-1``.
"""

import re
from collections.abc import Collection

RECALLED_MARK = "~recalled-"
CATCH_UP_MARK = "~catch-up-"
_DERIVED_NAME = re.compile(rf"(?P<issue>.+?)(?:(?:{RECALLED_MARK}|{CATCH_UP_MARK})\d+)+")


def make_recalled_name(name: str, number: int) -> str:
    """Return the name of a recalled send, once its issue has been planned again.

    Args:
        name: the name that the send had.
        number: 1 for the first such send.
    """
    return f"{name}{RECALLED_MARK}{number}"


def make_catch_up_name(issue: str, taken: Collection[str]) -> str:
    """Return the name of the next catch-up of an issue.

    Args:
        issue: the issue's name.
        taken: the names that its sends have.
    """
    prefix = issue + CATCH_UP_MARK
    endings = (name.removeprefix(prefix) for name in taken if name.startswith(prefix))
    numbers = (int(ending) for ending in endings if ending.isdecimal())
    return f"{prefix}{max(numbers, default=0) + 1}"


def is_set_aside_name(name: str) -> bool:
    """Return whether a send was recalled, and its issue was planned again."""
    return RECALLED_MARK in name


def get_original_issue(name: str) -> str:
    """Return the issue of a send, given the send's name."""
    match = _DERIVED_NAME.fullmatch(name)
    return match["issue"] if match else name
