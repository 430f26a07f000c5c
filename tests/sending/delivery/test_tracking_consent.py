"""With ``tracking: ask``, no request is tracked of which a recipient has not agreed."""

import datetime
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sending_fixtures import FakeObserver, MakeReaders, Subscribe, configured, start_over

from newsletter.config.tracking import TRACKED_ACTIONS, TrackedAction
from newsletter.db import read_transaction
from newsletter.db.schema import batch, metadata, send_recipient, subscriber
from newsletter.render.email import Email
from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.ledger.pause_cancel_retry import retry_rejected
from newsletter.sending.ledger.record import Ledger, Send, get_send
from newsletter.sending.planning.copy_send import copy_recalled_send
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.planning.send_schedule import SendSchedule
from newsletter.sending.providers.prepared_email import PreparedEmail
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.payload import prepare_email
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.consent.tracking_answers import record_tracking_answers
from newsletter.subscribers.tracking_groups import VARIANTS

TOTAL = 23
MODES = ("off", "ask", "all")
NOW = datetime.datetime(2026, 12, 1, 9, tzinfo=datetime.UTC)
ORIGIN = ChangeOrigin(NOW, "form", "/p", "Yes, you may.")
Answers = dict[int, dict[TrackedAction, bool]]


@dataclass
class CheckingTransport:
    """Posts over a socket, with planned faults; asserts of each request that it may be tracked.

    Attributes:
        modes: the settings of the sender.
        limit: requests until the sender is asked to stop.
        tracked: the tracking that was requested, by number of requests.
    """

    ledger: Ledger
    observer: FakeObserver
    mailer: SendGridClient
    double: FakeSendGrid
    modes: dict[TrackedAction, str]
    limit: int = 1_000
    plan: list[InjectedFault | None] = field(default_factory=list)
    tracked: Counter[tuple[TrackedAction, ...]] = field(default_factory=Counter)

    def post_mail(self, body: bytes) -> Response | NoResponse:
        request = orjson.loads(body)
        ids = [int(each["custom_args"]["nl_subscriber"]) for each in request["personalizations"]]
        tracked = requested_tracking(request)
        self.tracked[tracked] += 1
        for action in TRACKED_ACTIONS:
            if self.modes[action] == "all":
                assert action in tracked
            elif action in tracked:
                assert self.modes[action] == "ask"
                assert all(load_consents(self.ledger.engine, action)[id_] is True for id_ in ids)
        if fault := self.plan.pop(0) if self.plan else None:
            self.double.inject_faults(fault)
        response = self.mailer.post_mail(body)
        self.limit -= 1
        self.observer.stop_requested = self.limit <= 0
        return response


def requested_tracking(request: dict[str, Any]) -> tuple[TrackedAction, ...]:
    switches = request["tracking_settings"]
    enabled: dict[TrackedAction, bool] = {
        "opens": switches["open_tracking"]["enable"],
        "clicks": switches["click_tracking"]["enable"],
    }
    return tuple(action for action in TRACKED_ACTIONS if enabled[action])


def load_consents(engine: sa.Engine, action: TrackedAction) -> dict[int, bool | None]:
    column = subscriber.c.opens_consent if action == "opens" else subscriber.c.clicks_consent
    with read_transaction(engine) as connection:
        return dict(connection.execute(sa.select(subscriber.c.id, column)).all())


def answer(engine: sa.Engine, answers: Answers) -> None:
    with engine.begin() as connection:
        for id_, given_answers in answers.items():
            record_tracking_answers(connection, id_, given_answers, ORIGIN)


def prepare(email: Email, opens: str, clicks: str = "off", size: int = 4) -> PreparedEmail:
    tracking = {"opens": opens, "clicks": clicks}
    return prepare_email(email, configured(tracking=tracking, limits={"batch_size": size}))


