"""Send test emails to addresses that the editor names.

They are recorded neither on the list nor in the ledger.
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
    """Return each address once, its domain in ASCII, in the order given.

    Raises:
        SubscriberListError: one is not a valid email address.
    """
    address_by_key = {parsed.key: parsed.address for parsed in map(parse_address, addresses)}
    return [
        f"{address.rpartition('@')[0]}@{key.rpartition('@')[2]}"
        for key, address in address_by_key.items()
    ]


def send_test_emails(
    email: Email,
    config: Config,
    addresses: Sequence[str],
    environ: Mapping[str, str],
    engine: sa.Engine | None,
) -> str:
    """Send an email marked [TEST] to each address, personalized for a sample recipient.

    Args:
        email: as rendered.
        config: the newsletter's settings.
        addresses: the addresses, from ``deduplicate_addresses``.
        environ: holds the API key.
        engine: the list's database, if there is one; there ``newsletter serve`` finds that it must
            publish the images.

    Returns:
        The subject of the test emails.

    Raises:
        ConfigError: there is no API key, or it is not valid.
        SendRefusedError: SendGrid would refuse the email.
        ProviderError: SendGrid did not accept an email.
    """
    requests = list(build_test_requests(email, config, addresses))
    client = SendGridClient(read_api_key(environ), config.sendgrid)
    if engine is not None:
        mark_issue_tested(engine, email.issue)
    try:
        for request in requests:
            _post_request(client, request.body, sandbox=config.sendgrid.sandbox)
    finally:
        client.close()
    return f"{TEST_SUBJECT_PREFIX} {get_default_subject(email, config)}"


def _post_request(client: SendGridClient, body: bytes, *, sandbox: bool) -> None:
    outcome = classify_response(
        client.post_mail(body), datetime.datetime.now(datetime.UTC), sandbox=sandbox
    )
    match outcome.kind:
        case "accepted":
            return
        case "not_sent":
            raise ProviderError(f"nothing was sent: {outcome.message}", remedy="Try again.")
        case "unknown":
            raise ProviderError(
                f"the test email may or may not have been sent: {outcome.message}",
                remedy="Check the inbox before you try again.",
            )
        case "throttled":
            raise ProviderError(
                "SendGrid accepts no more requests at the moment", remedy="Try again in a minute."
            )
        case _:
            raise ProviderError(f"SendGrid: {outcome.message}", remedy=outcome.remedy)
