"""SendGrid keeps the contract of providers, against its strict double over a real socket."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from provider_contract import (
    DeliveredCopy,
    ProviderContract,
    ProviderHarness,
    SignedEvents,
)
from sending_fixtures import configured
from signed_webhook import PUBLIC, sign

from newsletter.sending.providers.provider import Provider, ProviderClient, RequestId
from newsletter.sending.providers.registry import get_provider
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.subscribers import Recipient


class SendGridHarness(ProviderHarness):
    def __init__(self, provider: Provider, client: ProviderClient, double: FakeSendGrid) -> None:
        self.provider, self.client, self.double = provider, client, double

    def delivered(self) -> Sequence[DeliveredCopy]:
        copies = []
        for request in self.double.requests:
            if not request.fault.accept:
                continue
            data = json.loads(request.body)
            content = "\n".join([data["subject"], *(part["value"] for part in data["content"])])
            for personalization in data["personalizations"]:
                filled = content
                for token, value in personalization.get("substitutions", {}).items():
                    filled = filled.replace(token, value)
                headers = {**data.get("headers", {}), **personalization.get("headers", {})}
                lower = {name.lower(): value for name, value in headers.items()}
                [to] = personalization["to"]
                copies.append(DeliveredCopy(to["email"], filled, lower))
        return copies

    @contextmanager
    def nothing_leaves(self) -> Iterator[ProviderClient]:
        host = {"host": "http://127.0.0.1:1"}
        with get_provider(configured(sendgrid=host)).connect(
            {"SENDGRID_API_KEY": self.double.key}
        ) as client:
            yield client

    def lose_reply(self) -> None:
        self.double.inject_faults(faults.lost_response())

    def refuse(self, reader: Recipient, index: int) -> None:
        del reader
        path = f"personalizations[{index}].to[0].email"
        self.double.inject_faults(
            faults.error_response(400, "does not contain a valid address", path)
        )

    def report_event(self, reader: Recipient, request_id: RequestId) -> SignedEvents:
        event = {
            "event": "delivered", "email": reader.address, "timestamp": int(time.time()),
            "sg_event_id": "e1", "nl_send": request_id.send_id, "nl_batch": request_id.batch_id,
            "nl_attempt": request_id.attempt_number,
        }  # fmt: skip
        body = json.dumps([event]).encode()
        return SignedEvents(sign(body), body)


class TestSendGrid(ProviderContract):
    @pytest.fixture(params=["substitutions", "per_request"])
    def harness(
        self, request: pytest.FixtureRequest, double: FakeSendGrid
    ) -> Iterator[SendGridHarness]:
        options = {"host": double.url, "read_timeout": 60.0, "webhook_key": PUBLIC}
        provider = get_provider(configured(sendgrid={**options, "personalize": request.param}))
        with provider.connect({"SENDGRID_API_KEY": double.key}) as client:
            yield SendGridHarness(provider, client, double)
