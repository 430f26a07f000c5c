"""The addresses on the web that a mail names, from the configured patterns."""

from urllib.parse import quote

from newsletter.config.models import Config

# Reserved by RFC 2606, so that a dry run without public_url can't point at anybody's server.
FALLBACK_PUBLIC_URL = "https://public-url-not-set.example"


def get_public_url(config: Config) -> str:
    """Where ``newsletter serve`` answers, without a trailing slash; marked if not configured."""
    return (config.public_url or FALLBACK_PUBLIC_URL).rstrip("/")


def build_issue_url(config: Config, slug: str) -> str:
    """The issue on the web ("view online")."""
    pattern = config.issue_url or get_public_url(config) + "/issues/{slug}"
    return pattern.replace("{slug}", quote(slug))


def build_image_url(config: Config, slug: str, file: str) -> str:
    """Where a local image of the issue is published; ``file`` may hold ``/``."""
    pattern = config.image_url or get_public_url(config) + "/issues/{slug}/{file}"
    return pattern.replace("{slug}", quote(slug)).replace("{file}", quote(file))


def build_unsubscribe_url(config: Config, token: str) -> str:
    """A reader's own way out: RFC 8058 POST, and a page with one button."""
    return f"{get_public_url(config)}/u/{token}"


def build_preferences_url(config: Config, token: str) -> str:
    """A reader's own preferences page."""
    return f"{get_public_url(config)}/p/{token}"
