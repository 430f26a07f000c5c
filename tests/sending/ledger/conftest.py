"""Fixture: what the state machines of the property tests need."""

from typing import Any

import pytest
from sending_fixtures import FakeObserver, MakeReaders, Subscribe

from newsletter.render.email import Email
from newsletter.sending.ledger.record import Ledger
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.rehearsal import FakeSendGrid


@pytest.fixture
def machine_attributes(
    ledger: Ledger,
    email: Email,
    observer: FakeObserver,
    double: FakeSendGrid,
    mailer: SendGridClient,
    make_readers: MakeReaders,
    subscribe: Subscribe,
) -> dict[str, Any]:
    """Return attributes for the class of a machine: Hypothesis makes its instances itself."""
    return {
        "ledger": ledger, "email": email, "observer": observer, "double": double,
        "mailer": mailer, "make_readers": staticmethod(make_readers),
        "subscribe": staticmethod(subscribe),
    }  # fmt: skip
