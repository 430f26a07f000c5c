"""The letters that pages promise: what each says, and the background job that posts them.

A page only promises (``owe``). Whether a letter goes, and to whom it makes a difference, is
decided here, out of sight: the page's answer can't tell.
"""

import datetime
import logging
import re
from collections.abc import Mapping

import sqlalchemy as sa

from newsletter.config.urls import build_preferences_url, build_unsubscribe_url, get_public_url
from newsletter.db import read_transaction
from newsletter.db.rate_limit_storage import delete_expired_limits
from newsletter.db.schema import subscriber
from newsletter.errors import NewsletterError
from newsletter.project import Project
from newsletter.project.scaffold import default_templates_dir
from newsletter.render.headers import build_unsubscribe_headers
from newsletter.render.template.loader import Templates, load_templates
from newsletter.render.transactional import (
    TransactionalContent,
    get_transactional_template,
    render_transactional,
)
from newsletter.sending.providers.provider import Outcome
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.outcomes import classify_response
from newsletter.sending.transactional_queue import (
    QueuedEmail,
    build_transactional_body,
    claim_email,
    enqueue_email,
    has_due_emails,
    purge_queue,
    record_email_outcome,
)
from newsletter.subscribers.address import ParsedAddress
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.consent.signup import sign_up
from newsletter.web.site_context import Site

__all__ = [
    "CONFIRM_PURPOSE",
    "enqueue_email",
    "enqueue_welcome_email",
    "purge_stale_data",
    "send_due_emails",
]

# The purpose of the link in a confirmation (itsdangerous' salt).
CONFIRM_PURPOSE = "confirm"

# The vendor's words may name a reader; a log doesn't.
_EMAIL_ADDRESS = re.compile(r"\S+@\S+")
_log = logging.getLogger(__name__)


def send_due_emails(site: Site, mailer: SendGridClient) -> int:
    """Post every letter that is due; any number of processes may do so at once.

    Args:
        site: the newsletter.
        mailer: the vendor.

    Returns:
        How many requests were made.
    """
    posted = 0
    templates: Templates | None = None
    while has_due_emails(site.engine, site.clock()):
        letter = claim_email(
            site.engine,
            site.clock(),
            lambda connection, one: _prepare_due_email(site, connection, one),
        )
        if letter is None:
            break
        templates = templates or _load_email_templates(site.project)
        outcome = _send_email(site, mailer, letter, templates)
        record_email_outcome(site.engine, letter, outcome, site.clock())
        if outcome.kind != "accepted":
            words = _EMAIL_ADDRESS.sub("…", outcome.message)
            _log.warning("letter %d (%s): %s: %s", letter.id, letter.kind, outcome.kind, words)
        posted += 1
    return posted


def purge_stale_data(site: Site) -> None:
    """Give up what is stale and forget what is over: addresses in letters, counts of limits."""
    signup, now = site.config.signup, site.clock()
    keep = max(
        datetime.timedelta(days=signup.confirm_days), datetime.timedelta(hours=signup.window_hours)
    )
    purge_queue(site.engine, now, keep)
    with site.engine.begin() as connection:
        delete_expired_limits(connection, now.timestamp())


def enqueue_welcome_email(site: Site, connection: sa.Connection, address: ParsedAddress) -> None:
    """Promise a welcome if the newsletter has one; each address gets it once."""
    if site.config.signup.welcome:
        enqueue_email(connection, "welcome", address, {}, site.clock(), None)


def _prepare_due_email(site: Site, connection: sa.Connection, email: QueuedEmail) -> bool:
    """Whether the letter is still to go; signs its reader up where the form is enough."""
    if email.kind == "welcome":
        return _find_active_token(connection, email.address) != ""
    if email.kind != "confirm":
        return True
    data, single = email.data, not site.config.signup.double_opt_in
    origin = ChangeOrigin(email.created_at, "form", data["source"], data["wording"])
    before = sign_up(connection, email.address, origin, name=data["name"], single_opt_in=single)
    if single and before in {"new", "pending"}:
        enqueue_welcome_email(site, connection, email.address)
        return False
    return before != "active"


def _send_email(
    site: Site, mailer: SendGridClient, email: QueuedEmail, templates: Templates
) -> Outcome:
    config = site.config
    try:
        words, headers = _build_content(site, email)
        request = build_transactional_body(
            render_transactional(words, templates, config), config, email, headers
        )
    except NewsletterError as error:
        # Nothing has left; the editor may mend the template.
        return Outcome("not_sent", str(error))
    answer = mailer.post_mail(request)
    return classify_response(answer, site.clock(), sandbox=config.sendgrid.sandbox)


def _build_content(
    site: Site, email: QueuedEmail
) -> tuple[TransactionalContent, Mapping[str, str]]:
    """What the letter says, and the headers of its reader's own way out if they are on the list."""
    config, data = site.config, email.data
    if email.kind == "confirm":
        until = site.clock() + datetime.timedelta(days=config.signup.confirm_days)
        url = f"{get_public_url(config)}/confirm/{site.signer(CONFIRM_PURPOSE).dumps(email.id)}"
        return TransactionalContent("confirm", url, until.date()), {}
    if email.kind == "welcome":
        return _build_welcome_content(site, email.address)
    until_day = datetime.date.fromisoformat(data["until"])
    return TransactionalContent(email.kind, data["url"], until_day, data["address"]), {}


def _build_welcome_content(
    site: Site, address: ParsedAddress
) -> tuple[TransactionalContent, Mapping[str, str]]:
    config = site.config
    with read_transaction(site.engine) as connection:
        token = _find_active_token(connection, address)
    words = TransactionalContent(
        "welcome",
        config.site_url,
        unsubscribe_url=build_unsubscribe_url(config, token),
        preferences_url=build_preferences_url(config, token),
    )
    return words, dict(build_unsubscribe_headers(config, token))


def _find_active_token(connection: sa.Connection, address: ParsedAddress) -> str:
    """An active reader's token; empty if they are none."""
    mine = (subscriber.c.address_key == address.key, subscriber.c.status == "active")
    return connection.scalar(sa.select(subscriber.c.token).where(*mine)) or ""


def _load_email_templates(project: Project) -> Templates:
    """The editor's; those that come with the program where the folder has no letters yet."""
    own = load_templates(project.templates_dir)
    return (
        own
        if get_transactional_template("confirm") in own.files
        else load_templates(default_templates_dir())
    )