def planned_batches(ledger: Ledger, send_record: Send) -> list[tuple[str, list[int]]]:
    """Return the variant and the recipients of each batch that is ready, in their order."""
    query = (
        sa.select(batch.c.number, batch.c.variant, send_recipient.c.subscriber_id)
        .join(send_recipient, send_recipient.c.batch_id == batch.c.id)
        .where(batch.c.send_id == send_record.id, batch.c.state == "ready")
        .order_by(batch.c.number, send_recipient.c.subscriber_id)
    )
    batches: dict[tuple[int, str], list[int]] = {}
    with read_transaction(ledger.engine) as connection:
        for number, variant, id_ in connection.execute(query):
            batches.setdefault((number, variant), []).append(id_)
    return [(variant, ids) for (_, variant), ids in batches.items()]


def current(ledger: Ledger, frozen: Send) -> Send:
    found = get_send(ledger, frozen.issue)
    assert found is not None
    return found


@pytest.fixture
def answered(ledger: Ledger, subscribe: Subscribe, make_readers: MakeReaders) -> Answers:
    """Ten readers: 1 to 6 agree to opens, 4 to 8 to clicks, 9 refuses both, 10 was not asked."""
    subscribe(make_readers(10))
    answers: Answers = {id_: {"opens": id_ <= 6, "clicks": 4 <= id_ <= 8} for id_ in range(1, 10)}
    answer(ledger.engine, answers)
    return answers


