"""Send the emails of the queue: confirmations, welcome emails.

A page only enqueues an email. Whether it is sent, and what it changes in the list, is decided here,
in the background, so that the page's response can't reveal who is on the list.
"""

import datetime
import logging
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal

import sqlalchemy as sa

from newsletter.config.urls import build_preferences_url, build_unsubscribe_url, get_public_url
from newsletter.db import read_transaction
from newsletter.db.rate_limit_storage import delete_expired_limits
from newsletter.db.schema import address_change, subscriber
from newsletter.errors import NewsletterError
from newsletter.render.email import Email
from newsletter.render.headers import build_unsubscribe_headers
from newsletter.render.latest_issues import FindLatestIssues, find_no_issues
from newsletter.render.project_emails import ProjectEmails
from newsletter.render.transactional import TransactionalContent
from newsletter.render.welcome import WelcomedReader
from newsletter.sending.providers.provider import Outcome, ProviderClient
from newsletter.sending.providers.registry import get_provider
from newsletter.sending.transactional_queue import (
    DATA_REQUEST_KINDS,
    QueuedEmail,
    build_transactional_body,
    claim_email,
    enqueue_email,
    has_due_emails,
    purge_queue,
    record_email_outcome,
)
from newsletter.subscribers.address import ParsedAddress
from newsletter.subscribers.audience import find_active_recipient
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.consent.signup import sign_up
from newsletter.subscribers.consent.suppressions import has_working_mailbox
from newsletter.subscribers.consent.unconfirmed import purge_unconfirmed
from newsletter.web.site_context import Site
from newsletter.web.subscriber.access_token import sign
from newsletter.web.subscriber.requested_emails import LANGUAGE_KEY, refund_requested_email

# The purpose of the link in a confirmation email (itsdangerous' salt).
CONFIRM_PURPOSE = "confirm"

# The provider's error messages may contain an address; the log must not.
# A subscriber's attributes that may have their language; the first that is there counts.
_LANGUAGE_ATTRIBUTES = ("language", "locale", "lang")
_EMAIL_ADDRESS = re.compile(r"\S+@\S+")
_log = logging.getLogger(__name__)


def send_due_emails(
    site: Site, mailer: ProviderClient, find_latest: FindLatestIssues = find_no_issues
) -> int:
    """Send every transactional email that is due; several processes may do so concurrently.

    Args:
        site: the newsletter.
        mailer: the provider's client.
        find_latest: finds the latest issues for a welcome email.

    Returns:
        How many requests were made.
    """
    request_count = 0
    emails = ProjectEmails(site.project)
    while has_due_emails(site.engine, site.clock()):
        dropped: list[QueuedEmail] = []
        email = claim_email(site.engine, site.clock(), partial(_prepare_due_email, site, dropped))
        _refund_dropped(site, dropped)
        if email is None:
            break
        outcome = _send_email(site, mailer, email, emails, find_latest)
        record_email_outcome(site.engine, email, outcome, site.clock())
        if outcome.kind != "accepted":
            message = _EMAIL_ADDRESS.sub("…", outcome.message)
            _log.warning(
                "transactional email %d (%s): %s: %s", email.id, email.kind, outcome.kind, message
            )
        request_count += 1
    return request_count


def purge_stale_data(site: Site) -> None:
    """Delete what has expired: with their addresses, emails, requests and unconfirmed sign-ups."""
    signup, now = site.config.signup, site.clock()
    link_lifetime = datetime.timedelta(days=signup.confirm_days)
    retention = max(link_lifetime, datetime.timedelta(hours=signup.window_hours))
    purge_queue(site.engine, now, retention)
    with site.engine.begin() as connection:
        delete_expired_limits(connection, now.timestamp())
        expired = address_change.c.requested_at <= now - link_lifetime
        connection.execute(sa.delete(address_change).where(expired))
    unconfirmed = purge_unconfirmed(
        site.engine,
        now,
        max_age=max(datetime.timedelta(days=signup.purge_days), link_lifetime),
        link_lifetime=link_lifetime,
    )
    site.refused_signups.add_saved("never_confirmed", unconfirmed)


def enqueue_welcome_email(
    site: Site, connection: sa.Connection, address: ParsedAddress, language: str
) -> None:
    """Enqueue a welcome email if the newsletter has one; each address gets it once.

    Args:
        site: the newsletter.
        connection: in a transaction that writes.
        address: the new subscriber's.
        language: of the page on which they signed up.
    """
    if site.config.signup.welcome:
        data = {LANGUAGE_KEY: language}
        enqueue_email(connection, "welcome", address, data, site.clock(), None)


def _prepare_due_email(
    site: Site, dropped: list[QueuedEmail], connection: sa.Connection, email: QueuedEmail
) -> bool:
    """Return whether the email is still to be sent; add one that nobody needs to ``dropped``."""
    decision = _decide(site, connection, email)
    if decision == "drop" and email.kind != "welcome":
        dropped.append(email)
    return decision == "send"


