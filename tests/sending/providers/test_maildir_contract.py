"""A Maildir keeps the contract of providers, although each message is accepted on its own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from maildir_provider import (
    MaildirClient,
    MaildirProvider,
    get_content,
    get_recipient,
    make_client,
    parse_message,
)
from provider_contract import DeliveredCopy, ProviderContract, ProviderHarness
from sending_fixtures import configured

from newsletter.sending.providers.provider import ProviderClient, RequestId
from newsletter.subscribers import Recipient


class MaildirHarness(ProviderHarness):
    client: MaildirClient

    def __init__(self, client: MaildirClient) -> None:
        self.provider, self.client = MaildirProvider(configured(), client), client

    def delivered(self) -> Sequence[DeliveredCopy]:
        maildir = self.client.maildir
        messages = [parse_message(maildir.get_bytes(key)) for key in maildir.iterkeys()]
        copies = [
            DeliveredCopy(
                get_recipient(message),
                get_content(message),
                {name.lower(): str(value) for name, value in message.items()},
            )
            for message in messages
        ]
        return sorted(copies)

    @contextmanager
    def nothing_leaves(self) -> Iterator[ProviderClient]:
        self.client.faults.append("disk full")
        yield self.client

    def lose_reply(self) -> None:
        self.client.faults.append("reply lost")

    def refuse(self, reader: Recipient, index: int) -> None:
        del index
        self.client.refused[reader.address] = "no such mailbox"

    def report_event(self, reader: Recipient, request_id: RequestId) -> None:
        del reader, request_id


class TestMaildir(ProviderContract):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> MaildirHarness:
        return MaildirHarness(make_client(tmp_path / "mail"))
