"""Property test: whatever goes wrong, nobody gets the email twice and nobody is lost."""

from collections import Counter

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sending_fixtures import FakeObserver, MakeReaders, Subscribe, configured, start_over
from simulated_process import SimulatedProcess, post_with_fault

from newsletter.db.schema import attempt, batch, send_recipient, subscriber
from newsletter.render.email import Email
from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.ledger.record import Ledger, Send, count_recipients_by_state, get_send
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.payload import prepare_email
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault

TOTAL = 23


class FaultyTransport:
    """A transport with planned faults, one per request."""

    def __init__(
        self, mailer: SendGridClient, double: FakeSendGrid, plan: list[str | InjectedFault]
    ) -> None:
        self.mailer = mailer
        self.double = double
        self.plan = plan

    def post_mail(self, body: bytes) -> Response | NoResponse:
        event = self.plan.pop(0) if self.plan else "ok"
        return post_with_fault(self.mailer, self.double, event, body)


EVENTS: st.SearchStrategy[str | InjectedFault] = st.sampled_from(
    [
        "ok",
        "no connection",
        "killed before POST",
        "killed after POST",
        faults.lost_response(),
        faults.lost_request(),
        faults.reset_mid_response(),
        faults.invalid_http_response(),
        faults.rate_limit_response(0),
        faults.error_response(500),
        faults.error_response(503, accept=True),
        faults.error_response(401),
        faults.error_response(413),
        faults.error_response(400),
        faults.error_response(400, "bad", "personalizations.0.to.0.email"),
        faults.error_response(400, "bad", "personalizations.4.to.0.email"),
        faults.endless_response(400),
    ]
)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    plan=st.lists(EVENTS, max_size=14),
    unsubscribed=st.sets(st.integers(1, TOTAL), max_size=3),
    concurrency=st.integers(1, 3),
)
def test_ledger_is_consistent_after_any_faults(
    ledger: Ledger,
    email: Email,
    observer: FakeObserver,
    double: FakeSendGrid,
    mailer: SendGridClient,
    make_readers: MakeReaders,
    subscribe: Subscribe,
    plan: list[str | InjectedFault],
    unsubscribed: set[int],
    concurrency: int,
) -> None:
    start_over(ledger.engine, double)
    subscribe(make_readers(TOTAL))
    prepared = prepare_email(email, configured(limits={"batch_size": 10}))
    frozen = freeze_send(ledger, prepared)
    with ledger.engine.begin() as connection:
        update = sa.update(subscriber).where(subscriber.c.id.in_(unsubscribed))
        connection.execute(update.values(status="unsubscribed"))
    transport = FaultyTransport(mailer, double, list(plan))
    for _ in range(len(plan) + 2):
        with SimulatedProcess.running(transport.post_mail) as process:
            BatchSender(ledger, frozen, prepared, process, observer, concurrency=concurrency).run()
        check(ledger, frozen, double)
        if current(ledger, frozen).state in {"done", "needs_review"}:
            break
    counts = count_recipients_by_state(ledger, frozen)
    assert "pending" not in counts
    assert counts.get("skipped_late", 0) <= len(unsubscribed)
    assert (current(ledger, frozen).state == "needs_review") == ("unknown" in counts)


def current(ledger: Ledger, frozen: Send) -> Send:
    send = get_send(ledger, frozen.issue)
    assert send is not None
    return send


def check(ledger: Ledger, frozen: Send, double: FakeSendGrid) -> None:
    """Assert that nobody is lost or got it twice, and that the ledger matches what was accepted."""
    counts = Counter(email.address for email in double.accepted)
    assert set(counts.values()) <= {1}
    assert sum(count_recipients_by_state(ledger, frozen).values()) == TOTAL
    with ledger.engine.connect() as connection:
        states = sa.select(send_recipient.c.address_key, send_recipient.c.state)
        state_by_address = dict(connection.execute(states).all())
        in_flight_addresses = connection.execute(
            sa.select(send_recipient.c.address_key)
            .join(batch, batch.c.id == send_recipient.c.batch_id)
            .where(batch.c.state == "in_flight")
        )
        in_flight = set(in_flight_addresses.scalars())
        attempts = sa.select(attempt.c.ended_at.is_(None), attempt.c.outcome.is_(None))
        assert all(
            is_open == has_no_outcome for is_open, has_no_outcome in connection.execute(attempts)
        )
    may_have_it = {
        address for address, state in state_by_address.items() if state in {"accepted", "unknown"}
    }
    assert counts.keys() <= may_have_it | in_flight
    accepted = {address for address, state in state_by_address.items() if state == "accepted"}
    assert accepted <= counts.keys()
