"""Fixture: a send to tell of."""

import pytest
from sending_fixtures import MakeReaders, Subscribe

from newsletter.sending.ledger.record import Ledger, Send
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.prepared_email import PreparedEmail


@pytest.fixture
def frozen(
    ledger: Ledger, prepared: PreparedEmail, subscribe: Subscribe, make_readers: MakeReaders
) -> Send:
    subscribe(make_readers(3))
    return freeze_send(ledger, prepared)
