"""The table of rules by which a status changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.db.schema import CHANGES, STATUSES
from newsletter.subscribers.consent.transitions import (
    SUPPRESSED,
    Change,
    soft_bounces_of,
    status_of,
    transition,
)

REPORTS = ("bounced", "unsubscribed", "complained")  # the weakest first
OWN_WISH = st.sampled_from(("pending", "active"))
changes = st.one_of(
    st.builds(Change, st.sampled_from(("subscribed", "resubscribed")), OWN_WISH),
    st.builds(Change, st.just("imported"), st.sampled_from(STATUSES)),
    st.sampled_from([Change(w) for w in (*REPORTS, "confirmed", "soft_bounced", "delivered")]),
)
statuses = st.sampled_from(STATUSES)


@pytest.mark.parametrize(
    ("status", "change", "after"),
    [
        (None, Change("subscribed", "pending"), "pending"),
        (None, Change("imported", "bounced"), "bounced"),
        (None, Change("resubscribed", "active"), "active"),
        ("pending", Change("confirmed"), "active"),
        ("pending", Change("subscribed", "active"), "pending"),
        ("pending", Change("imported", "active"), "pending"),
        ("pending", Change("unsubscribed"), "unsubscribed"),
        ("pending", Change("resubscribed", "active"), "active"),
        ("active", Change("subscribed", "pending"), "active"),
        ("active", Change("resubscribed", "pending"), "active"),
        ("active", Change("imported", "pending"), "active"),
        ("active", Change("imported", "complained"), "complained"),
        ("active", Change("soft_bounced"), "active"),
        ("bounced", Change("unsubscribed"), "unsubscribed"),
        ("bounced", Change("delivered"), "bounced"),
        ("unsubscribed", Change("bounced"), "unsubscribed"),
        ("unsubscribed", Change("confirmed"), "unsubscribed"),
        ("unsubscribed", Change("resubscribed", "pending"), "pending"),
        ("unsubscribed", Change("imported", "active"), "unsubscribed"),
        ("complained", Change("unsubscribed"), "complained"),
        ("complained", Change("resubscribed", "active"), "active"),
    ],
)
def test_the_table(status: str | None, change: Change, after: str) -> None:
    assert transition(status, change) == after


@given(statuses, changes)
def test_only_a_new_consent_leads_back(status: str, change: Change) -> None:
    if status in SUPPRESSED and change.word != "resubscribed":
        assert transition(status, change) in SUPPRESSED


@given(statuses, changes)
def test_hearing_it_twice_changes_nothing_more(status: str, change: Change) -> None:
    once = transition(status, change)
    assert transition(once, change) == once


@given(st.sampled_from(("pending", "active")), st.lists(st.sampled_from(REPORTS), min_size=1))
def test_the_strongest_report_counts_in_whatever_order(status: str, reports: list[str]) -> None:
    told = [Change("imported", status), *map(Change, reports)]
    assert status_of(told) == max(reports, key=REPORTS.index)


@given(changes)
def test_nothing_happens_to_strangers(change: Change) -> None:
    if change.word in {"subscribed", "imported", "resubscribed"}:
        assert transition(None, change) == change.status
    else:
        with pytest.raises(ValueError, match="before they are in the list"):
            transition(None, change)


def test_every_word_has_its_rule() -> None:
    told = {word: transition("pending", Change(word, "active")) for word in CHANGES}
    assert told == {
        "subscribed": "pending", "confirmed": "active", "imported": "pending",
        "unsubscribed": "unsubscribed", "bounced": "bounced", "complained": "complained",
        "resubscribed": "active", "soft_bounced": "pending", "delivered": "pending",
    }  # fmt: skip


def test_an_empty_journal_adds_up_to_nothing() -> None:
    assert status_of([]) is None


def test_soft_bounces_are_counted_since_the_last_delivery_or_consent() -> None:
    words = ["soft_bounced", "soft_bounced", "delivered", "soft_bounced", "unsubscribed"]
    told = [Change(word) for word in words]
    assert soft_bounces_of(told) == 1
    assert soft_bounces_of([*told, Change("resubscribed", "active")]) == 0
