"""Parse and normalize an email address; its key identifies a subscriber."""

import re
from functools import lru_cache
from typing import NamedTuple

from newsletter.errors import SubscriberListError

# RFC 5322 dot-atom and RFC 5321 lengths: the fast path for nearly all addresses in use.
_DOT_ATOM = re.compile(r"[a-zA-Z0-9_!#$%&'*+\-/=?^`{|}~]+(?:\.[a-zA-Z0-9_!#$%&'*+\-/=?^`{|}~]+)*")
_MAX_LOCAL_LENGTH = 64
_MAX_LENGTH = 254
_MAX_SHOWN = 60  # characters, in an error message
_MAX_VALIDATED = 1_000  # far longer than any valid address; don't validate megabytes


class ParsedAddress(NamedTuple):
    """A valid address.

    Attributes:
        address: the address as typed, with the domain in lower case and in Unicode.
        key: the address for comparison: case-folded, with the domain in ASCII (IDNA 2008).
            Subscribers are unique by key.
    """

    address: str
    key: str


def parse_address(text: str) -> ParsedAddress:
    """Parse one address; surrounding spaces are allowed, names and angle brackets are not.

    Checks the syntax (RFC 5321 and 5322) and that the domain name could exist; makes no network
    request.

    Raises:
        SubscriberListError: the address is not valid, or SendGrid can't send to it: non-ASCII
            characters before the @ (RFC 6531) are not supported.
    """
    text = text.strip(" \t\xa0\ufeff")
    local, at, domain = text.rpartition("@")
    if at and len(local) <= _MAX_LOCAL_LENGTH and _DOT_ATOM.fullmatch(local):
        normalized = _normalize_domain(domain)
        if normalized and len(local) + 1 + len(normalized[1]) <= _MAX_LENGTH:
            return ParsedAddress(f"{local}@{normalized[0]}", f"{local.casefold()}@{normalized[1]}")
    return _validate_address(text)


@lru_cache(maxsize=10_000)
def _normalize_domain(domain: str) -> tuple[str, str] | None:
    """Return the domain in Unicode and in ASCII; ``None`` if it can't have mailboxes."""
    from email_validator import EmailNotValidError, validate_email

    try:
        validated = validate_email(f"a@{domain}", check_deliverability=False, strict=True)
    except EmailNotValidError:
        return None
    return validated.domain, validated.ascii_domain


def _validate_address(text: str) -> ParsedAddress:
    """Validate an address that the fast path doesn't accept, or raise an error with the reason."""
    from email_validator import EmailNotValidError, validate_email

    if not text:
        raise SubscriberListError("the email address is missing")
    shown = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
    try:
        validated = validate_email(text[:_MAX_VALIDATED], check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        raise SubscriberListError(f"'{shown}' is not a valid email address: {error}") from error
    if not validated.local_part.isascii():
        raise SubscriberListError(
            f"'{shown}' can't be mailed: non-ASCII characters before the @ are not supported"
        )
    return ParsedAddress(
        validated.normalized, f"{validated.local_part.casefold()}@{validated.ascii_domain}"
    )