def _refund_dropped(site: Site, dropped: Sequence[QueuedEmail]) -> None:
    """Uncount dropped emails: whoever is subscribed can still be sent those that they need.

    After the transaction that drops them: a sign-up waits for it while its mailbox's count is
    locked.
    """
    for email in dropped:
        with site.engine.begin() as connection:
            refund_requested_email(site, connection, email.address, email.created_at)


def _decide(
    site: Site, connection: sa.Connection, email: QueuedEmail
) -> Literal["send", "subscribed", "drop"]:
    """Decide what becomes of an email that is due.

    Returns:
        ``send``; ``subscribed``: not sent, since with single opt-in its address was subscribed
        instead, which counts like an email; ``drop``: not sent.
    """
    if email.kind == "welcome":
        return "send" if find_active_recipient(connection, email.address.key) else "drop"
    if email.kind in DATA_REQUEST_KINDS:
        return "send" if has_working_mailbox(connection, email.address.key) else "drop"
    if email.kind != "confirm":
        return "send"
    data, single_opt_in = email.data, not site.config.signup.double_opt_in
    origin = ChangeOrigin(email.created_at, "form", data["source"], data["wording"])
    previous_status = sign_up(
        connection, email.address, origin, name=data["name"], single_opt_in=single_opt_in
    )
    if single_opt_in and previous_status in {"new", "pending"}:
        enqueue_welcome_email(site, connection, email.address, data.get(LANGUAGE_KEY, ""))
        return "subscribed"
    return "drop" if previous_status == "active" else "send"


def _send_email(
    site: Site,
    mailer: ProviderClient,
    email: QueuedEmail,
    emails: ProjectEmails,
    find_latest: FindLatestIssues,
) -> Outcome:
    config = site.config
    try:
        language = _choose_language(site, email)
        if email.kind == "welcome":
            rendered, headers = _render_welcome(site, email.address, emails, find_latest, language)
        else:
            rendered = emails.render(_build_content(site, email), language=language)
            headers = {}
        request = build_transactional_body(rendered, config, email, headers)
    except NewsletterError as error:
        # Nothing has been sent; it is retried, and the template may be fixed by then.
        return Outcome("not_sent", str(error))
    return get_provider(config).classify(mailer.post_mail(request), site.clock())


def _choose_language(site: Site, email: QueuedEmail) -> str:
    """Return the language of an email: the subscriber's, else that of the page that asked for it.

    A subscriber's is in an attribute, as exports of other services have it: ``pt``, ``pt_BR``.
    """
    query = sa.select(subscriber.c.attributes).where(subscriber.c.address_key == email.address.key)
    with read_transaction(site.engine) as connection:
        attributes = {
            key.lower(): str(value) for key, value in (connection.scalar(query) or {}).items()
        }
    tags = [attributes[name] for name in _LANGUAGE_ATTRIBUTES if name in attributes]
    tags.append(email.data.get(LANGUAGE_KEY, ""))
    return site.pages.choose_language(tag.replace("_", "-") for tag in tags)


def _build_content(site: Site, email: QueuedEmail) -> TransactionalContent:
    config, data = site.config, email.data
    if email.kind == "confirm":
        until = site.clock() + datetime.timedelta(days=config.signup.confirm_days)
        url = f"{get_public_url(config)}/confirm/{site.signer(CONFIRM_PURPOSE).dumps(email.id)}"
        return TransactionalContent("confirm", url, until.date())
    if email.kind in DATA_REQUEST_KINDS:
        until = site.clock() + datetime.timedelta(days=config.signup.confirm_days)
        url = f"{get_public_url(config)}/{email.kind}/{sign(site, email.kind, email.id)}"
        return TransactionalContent(email.kind, url, until.date())
    until_day = datetime.date.fromisoformat(data["until"])
    return TransactionalContent(email.kind, data["url"], until_day, data["address"])


def _render_welcome(
    site: Site,
    address: ParsedAddress,
    emails: ProjectEmails,
    find_latest: FindLatestIssues,
    language: str,
) -> tuple[Email, Mapping[str, str]]:
    """Return the welcome email of an active subscriber, and its unsubscribe headers."""
    config = site.config
    with read_transaction(site.engine) as connection:
        recipient = find_active_recipient(connection, address.key)
    token, attributes = (recipient.token, recipient.attributes) if recipient else ("", {})
    content = TransactionalContent(
        "welcome",
        config.site_url,
        unsubscribe_url=build_unsubscribe_url(config, token),
        preferences_url=build_preferences_url(config, token),
    )
    email = emails.render(content, WelcomedReader(attributes, find_latest), language=language)
    return email, dict(build_unsubscribe_headers(config, token))
