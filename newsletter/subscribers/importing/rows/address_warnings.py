"""Warn of role addresses (info@) and misspelled domains.

They can be mailed and yet are doubtful. Pure.
"""

from functools import lru_cache

# Mailboxes of a function, not of a person (RFC 2142 and custom): nobody may have consented.
_ROLE_MAILBOXES = frozenset({
    "abuse", "account", "accounts", "admin", "administrator", "all", "billing", "contact",
    "customerservice", "enquiries", "everyone", "feedback", "finance", "ftp", "hello", "help",
    "helpdesk", "hostmaster", "hr", "info", "inquiries", "it", "jobs", "list", "mail",
    "mailer-daemon", "marketing", "media", "news", "newsletter", "no-reply", "noc", "noreply",
    "office", "orders", "post", "postmaster", "press", "privacy", "root", "sales", "security",
    "service", "spam", "staff", "subscribe", "support", "sysadmin", "team", "test", "undisclosed",
    "unsubscribe", "usenet", "uucp", "webmaster", "www",
})  # fmt: skip
_PROVIDERS = {
    "gmail": "com", "googlemail": "com", "yahoo": "com", "hotmail": "com", "outlook": "com",
    "icloud": "com", "protonmail": "com", "comcast": "net", "verizon": "net", "yandex": "ru",
}  # fmt: skip
# One letter from a provider, and somebody else's.
_OTHER_PROVIDERS = frozenset(
    {"mail", "ymail", "email", "fmail", "cloud", "hotmall", "yandex", "yamoo"}
)
_TLD_TYPOS = {
    "con": "com", "cmo": "com", "ocm": "com", "comm": "com", "vom": "com", "xom": "com",
    "om": "com", "cm": "com", "co": "com", "nett": "net", "ent": "net",
}  # fmt: skip


def address_warning(key: str) -> str:
    """What is doubtful about an address, to be shown after it; ``""`` if nothing is.

    Args:
        key: the address as a key.
    """
    local, _, domain = key.rpartition("@")
    meant = _intended_domain(domain)
    if meant:
        return f"may be meant for {meant}"
    return "is a shared mailbox" if local in _ROLE_MAILBOXES else ""


@lru_cache(maxsize=10_000)
def _intended_domain(domain: str) -> str:
    """The big provider's domain that a domain is one slip of the finger away from, or ``""``."""
    label, _, end = domain.partition(".")
    if label in _PROVIDERS:
        return f"{label}.{_TLD_TYPOS[end]}" if end in _TLD_TYPOS else ""
    if label in _OTHER_PROVIDERS or end not in {"com", "net", "ru", *_TLD_TYPOS}:
        return ""
    return next(
        (
            f"{provider}.{ours}"
            for provider, ours in _PROVIDERS.items()
            if _TLD_TYPOS.get(end, end) == ours and _is_one_typo_apart(label, provider)
        ),
        "",
    )


def _is_one_typo_apart(typed: str, intended: str) -> bool:
    """Whether one letter is left out, put in, wrong, or changed places with its neighbour."""
    if abs(len(typed) - len(intended)) > 1:
        return False
    same = next(
        (
            index
            for index, pair in enumerate(zip(typed, intended, strict=False))
            if len(set(pair)) > 1
        ),
        min(len(typed), len(intended)),
    )
    left, right = typed[same:], intended[same:]
    return (
        left[1:] == right[1:]
        or left[1:] == right
        or left == right[1:]
        or (left[:2] == right[1::-1] and left[2:] == right[2:])
    )