@pytest.mark.usefixtures("answered")
@pytest.mark.parametrize(
    ("opens", "clicks", "batches"),
    [
        ("off", "off", [("", [1, 2, 3, 4]), ("", [5, 6, 7, 8]), ("", [9, 10])]),
        ("all", "off", [("", [1, 2, 3, 4]), ("", [5, 6, 7, 8]), ("", [9, 10])]),
        (
            "ask", "off",
            [("opens", [1, 2, 3, 4]), ("opens", [5, 6]), ("none", [7, 8, 9, 10])],
        ),
        (
            "off", "ask",
            [("clicks", [4, 5, 6, 7]), ("clicks", [8]), ("none", [1, 2, 3, 9]), ("none", [10])],
        ),
        (
            "ask", "ask",
            [
                ("opens clicks", [4, 5, 6]), ("opens", [1, 2, 3]), ("clicks", [7, 8]),
                ("none", [9, 10]),
            ],
        ),
        (
            "ask", "all",
            [("opens", [1, 2, 3, 4]), ("opens", [5, 6]), ("none", [7, 8, 9, 10])],
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("always_fits", [True, False])
def test_readers_who_agree_and_others_are_in_separate_batches(
    ledger: Ledger,
    email: Email,
    opens: str,
    clicks: str,
    batches: list[tuple[str, list[int]]],
    *,
    always_fits: bool,
) -> None:
    prepared = prepare(email, opens, clicks)
    if not always_fits:
        limits = prepared.config.limits.model_copy(update={"request_bytes": 40_000})
        config = prepared.config.model_copy(update={"limits": limits})
        prepared = prepare_email(email, config)
        assert not prepared.always_fits
    assert planned_batches(ledger, freeze_send(ledger, prepared)) == batches


@pytest.mark.usefixtures("answered")
@pytest.mark.parametrize(
    ("frozen_as", "sent_as", "changed", "requests"),
    [
        ("ask", "ask", {}, {("opens",): 2, (): 1}),
        # One reader has refused since: their request is not tracked, the other one is.
        ("ask", "ask", {1: {"opens": False}}, {("opens",): 1, (): 2}),
        # A batch is never tracked for more than it was planned for.
        ("ask", "ask", {id_: {"opens": True} for id_ in (7, 8, 9, 10)}, {("opens",): 2, (): 1}),
        # Planned under another setting: tracked only if all happen to agree.
        ("off", "ask", {}, {("opens",): 1, (): 2}),
        ("all", "ask", {}, {("opens",): 1, (): 2}),
        ("all", "ask", {3: {"opens": False}}, {(): 3}),
        ("ask", "off", {}, {(): 3}),
        ("ask", "all", {}, {("opens",): 3}),
    ],
)
def test_request_is_tracked_only_if_all_agree_now(
    ledger: Ledger,
    email: Email,
    observer: FakeObserver,
    mailer: SendGridClient,
    double: FakeSendGrid,
    frozen_as: str,
    sent_as: str,
    changed: Answers,
    requests: dict[tuple[TrackedAction, ...], int],
) -> None:
    frozen = freeze_send(ledger, prepare(email, frozen_as))
    answer(ledger.engine, changed)
    transport = CheckingTransport(
        ledger, observer, mailer, double, {"opens": sent_as, "clicks": "off"}
    )
    BatchSender(ledger, frozen, prepare(email, sent_as), transport, observer, concurrency=1).run()
    assert transport.tracked == requests
    assert current(ledger, frozen).state == "done"
    assert len(double.accepted) == 10


@pytest.mark.usefixtures("answered")
@pytest.mark.parametrize(
    ("frozen_as", "sent_as", "variants"),
    [
        (("ask", "off"), ("ask", "off"), ["opens", "opens", "none"]),
        (("ask", "off"), ("ask", "all"), ["opens", "opens", "none"]),
        (("ask", "off"), ("ask", "ask"), ["opens", "opens", "none"]),
        (("all", "off"), ("ask", "off"), ["opens", "none", "none"]),
        (("off", "off"), ("all", "off"), ["", "", ""]),
        # Nobody was asked when it was sent, so nobody's agreement was looked up.
        (("ask", "off"), ("off", "off"), ["none", "none", "none"]),
        (("ask", "off"), ("all", "off"), ["none", "none", "none"]),
        # Planned for everybody's opens and for the clicks of 4 to 8.
        (("all", "ask"), ("ask", "ask"), ["clicks", "clicks", "none", "none"]),
        (("all", "ask"), ("all", "all"), ["none", "none", "none", "none"]),
    ],
)
def test_batch_names_what_its_readers_had_agreed_to_when_it_was_sent(
    ledger: Ledger,
    email: Email,
    observer: FakeObserver,
    mailer: SendGridClient,
    frozen_as: tuple[str, str],
    sent_as: tuple[str, str],
    variants: list[str],
) -> None:
    frozen = freeze_send(ledger, prepare(email, *frozen_as))
    # Several batches are claimed, and marked as in flight, at once.
    prepared = prepare(email, *sent_as)
    BatchSender(ledger, frozen, prepared, mailer, observer, concurrency=4).run()
    with read_transaction(ledger.engine) as connection:
        query = sa.select(batch.c.variant).order_by(batch.c.number)
        assert [*connection.scalars(query)] == variants


@pytest.mark.usefixtures("answered")
def test_unsubscribed_reader_does_not_keep_the_others_from_being_tracked(
    ledger: Ledger,
    email: Email,
    observer: FakeObserver,
    mailer: SendGridClient,
    double: FakeSendGrid,
) -> None:
    prepared = prepare(email, "ask", size=10)
    frozen = freeze_send(ledger, prepared)
    answer(ledger.engine, {1: {"opens": False}})
    with ledger.engine.begin() as connection:
        update = sa.update(subscriber).where(subscriber.c.id == 1)
        connection.execute(update.values(status="unsubscribed"))
    modes: dict[TrackedAction, str] = {"opens": "ask", "clicks": "off"}
    transport = CheckingTransport(ledger, observer, mailer, double, modes)
    BatchSender(ledger, frozen, prepared, transport, observer, concurrency=1).run()
    assert transport.tracked == {("opens",): 1, (): 1}


@pytest.mark.usefixtures("answered")
def test_halves_of_a_split_batch_and_retried_readers_keep_their_variant(
    ledger: Ledger,
    email: Email,
    observer: FakeObserver,
    mailer: SendGridClient,
    double: FakeSendGrid,
) -> None:
    prepared = prepare(email, "ask", size=10)
    frozen = freeze_send(ledger, prepared)
    modes: dict[TrackedAction, str] = {"opens": "ask", "clicks": "off"}
    too_large = faults.error_response(413)
    transport = CheckingTransport(
        ledger, observer, mailer, double, modes, limit=1, plan=[too_large]
    )
    BatchSender(ledger, frozen, prepared, transport, observer, concurrency=1).run()
    assert planned_batches(ledger, frozen) == [
        ("none", [7, 8, 9, 10]),
        ("opens", [1, 2, 3]),
        ("opens", [4, 5, 6]),
    ]
    with ledger.engine.begin() as connection:
        refused = sa.update(send_recipient).where(send_recipient.c.subscriber_id.in_((2, 3, 8)))
        connection.execute(refused.values(state="rejected", error="a reason"))
    assert retry_rejected(ledger, current(ledger, frozen), 10) == 3
    assert planned_batches(ledger, frozen)[-2:] == [("none", [8]), ("opens", [2, 3])]


@pytest.mark.usefixtures("answered")
def test_copy_of_a_recalled_send_keeps_the_groups(
    ledger: Ledger, email: Email, observer: FakeObserver
) -> None:
    frozen = freeze_send(ledger, prepare(email, "ask", "ask"))
    planned = planned_batches(ledger, frozen)
    with ledger.engine.begin() as connection:
        # As sent: one batch less than planned.
        sent = sa.update(batch).where(batch.c.send_id == frozen.id, batch.c.number == 1)
        connection.execute(sent.values(variant="none"))
        table = metadata.tables["send"]
        connection.execute(
            sa.update(table).values(
                state="cancelled",
                provider_batch_id="b",
                recalled_at=observer.now,
                scheduled_at=observer.now + datetime.timedelta(hours=1),
            )
        )
    copied = copy_recalled_send(ledger, current(ledger, frozen), SendSchedule())
    assert planned_batches(ledger, copied) == planned


ANSWERS: st.SearchStrategy[Answers] = st.dictionaries(
    st.integers(1, TOTAL),
    st.dictionaries(st.sampled_from(TRACKED_ACTIONS), st.booleans(), min_size=1),
)
MODE = st.sampled_from(MODES)
FAULTS: st.SearchStrategy[InjectedFault | None] = st.sampled_from(
    [None, None, faults.rate_limit_response(0), faults.error_response(413),
     faults.error_response(400, "bad", "personalizations.0.to.0.email")]
)  # fmt: skip


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    answers=ANSWERS,
    frozen_as=st.tuples(MODE, MODE),
    runs=st.lists(
        st.tuples(MODE, MODE, ANSWERS, st.integers(1, 4), st.lists(FAULTS, max_size=3)),
        min_size=1,
        max_size=4,
    ),
)
def test_nobody_is_tracked_without_consent_whatever_happens(
    ledger: Ledger,
    email: Email,
    observer: FakeObserver,
    double: FakeSendGrid,
    mailer: SendGridClient,
    make_readers: MakeReaders,
    subscribe: Subscribe,
    answers: Answers,
    frozen_as: tuple[str, str],
    runs: list[tuple[str, str, Answers, int, list[InjectedFault | None]]],
) -> None:
    start_over(ledger.engine, double)
    subscribe(make_readers(TOTAL))
    answer(ledger.engine, answers)
    frozen = freeze_send(ledger, prepare(email, *frozen_as))
    with ledger.engine.connect() as connection:
        assert {*connection.scalars(sa.select(batch.c.variant))} <= {*VARIANTS}
    # Between two runs readers change their minds, and the editor the settings.
    for opens, clicks, changed, limit, plan in [*runs, (*runs[-1][:2], {}, 1_000, [])]:
        answer(ledger.engine, changed)
        observer.stop_requested = False
        modes: dict[TrackedAction, str] = {"opens": opens, "clicks": clicks}
        transport = CheckingTransport(ledger, observer, mailer, double, modes, limit, list(plan))
        prepared = prepare(email, opens, clicks)
        BatchSender(
            ledger, current(ledger, frozen), prepared, transport, observer, concurrency=1
        ).run()
    sent = Counter(recipient.address for recipient in double.accepted)
    assert set(sent.values()) <= {1}
    with ledger.engine.connect() as connection:
        states = [*connection.scalars(sa.select(send_recipient.c.state))]
    assert len(states) == TOTAL
    assert states.count("accepted") == len(sent)
    assert {*states} <= {"accepted", "rejected"}
