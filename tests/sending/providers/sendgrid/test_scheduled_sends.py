"""SendGrid holds and takes back, as documented, over real HTTP; and what happens when it won't."""

import json

import pytest
from sending_fixtures import World

from newsletter.errors import ProviderError
from newsletter.sending.providers.provider import RequestId, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.message_body import ScheduledDelivery
from newsletter.sending.providers.sendgrid.payload import (
    PreparedEmail,
    build_request,
    prepare_email,
)
from newsletter.sending.providers.sendgrid.scheduled_sends import cancel_scheduled, create_batch_id
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.endpoints import MAX_CANCELLED
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault
from newsletter.subscribers import Recipient

READER = Recipient(1, "a@example.com", "a@example.com", "t", {"email": "a@example.com", "name": ""})


def test_what_is_held_can_be_taken_back_as_often_as_one_likes(
    mailer: SendGridClient, double: FakeSendGrid
) -> None:
    batch_id = create_batch_id(mailer)
    cancel_scheduled(mailer, batch_id)
    cancel_scheduled(mailer, batch_id)
    assert double.scheduled.statuses == {batch_id: "cancel"}


def test_a_batch_that_was_never_made_is_not_taken_back(mailer: SendGridClient) -> None:
    with pytest.raises(ProviderError, match="invalid batch id"):
        cancel_scheduled(mailer, "made-up")


def test_the_vendor_keeps_few_cancelled_at_once_and_says_so(mailer: SendGridClient) -> None:
    batches = [create_batch_id(mailer) for _ in range(MAX_CANCELLED + 1)]
    for batch_id in batches[:-1]:
        cancel_scheduled(mailer, batch_id)
    with pytest.raises(ProviderError, match="at most 10 batches"):
        cancel_scheduled(mailer, batches[-1])


@pytest.mark.parametrize("fault", [faults.error_response(500, "oops"), faults.lost_request()])
def test_a_cancel_that_was_not_heard_is_no_success(
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
def test_without_a_batch_id_nothing_is_scheduled(
    mailer: SendGridClient, double: FakeSendGrid, fault: InjectedFault
) -> None:
    double.inject_faults(fault)
    with pytest.raises(ProviderError, match="Nothing was sent"):
        create_batch_id(mailer)


def test_a_request_carries_its_time_and_its_batch(
    mailer: SendGridClient, double: FakeSendGrid, letter: PreparedEmail, world: World
) -> None:
    batch_id = create_batch_id(mailer)
    for until, send_at in ((world.now, world.timestamp()), (None, None)):
        held = prepare_email(letter.email, letter.config, ScheduledDelivery(batch_id, until))
        body = build_request(held, [READER], RequestId("1", "1", "1")).body
        mail = json.loads(body)
        assert (mail["batch_id"], mail.get("send_at")) == (batch_id, send_at)
        answer = mailer.post_mail(body)
        assert isinstance(answer, Response)
        assert answer.status == 202
    unknown = prepare_email(letter.email, letter.config, ScheduledDelivery("made-up", None))
    answer = mailer.post_mail(build_request(unknown, [READER], RequestId("1", "1", "1")).body)
    assert isinstance(answer, Response)
    assert (answer.status, b"batch_id" in answer.body) == (400, True)
    assert len(double.accepted) == 2
