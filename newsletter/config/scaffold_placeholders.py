"""Find example values left in newsletter.yml, which block a real send."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from newsletter.config.models import Config
from newsletter.errors import Problem

# RFC 2606: nobody can own these domains, so nobody can have meant them.
RESERVED_DOMAINS = ("example", "example.com", "example.net", "example.org")


def find_placeholders(config: Config) -> tuple[Problem, ...]:
    """Return a problem for each setting to replace before a real send.

    An address or URL in a domain that RFC 2606 reserves for examples is a placeholder.
    """
    return tuple(
        Problem(
            f"{setting} in newsletter.yml is still the example {value}",
            remedy="Replace it with your own.",
        )
        for setting, value in _iter_public_settings(config)
        if has_reserved_domain(value)
    )


def has_reserved_domain(value: str) -> bool:
    """Whether an address or URL is in a domain reserved for examples (RFC 2606)."""
    host = urlsplit(value).hostname if "://" in value else value.rpartition("@")[2]
    return f".{(host or '').lower().rstrip('.')}".endswith(
        tuple(f".{name}" for name in RESERVED_DOMAINS)
    )


def _iter_public_settings(config: Config) -> Iterator[tuple[str, str]]:
    settings = {
        "sender.address": config.sender.address,
        "sender.reply_to": config.sender.reply_to,
        "site_url": config.site_url,
        "public_url": config.public_url,
        "issue_url": config.issue_url,
        "image_url": config.image_url,
    }
    return ((name, value) for name, value in settings.items() if value)
