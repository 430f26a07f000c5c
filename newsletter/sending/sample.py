"""The sample recipient of test emails and previews.

Nobody, for copies that people look at before recipients do.
"""

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
# Stands where a reader's secret would; no reader can have it, so its links change nobody.
SAMPLE_TOKEN = "sample"  # noqa: S105 - the opposite of a secret
SAMPLE_NAME = "Sample Reader"


def make_sample_recipient(address: str, config: Config, number: int = 0) -> Recipient:
    """Make a reader at ``address`` with a name, and every other attribute at its default.

    Args:
        address: where the copy goes, or shows to go.
        config: the newsletter's settings; its attributes are used.
        number: tells the readers of one request apart.
    """
    attributes = {**config.attributes, "name": SAMPLE_NAME, "email": address}
    return Recipient(number, address, address.casefold(), SAMPLE_TOKEN, attributes)


def build_test_requests(
    email: Email, config: Config, addresses: Sequence[str]
) -> Iterator[PreparedRequest]:
    """The requests that send marked copies; nothing of them is in the ledger.

    Args:
        email: as rendered.
        config: the newsletter's settings.
        addresses: where to.

    Raises:
        SendRefused: SendGrid would refuse the email, whoever it is for.
    """
    letter = prepare_email(replace(email, subject=f"{TEST_SUBJECT_PREFIX} {email.subject}"), config)
    readers = [make_sample_recipient(address, config, n) for n, address in enumerate(addresses, 1)]
    for number, batch in enumerate(split_into_batches(letter, readers), 1):
        yield build_request(letter, batch, RequestId("test", str(number), "1"))
