"""Send test emails to addresses that the editor names.

Neither list nor ledger knows of them.
"""

import datetime
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from newsletter.config import Config
from newsletter.errors import ProviderError
from newsletter.render.email import Email
from newsletter.render.personalization import get_default_subject
from newsletter.sending.planning.tested_issues import mark_issue_tested
from newsletter.sending.providers.sendgrid.client import SendGridClient, read_api_key
from newsletter.sending.providers.sendgrid.outcomes import classify_response
from newsletter.sending.sample import TEST_SUBJECT_PREFIX, build_test_requests
from newsletter.subscribers.address import parse_address


def deduplicate_addresses(addresses: Sequence[str]) -> list[str]:
    """Each address once, its domain in ASCII, in the order given.

    Raises:
        ListError: one is no address.
    """
    parsed = {address.key: address.address for address in map(parse_address, addresses)}
    return [f"{box.rpartition('@')[0]}@{key.rpartition('@')[2]}" for key, box in parsed.items()]


def send_test_emails(
    email: Email,
    config: Config,
    addresses: Sequence[str],
    environ: Mapping[str, str],
    engine: sa.Engine | None,
) -> str:
    """Send a copy marked [TEST] to each address, filled in for a sample reader.

    Args:
        email: as rendered.
        config: the newsletter's settings.
        addresses: where to, from ``unique``.
        environ: holds the API key.
        engine: the list's database, if there is one; ``newsletter serve`` learns from it that
            the images are wanted.

    Returns:
        The subject that they arrive with.

    Raises:
        SendRefused: there is no key, or SendGrid would refuse the email.
        VendorError: SendGrid did not take a copy.
    """
    requests = list(build_test_requests(email, config, addresses))
    mailer = SendGridClient(read_api_key(environ), config.sendgrid)
    if engine is not None:
        mark_issue_tested(engine, email.issue)
    try:
        for api_request in requests:
            _post_request(mailer, api_request.body, sandbox=config.sendgrid.sandbox)
    finally:
        mailer.close()
    return f"{TEST_SUBJECT_PREFIX} {get_default_subject(email, config)}"


def _post_request(mailer: SendGridClient, body: bytes, *, sandbox: bool) -> None:
    outcome = classify_response(
        mailer.post_mail(body), datetime.datetime.now(datetime.UTC), sandbox=sandbox
    )
    match outcome.kind:
        case "accepted":
            return
        case "not_sent":
            raise ProviderError(f"nothing was sent: {outcome.message}", remedy="Try again.")
        case "unknown":
            raise ProviderError(
                f"the copy may or may not be on its way: {outcome.message}",
                remedy="Look into the inbox before you try again.",
            )
        case "throttled":
            raise ProviderError("SendGrid takes no more just now", remedy="Try again in a minute.")
        case _:
            raise ProviderError(f"SendGrid: {outcome.message}", remedy=outcome.remedy)
