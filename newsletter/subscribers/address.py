"""Parse an email address, and tell when two are the same."""

import re
from functools import lru_cache
from typing import NamedTuple

from newsletter.errors import SubscriberListError

# RFC 5322 dot-atom and RFC 5321 lengths: nearly every address there is. The rest goes the long way.
_DOT_ATOM = re.compile(r"[a-zA-Z0-9_!#$%&'*+\-/=?^`{|}~]+(?:\.[a-zA-Z0-9_!#$%&'*+\-/=?^`{|}~]+)*")
_MAX_LOCAL_LENGTH = 64
_MAX_LENGTH = 254
_MAX_SHOWN = 60
_MAX_VALIDATED = 1_000  # far too long already: megabytes aren't worth reading


class ParsedAddress(NamedTuple):
    """An address that can be mailed.

    Attributes:
        address: as typed, the domain lower-cased and in its own script.
        key: for comparing: case-folded, the domain in ASCII (IDNA 2008). One subscriber each.
    """

    address: str
    key: str


def parse_address(text: str) -> ParsedAddress:
    """Read one address; spaces around it are allowed, names and angle brackets are not.

    Checks the syntax (RFC 5321 and 5322) and that the domain may exist; asks no server.

    Raises:
        ListError: it is no address, or one that SendGrid can't mail to: it takes no letters
            beyond ASCII before the @ (RFC 6531).
    """
    text = text.strip(" \t\xa0\ufeff")
    local, at, domain = text.rpartition("@")
    if at and len(local) <= _MAX_LOCAL_LENGTH and _DOT_ATOM.fullmatch(local):
        known = _normalize_domain(domain)
        if known and len(local) + 1 + len(known[1]) <= _MAX_LENGTH:
            return ParsedAddress(f"{local}@{known[0]}", f"{local.casefold()}@{known[1]}")
    return _validate_address(text)


@lru_cache(maxsize=10_000)
def _normalize_domain(domain: str) -> tuple[str, str] | None:
    """The domain in its own script and in ASCII; ``None`` if a mailbox can't be there."""
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email(f"a@{domain}", check_deliverability=False, strict=True)
    except EmailNotValidError:
        return None
    return found.domain, found.ascii_domain


def _validate_address(text: str) -> ParsedAddress:
    from email_validator import EmailNotValidError, validate_email

    if not text:
        raise SubscriberListError("there is no email address")
    shown = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
    try:
        found = validate_email(text[:_MAX_VALIDATED], check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        raise SubscriberListError(f"'{shown}' is no email address: {error}") from error
    if not found.local_part.isascii():
        raise SubscriberListError(
            f"'{shown}' can't be mailed: letters beyond ASCII before the @ are not supported"
        )
    return ParsedAddress(found.normalized, f"{found.local_part.casefold()}@{found.ascii_domain}")
