"""Find the enhanced status code (RFC 3463) in a bounce's texts. Pure."""

import re
from collections.abc import Iterable

# Class 2, 4 or 5, a subject from 0 to 7, a detail. Servers write it after a reply code, in
# brackets, with a # before or a full stop after it; part of an IP address or a version is no code.
_CODE = re.compile(
    r"(?<![\w.])(?P<kind>[245])\.(?P<subject>0{0,2}[0-7])\.(?P<detail>\d{1,3})(?!\d|\.\d|[A-Za-z_])"
)
# Those of a mailbox that doesn't exist: no such mailbox, no such domain, a syntax error, moved,
# a domain that accepts no email (RFC 7505), disabled.
_NO_SUCH_MAILBOX = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})


def find_status_code(texts: Iterable[str]) -> str:
    """Return the first code that says something, or ``""``.

    A detail of 0 means "other or undefined" (RFC 3463 3.1): a relay reports it where the server
    behind it gave the real code, further on in the text.

    Args:
        texts: a bounce's ``status``, then its ``reason``.
    """
    codes = [
        f"{match['kind']}.{int(match['subject'])}.{int(match['detail'])}"
        for text in texts
        for match in _CODE.finditer(text)
    ]
    specific = (code for code in codes if not code.endswith(".0"))
    return next(specific, codes[0] if codes else "")


def is_missing_mailbox(code: str) -> bool:
    """Return whether a code means that the mailbox doesn't exist, now or later."""
    return code in _NO_SUCH_MAILBOX
