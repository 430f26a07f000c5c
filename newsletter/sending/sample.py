"""The sample recipient of test emails and previews."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from newsletter.config.models import Config
from newsletter.render.email import Email
from newsletter.sending.providers.provider import RequestId
from newsletter.sending.providers.sendgrid.payload import (
    PreparedRequest,
    build_request,
    prepare_email,
    split_into_batches,
)
from newsletter.subscribers import Recipient

TEST_SUBJECT_PREFIX = "[TEST]"
# In place of a subscriber's token; no subscriber can have it, so its links change nobody.
SAMPLE_TOKEN = "sample"  # noqa: S105 - the opposite of a secret
SAMPLE_NAME = "Sample Reader"


def make_sample_recipient(address: str, config: Config, number: int = 0) -> Recipient:
    """Return a recipient at ``address`` with a name, and every other attribute at its default.

    Args:
        address: the address to send to, or to show.
        config: the newsletter's settings; its attributes are used.
        number: the recipient's id, unique within a request.
    """
    attributes = {**config.attributes, "name": SAMPLE_NAME, "email": address}
    return Recipient(number, address, address.casefold(), SAMPLE_TOKEN, attributes)


def build_test_requests(
    email: Email, config: Config, addresses: Sequence[str]
) -> Iterator[PreparedRequest]:
    """Yield the requests that send test emails, with a marked subject; nothing is recorded.

    Args:
        email: as rendered.
        config: the newsletter's settings.
        addresses: the addresses to send to.

    Raises:
        SendRefusedError: SendGrid would refuse the email, whoever it is for.
    """
    marked = replace(email, subject=f"{TEST_SUBJECT_PREFIX} {email.subject}")
    prepared_email = prepare_email(marked, config)
    recipients = [
        make_sample_recipient(address, config, number)
        for number, address in enumerate(addresses, 1)
    ]
    for number, batch in enumerate(split_into_batches(prepared_email, recipients), 1):
        yield build_request(prepared_email, batch, RequestId("test", str(number), "1"))
