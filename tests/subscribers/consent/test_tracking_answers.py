"""Answers about tracking: the columns are the state after the journal's last entry."""

import datetime

import pytest
import sqlalchemy as sa

from newsletter.db.schema import subscriber
from newsletter.subscribers.address import ParsedAddress, parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.journal import ChangeOrigin, load_journal, to_changes
from newsletter.subscribers.consent.signup import TrackingForm, confirm_signup
from newsletter.subscribers.consent.tracking_answers import (
    TrackingAnswers,
    load_tracking_answers,
    record_tracking_answers,
    replay_answers,
)
from newsletter.subscribers.consent.transitions import replay_status

NOW = datetime.datetime(2026, 12, 1, 9, 0, tzinfo=datetime.UTC)
FORM = ChangeOrigin(NOW, "form", "/p", "Yes, you may.")
ADA = parse_address("ada@example.org")
YES: TrackingAnswers = {"opens": True, "clicks": True}
NO: TrackingAnswers = {"opens": False, "clicks": False}


def add(connection: sa.Connection, address: ParsedAddress = ADA) -> int:
    return changes.subscribe(connection, address, "active", ChangeOrigin(NOW, "cli")).id


def load(connection: sa.Connection, id_: int) -> TrackingAnswers:
    """Return the answers; assert that the journal yields the same, and the status too."""
    entries = load_journal(connection, id_)
    answers = load_tracking_answers(connection, id_)
    assert replay_answers(entry.change for entry in entries) == answers
    status = connection.scalar(sa.select(subscriber.c.status).where(subscriber.c.id == id_))
    assert replay_status(to_changes(entries)) == status == entries[-1].status
    return answers


def test_answer_is_a_change_of_the_subscriber(engine: sa.Engine) -> None:
    later = FORM._replace(at=NOW + datetime.timedelta(hours=1))
    changed_at = sa.select(subscriber.c.updated_at)
    with engine.begin() as connection:
        id_ = add(connection)
        assert record_tracking_answers(connection, id_, YES, later)
        assert connection.scalar(changed_at) == later.at
        assert not record_tracking_answers(connection, id_, YES, FORM)
        assert connection.scalar(changed_at) == later.at


@pytest.mark.parametrize(
    ("given", "answers", "kinds"),
    [
        ([], {}, []),
        ([{"opens": True}], {"opens": True}, ["opens_allowed"]),
        ([{"opens": False}], {"opens": False}, ["opens_refused"]),
        ([YES], YES, ["opens_allowed", "clicks_allowed"]),
        ([NO], NO, ["opens_refused", "clicks_refused"]),
        # The same answer again is no change.
        ([YES, YES], YES, ["opens_allowed", "clicks_allowed"]),
        ([YES, {"clicks": False}], {"opens": True, "clicks": False},
         ["opens_allowed", "clicks_allowed", "clicks_refused"]),
        ([{"opens": True}, {"opens": False}, {"opens": True}], {"opens": True},
         ["opens_allowed", "opens_refused", "opens_allowed"]),
        ([{"clicks": True}, YES], YES, ["clicks_allowed", "opens_allowed"]),
        ([{}], {}, []),
    ],
)  # fmt: skip
def test_each_change_is_recorded_once(
    engine: sa.Engine, given: list[TrackingAnswers], answers: TrackingAnswers, kinds: list[str]
) -> None:
    with engine.begin() as connection:
        id_ = add(connection)
        for some in given:
            before = load(connection, id_)
            changed = record_tracking_answers(connection, id_, some, FORM)
            assert changed == (load(connection, id_) != before)
        assert load(connection, id_) == answers
        entries = load_journal(connection, id_)[1:]
    assert [entry.change for entry in entries] == kinds
    assert {entry[3:] for entry in entries} <= {("form", "/p", "Yes, you may.")}


