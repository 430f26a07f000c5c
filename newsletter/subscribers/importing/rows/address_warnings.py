"""Warn of role addresses (info@), and of typos in well-known domains.

Pure functions. Such addresses are valid, but questionable.
"""

from functools import lru_cache

# Role addresses (RFC 2142 and common practice): possibly, no person has consented.
_ROLE_MAILBOXES = frozenset({
    "abuse", "account", "accounts", "admin", "administrator", "all", "billing", "contact",
    "customerservice", "enquiries", "everyone", "feedback", "finance", "ftp", "hello", "help",
    "helpdesk", "hostmaster", "hr", "info", "inquiries", "it", "jobs", "list", "mail",
    "mailer-daemon", "marketing", "media", "news", "newsletter", "no-reply", "noc", "noreply",
    "office", "orders", "post", "postmaster", "press", "privacy", "root", "sales", "security",
    "service", "spam", "staff", "subscribe", "support", "sysadmin", "team", "test", "undisclosed",
    "unsubscribe", "usenet", "uucp", "webmaster", "www",
})  # fmt: skip
_MAILBOX_PROVIDERS = {
    "gmail": "com", "googlemail": "com", "yahoo": "com", "hotmail": "com", "outlook": "com",
    "icloud": "com", "protonmail": "com", "comcast": "net", "verizon": "net", "yandex": "ru",
}  # fmt: skip
# Domains that exist, though they are one letter away from those above.
_OTHER_MAILBOX_PROVIDERS = frozenset(
    {"mail", "ymail", "email", "fmail", "cloud", "hotmall", "yandex", "yamoo"}
)
_TLD_TYPOS = {
    "con": "com", "cmo": "com", "ocm": "com", "comm": "com", "vom": "com", "xom": "com",
    "om": "com", "cm": "com", "co": "com", "nett": "net", "ent": "net",
}  # fmt: skip


def address_warning(key: str) -> str:
    """Return a warning about an address, to display after it; ``""`` if there is none.

    Args:
        key: the address as a key.
    """
    local, _, domain = key.rpartition("@")
    intended = _intended_domain(domain)
    if intended:
        return f"may be a typo of {intended}"
    return "is a shared mailbox" if local in _ROLE_MAILBOXES else ""


@lru_cache(maxsize=10_000)
def _intended_domain(domain: str) -> str:
    """Return the mailbox provider's domain that a domain is one typo away from, or ``""``."""
    label, _, tld = domain.partition(".")
    if label in _MAILBOX_PROVIDERS:
        return f"{label}.{_TLD_TYPOS[tld]}" if tld in _TLD_TYPOS else ""
    if label in _OTHER_MAILBOX_PROVIDERS or tld not in {"com", "net", "ru", *_TLD_TYPOS}:
        return ""
    return next(
        (
            f"{provider}.{provider_tld}"
            for provider, provider_tld in _MAILBOX_PROVIDERS.items()
            if _TLD_TYPOS.get(tld, tld) == provider_tld and _is_one_typo_apart(label, provider)
        ),
        "",
    )


def _is_one_typo_apart(typed: str, intended: str) -> bool:
    """Return whether one letter is missing, added, wrong, or swapped with the next one."""
    if abs(len(typed) - len(intended)) > 1:
        return False
    common_length = next(
        (
            index
            for index, pair in enumerate(zip(typed, intended, strict=False))
            if len(set(pair)) > 1
        ),
        min(len(typed), len(intended)),
    )
    typed_rest, intended_rest = typed[common_length:], intended[common_length:]
    return (
        typed_rest[1:] == intended_rest[1:]
        or typed_rest[1:] == intended_rest
        or typed_rest == intended_rest[1:]
        or (typed_rest[:2] == intended_rest[1::-1] and typed_rest[2:] == intended_rest[2:])
    )
