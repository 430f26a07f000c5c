"""SendGrid holds and takes back, as documented, over real HTTP; and what happens when it won't."""

import json

import pytest
from sending_fixtures import World

from newsletter.errors import ProviderError
from newsletter.sending.providers.provider import Reply, Stamp
from newsletter.sending.providers.sendgrid.client import Mailer
from newsletter.sending.providers.sendgrid.message_body import Held
from newsletter.sending.providers.sendgrid.payload import Letter, prepare, request
from newsletter.sending.providers.sendgrid.scheduled_sends import new_batch_id, take_back
from newsletter.sending.rehearsal import SendGridDouble
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.endpoints import MOST_CANCELLED
from newsletter.sending.rehearsal.fake_sendgrid.faults import Fault
from newsletter.subscribers import Reader

READER = Reader(1, "a@example.com", "a@example.com", "t", {"email": "a@example.com", "name": ""})


def test_what_is_held_can_be_taken_back_as_often_as_one_likes(
    mailer: Mailer, double: SendGridDouble
) -> None:
    batch_id = new_batch_id(mailer)
    take_back(mailer, batch_id)
    take_back(mailer, batch_id)
    assert double.scheduled.statuses == {batch_id: "cancel"}


def test_a_batch_that_was_never_made_is_not_taken_back(mailer: Mailer) -> None:
    with pytest.raises(ProviderError, match="invalid batch id"):
        take_back(mailer, "made-up")


def test_the_vendor_keeps_few_cancelled_at_once_and_says_so(mailer: Mailer) -> None:
    batches = [new_batch_id(mailer) for _ in range(MOST_CANCELLED + 1)]
    for batch_id in batches[:-1]:
        take_back(mailer, batch_id)
    with pytest.raises(ProviderError, match="at most 10 batches"):
        take_back(mailer, batches[-1])


@pytest.mark.parametrize("fault", [faults.refused(500, "oops"), faults.lost_request()])
def test_a_cancel_that_was_not_heard_is_no_success(
    mailer: Mailer, double: SendGridDouble, fault: Fault
) -> None:
    batch_id = new_batch_id(mailer)
    double.order(fault, fault)
    with pytest.raises(ProviderError, match="may still go out"):
        take_back(mailer, batch_id)


@pytest.mark.parametrize(
    "fault", [faults.refused(500, "oops"), faults.lost_answer(), faults.garbage()]
)
def test_without_a_batch_id_nothing_is_scheduled(
    mailer: Mailer, double: SendGridDouble, fault: Fault
) -> None:
    double.order(fault)
    with pytest.raises(ProviderError, match="Nothing was sent"):
        new_batch_id(mailer)


def test_a_request_carries_its_time_and_its_batch(
    mailer: Mailer, double: SendGridDouble, letter: Letter, world: World
) -> None:
    batch_id = new_batch_id(mailer)
    for until, send_at in ((world.now, world.timestamp()), (None, None)):
        held = prepare(letter.email, letter.config, Held(batch_id, until))
        body = request(held, [READER], Stamp("1", "1", "1")).body
        mail = json.loads(body)
        assert (mail["batch_id"], mail.get("send_at")) == (batch_id, send_at)
        answer = mailer.post_mail(body)
        assert isinstance(answer, Reply)
        assert answer.status == 202
    unknown = prepare(letter.email, letter.config, Held("made-up", None))
    answer = mailer.post_mail(request(unknown, [READER], Stamp("1", "1", "1")).body)
    assert isinstance(answer, Reply)
    assert (answer.status, b"batch_id" in answer.body) == (400, True)
    assert len(double.accepted) == 2
