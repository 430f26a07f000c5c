"""Sample emails to one reader: for previews, tests and doctor. Pure."""

import datetime

from newsletter.config.models import Config
from newsletter.config.urls import build_preferences_url, build_unsubscribe_url
from newsletter.render.latest_issues import FindLatestIssues
from newsletter.render.transactional import TransactionalContent
from newsletter.render.welcome import WelcomedReader
from newsletter.sending.sample import SAMPLE_TOKEN, make_sample_recipient

_PATHS = {"confirm": "confirm", "download": "download", "erase": "erase"}


def build_sample_content(kind: str, config: Config, today: datetime.date) -> TransactionalContent:
    """Return the values of an email to nobody: its links work, and change nothing.

    They have ``SAMPLE_TOKEN`` in place of a signature or of a reader's token, which no page
    accepts; without a public site they lead to the newsletter's own.

    Args:
        kind: one of ``newsletter.db.schema.TRANSACTIONAL_EMAIL_KINDS``.
        config: the newsletter's settings.
        today: the day on which it is sent.
    """
    until = today + datetime.timedelta(days=config.signup.confirm_days)
    if kind == "welcome":
        return TransactionalContent(
            kind,
            config.site_url,
            unsubscribe_url=_use_site(config, build_unsubscribe_url(config, SAMPLE_TOKEN)),
            preferences_url=_use_site(config, build_preferences_url(config, SAMPLE_TOKEN)),
        )
    path = _PATHS.get(kind, "move")
    url = _use_site(config, f"{(config.public_url or '').rstrip('/')}/{path}/{SAMPLE_TOKEN}")
    address = {"move_from": "n…@example.com", "move_to": "o…@example.com"}.get(kind, "")
    return TransactionalContent(kind, url, until, address)


def make_sample_reader(
    address: str, config: Config, find_latest: FindLatestIssues
) -> WelcomedReader:
    """Return the sample recipient of a welcome email.

    Args:
        address: the address to send to, or to show.
        config: the newsletter's settings.
        find_latest: finds the latest issues.
    """
    return WelcomedReader(make_sample_recipient(address, config).attributes, find_latest)


def _use_site(config: Config, url: str) -> str:
    return url if config.public_url else config.site_url