def test_answer_of_an_erased_subscriber_is_not_recorded(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        assert not record_tracking_answers(connection, 99, YES, FORM)


def test_change_of_address_keeps_the_answers(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        id_ = add(connection)
        record_tracking_answers(connection, id_, {"opens": True, "clicks": False}, FORM)
        changes.change_address(connection, ADA.key, parse_address("new@example.org"), FORM)
        assert load(connection, id_) == {"opens": True, "clicks": False}


@pytest.mark.parametrize(
    ("before", "earlier", "form", "after"),
    [
        ("new", {}, None, {}),
        ("new", {}, YES, YES),
        ("new", {}, NO, NO),
        ("pending", {}, {"opens": True}, {"opens": True}),
        ("pending", {}, None, {}),
        # An address that is active already changes nothing: whoever filled in the form.
        ("active", {}, YES, {}),
        ("active", NO, YES, NO),
        ("active", YES, NO, YES),
        ("active", YES, None, YES),
        # Who had left: the new answer counts; without one a refusal stays, an agreement doesn't.
        ("unsubscribed", YES, YES, YES),
        ("unsubscribed", YES, NO, NO),
        ("unsubscribed", NO, YES, YES),
        ("unsubscribed", YES, None, NO),
        ("unsubscribed", NO, None, NO),
        ("unsubscribed", {}, None, {}),
        ("unsubscribed", YES, {"opens": True}, {"opens": True, "clicks": False}),
        ("complained", {"opens": True}, None, {"opens": False}),
        ("bounced", {"clicks": True}, {"clicks": True}, {"clicks": True}),
    ],
)
def test_answer_counts_once_the_mailbox_confirms(
    engine: sa.Engine,
    before: str,
    earlier: TrackingAnswers,
    form: TrackingAnswers | None,
    after: TrackingAnswers,
) -> None:
    origin = ChangeOrigin(NOW, "form", "/confirm", "Yes, send me Harbour Notes.")
    with engine.begin() as connection:
        if before != "new":
            status = "pending" if before == "pending" else "active"
            id_ = changes.subscribe(connection, ADA, status, ChangeOrigin(NOW, "cli")).id
            record_tracking_answers(connection, id_, earlier, FORM)
        if action := changes.SUPPRESSION_ACTIONS.get(before):
            action(connection, ADA.key, ChangeOrigin(NOW, "webhook"))
        tracking = None if form is None else TrackingForm(form, "Yes, record it.")
        confirm_signup(connection, ADA, origin, name="", tracking=tracking)
        id_ = connection.scalars(sa.select(subscriber.c.id)).one()
        assert load(connection, id_) == after
        answered = {entry.wording for entry in load_journal(connection, id_) if "_" in entry.change}
    if before != "active" and form and not earlier:
        assert answered == {"Yes, record it."}


def test_subscribed_again_by_the_editor_ends_an_agreement(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        id_ = add(connection)
        record_tracking_answers(connection, id_, YES, FORM)
        changes.unsubscribe(connection, ADA.key, ChangeOrigin(NOW, "one_click"))
        origin = ChangeOrigin(NOW, "cli", wording="by letter")
        changes.resubscribe(connection, ADA, "active", origin)
        assert load(connection, id_) == NO


@pytest.mark.parametrize("status", ["pending", "unsubscribed", "bounced", "complained"])
def test_entry_has_the_status_of_that_time(engine: sa.Engine, status: str) -> None:
    with engine.begin() as connection:
        id_ = changes.subscribe(connection, ADA, status, ChangeOrigin(NOW, "cli")).id
        record_tracking_answers(connection, id_, {"opens": False}, FORM)
        assert load(connection, id_) == {"opens": False}


def test_who_left_and_agrees_again_has_not_refused_in_between(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        id_ = add(connection)
        record_tracking_answers(connection, id_, YES, FORM)
        changes.unsubscribe(connection, ADA.key, FORM)
        form = TrackingForm(YES, "Yes, you may.")
        assert confirm_signup(connection, ADA, FORM, name="", tracking=form) == "gone"
        assert load(connection, id_) == YES
        kinds = [entry.change for entry in load_journal(connection, id_)]
        assert not {"opens_refused", "clicks_refused"}.intersection(kinds)
