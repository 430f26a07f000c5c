"""Scheduled sends over real HTTP: created, cancelled, and what happens when that fails."""

import json

import pytest
from sending_fixtures import FakeObserver, configured

from newsletter.errors import ProviderError
from newsletter.render.email import Email
from newsletter.sending.providers.prepared_email import ScheduledDelivery
from newsletter.sending.providers.provider import RequestId, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.payload import build_request, prepare_email
from newsletter.sending.providers.sendgrid.scheduled_sends import cancel_scheduled, create_batch_id
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.endpoints import MAX_CANCELLED, ScheduledSends
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault
from newsletter.subscribers import Recipient

READER = Recipient(1, "a@example.com", "a@example.com", "t", {"email": "a@example.com", "name": ""})


def test_cancelling_twice_succeeds(mailer: SendGridClient, double: FakeSendGrid) -> None:
    batch_id = create_batch_id(mailer)
    cancel_scheduled(mailer, batch_id)
    cancel_scheduled(mailer, batch_id)
    assert double.scheduled.statuses == {batch_id: "cancel"}


def test_cancelling_an_unknown_batch_id_fails(mailer: SendGridClient) -> None:
    with pytest.raises(ProviderError, match="invalid batch id"):
        cancel_scheduled(mailer, "made-up")


def test_cancelling_more_than_the_account_limit_fails(mailer: SendGridClient) -> None:
    batch_ids = [create_batch_id(mailer) for _ in range(MAX_CANCELLED + 1)]
    for batch_id in batch_ids[:-1]:
        cancel_scheduled(mailer, batch_id)
    with pytest.raises(ProviderError, match="at most 10 batches"):
        cancel_scheduled(mailer, batch_ids[-1])


@pytest.mark.parametrize("fault", [faults.error_response(500, "oops"), faults.lost_request()])
def test_unconfirmed_cancellation_fails(
    mailer: SendGridClient, double: FakeSendGrid, fault: InjectedFault
) -> None:
    batch_id = create_batch_id(mailer)
    double.inject_faults(fault, fault)
    with pytest.raises(ProviderError, match="may still go out"):
        cancel_scheduled(mailer, batch_id)


@pytest.mark.parametrize(
    "fault",
    [faults.error_response(500, "oops"), faults.lost_response(), faults.invalid_http_response()],
)
def test_failure_to_create_a_batch_id_is_reported(
    mailer: SendGridClient, double: FakeSendGrid, fault: InjectedFault
) -> None:
    double.inject_faults(fault)
    with pytest.raises(ProviderError, match="Nothing was sent"):
        create_batch_id(mailer)


@pytest.mark.parametrize("personalize", ["substitutions", "per_request"])
def test_request_holds_send_at_and_batch_id(
    mailer: SendGridClient,
    double: FakeSendGrid,
    email: Email,
    observer: FakeObserver,
    personalize: str,
) -> None:
    prepared = prepare_email(email, configured(sendgrid={"personalize": personalize}))
    batch_id = create_batch_id(mailer)
    for until, send_at in ((observer.now, observer.timestamp()), (None, None)):
        scheduled = prepare_email(
            prepared.email, prepared.config, ScheduledDelivery(batch_id, until)
        )
        body = build_request(scheduled, [READER], RequestId("1", "1", "1")).body
        data = json.loads(body)
        assert (data["batch_id"], data.get("send_at")) == (batch_id, send_at)
        response = mailer.post_mail(body)
        assert isinstance(response, Response)
        assert response.status == 202
    unknown = prepare_email(prepared.email, prepared.config, ScheduledDelivery("made-up", None))
    response = mailer.post_mail(build_request(unknown, [READER], RequestId("1", "1", "1")).body)
    assert isinstance(response, Response)
    assert (response.status, b"batch_id" in response.body) == (400, True)
    assert len(double.accepted) == 2


ODD_ANSWERS = [
    (201, {"batch_id": "another", "status": "cancel"}),
    (201, {"status": "cancel"}),
    (201, {"batch_id": "{id}", "status": "pause"}),
    (201, [{"batch_id": "{id}", "status": "cancel"}]),
    (200, {"batch_id": "{id}", "status": "cancel"}),
    (202, {}),
    (201, "cancel"),
]


@pytest.mark.parametrize(("status", "answer"), ODD_ANSWERS)
def test_odd_answer_confirms_nothing(
    mailer: SendGridClient, double: FakeSendGrid, status: int, answer: object
) -> None:
    batch_id = create_batch_id(mailer)

    class OddScheduledSends(ScheduledSends):
        """A SendGrid that answers a cancellation oddly, and does not list it."""

        def respond(self, method: str, path: str, body: bytes) -> tuple[int, object]:
            del path, body
            text = json.dumps(answer).replace("{id}", batch_id)
            return (200, {"batches": []}) if method == "GET" else (status, json.loads(text))

    double.scheduled = OddScheduledSends()
    with pytest.raises(ProviderError, match="may still go out"):
        cancel_scheduled(mailer, batch_id)
