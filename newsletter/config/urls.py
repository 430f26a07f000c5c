"""Build the public URLs in an email: issue, images, unsubscribe link."""

from urllib.parse import quote

from newsletter.config.models import Config

# Reserved by RFC 2606, so that a dry run without public_url can't point at anybody's server.
# ``newsletter.render.fallback_host`` keeps it out of every email that is sent.
FALLBACK_PUBLIC_URL = "https://public-url-not-set.example"


def get_public_url(config: Config) -> str:
    """Return the base URL of ``newsletter serve``, without a trailing slash.

    ``FALLBACK_PUBLIC_URL`` if ``public_url`` is not configured.
    """
    return (config.public_url or FALLBACK_PUBLIC_URL).rstrip("/")


def build_issue_url(config: Config, slug: str) -> str:
    """Return the URL of the issue on the web ("view online")."""
    pattern = config.issue_url or get_public_url(config) + "/issues/{slug}"
    return pattern.replace("{slug}", quote(slug))


def build_view_online_url(config: Config, slug: str) -> str:
    """Return the URL of the issue for its email; empty if it has no public address."""
    return build_issue_url(config, slug) if config.issue_url or config.public_url else ""


def build_image_url(config: Config, slug: str, file: str) -> str:
    """Return the URL of a local image of the issue; ``file`` may contain ``/``.

    Below ``FALLBACK_PUBLIC_URL`` if neither ``image_url`` nor ``public_url`` is configured.
    """
    pattern = config.image_url or get_public_url(config) + "/issues/{slug}/{file}"
    return pattern.replace("{slug}", quote(slug)).replace("{file}", quote(file))


def build_subscribe_url(config: Config) -> str:
    """Return the URL of the public sign-up page; empty if ``public_url`` is not configured."""
    return f"{get_public_url(config)}/subscribe" if config.public_url else ""


def build_unsubscribe_url(config: Config, token: str) -> str:
    """Return a subscriber's unsubscribe URL: RFC 8058 POST, and a page with one button."""
    return f"{get_public_url(config)}/u/{token}"


def build_preferences_url(config: Config, token: str) -> str:
    """Return the URL of a subscriber's preferences page."""
    return f"{get_public_url(config)}/p/{token}"
