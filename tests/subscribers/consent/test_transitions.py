"""The status of a subscriber after each change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.db.schema import CHANGE_KINDS, STATUSES
from newsletter.subscribers.consent.transitions import (
    SUPPRESSED_STATUSES,
    StatusChange,
    count_soft_bounces,
    next_status,
    replay_status,
)

REPORTS = ("bounced", "unsubscribed", "complained")  # the weakest first
REQUESTED = st.sampled_from(("pending", "active"))
changes = st.one_of(
    st.builds(StatusChange, st.sampled_from(("subscribed", "resubscribed")), REQUESTED),
    st.builds(StatusChange, st.just("imported"), st.sampled_from(STATUSES)),
    st.sampled_from(
        [StatusChange(kind) for kind in (*REPORTS, "confirmed", "soft_bounced", "delivered")]
    ),
)
statuses = st.sampled_from(STATUSES)


@pytest.mark.parametrize(
    ("status", "change", "after"),
    [
        (None, StatusChange("subscribed", "pending"), "pending"),
        (None, StatusChange("imported", "bounced"), "bounced"),
        (None, StatusChange("resubscribed", "active"), "active"),
        ("pending", StatusChange("confirmed"), "active"),
        ("pending", StatusChange("subscribed", "active"), "pending"),
        ("pending", StatusChange("imported", "active"), "pending"),
        ("pending", StatusChange("unsubscribed"), "unsubscribed"),
        ("pending", StatusChange("resubscribed", "active"), "active"),
        ("active", StatusChange("subscribed", "pending"), "active"),
        ("active", StatusChange("resubscribed", "pending"), "active"),
        ("active", StatusChange("imported", "pending"), "active"),
        ("active", StatusChange("imported", "complained"), "complained"),
        ("active", StatusChange("soft_bounced"), "active"),
        ("bounced", StatusChange("unsubscribed"), "unsubscribed"),
        ("bounced", StatusChange("delivered"), "bounced"),
        ("unsubscribed", StatusChange("bounced"), "unsubscribed"),
        ("unsubscribed", StatusChange("confirmed"), "unsubscribed"),
        ("unsubscribed", StatusChange("resubscribed", "pending"), "pending"),
        ("unsubscribed", StatusChange("imported", "active"), "unsubscribed"),
        ("complained", StatusChange("unsubscribed"), "complained"),
        ("complained", StatusChange("resubscribed", "active"), "active"),
    ],
)
def test_next_status(status: str | None, change: StatusChange, after: str) -> None:
    assert next_status(status, change) == after


@given(statuses, changes)
def test_only_resubscribing_ends_a_suppression(status: str, change: StatusChange) -> None:
    if status in SUPPRESSED_STATUSES and change.kind != "resubscribed":
        assert next_status(status, change) in SUPPRESSED_STATUSES


@given(statuses, changes)
def test_repeating_a_change_has_no_effect(status: str, change: StatusChange) -> None:
    after = next_status(status, change)
    assert next_status(after, change) == after


@given(st.sampled_from(("pending", "active")), st.lists(st.sampled_from(REPORTS), min_size=1))
def test_strongest_report_wins_in_any_order(status: str, reports: list[str]) -> None:
    history = [StatusChange("imported", status), *map(StatusChange, reports)]
    assert replay_status(history) == max(reports, key=REPORTS.index)


@given(changes)
def test_changes_of_an_unlisted_address_are_rejected(change: StatusChange) -> None:
    if change.kind in {"subscribed", "imported", "resubscribed"}:
        assert next_status(None, change) == change.requested
    else:
        with pytest.raises(ValueError, match="requires an address that is in the list"):
            next_status(None, change)


def test_all_kinds_of_changes_are_handled() -> None:
    results = {kind: next_status("pending", StatusChange(kind, "active")) for kind in CHANGE_KINDS}
    assert results == {
        "subscribed": "pending", "confirmed": "active", "imported": "pending",
        "unsubscribed": "unsubscribed", "bounced": "bounced", "complained": "complained",
        "resubscribed": "active", "soft_bounced": "pending", "delivered": "pending",
        "opens_allowed": "pending", "opens_refused": "pending",
        "clicks_allowed": "pending", "clicks_refused": "pending",
    }  # fmt: skip


def test_status_of_an_empty_journal_is_none() -> None:
    assert replay_status([]) is None


def test_soft_bounces_are_counted_since_the_last_delivery_or_consent() -> None:
    kinds = ["soft_bounced", "soft_bounced", "delivered", "soft_bounced", "unsubscribed"]
    history = [StatusChange(kind) for kind in kinds]
    assert count_soft_bounces(history) == 1
    assert count_soft_bounces([*history, StatusChange("resubscribed", "active")]) == 0
