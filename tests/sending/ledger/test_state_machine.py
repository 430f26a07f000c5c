"""Every command in every state; states after a resolution; what an event proves."""

import datetime
from dataclasses import replace
from typing import get_args

import pytest

from newsletter.db.schema import ATTEMPT_OUTCOMES, BATCH_STATES, SEND_STATES
from newsletter.errors import NothingToDoError, SendRefusedError
from newsletter.sending.ledger.record import Send
from newsletter.sending.ledger.send_phase import is_recallable
from newsletter.sending.ledger.state_machine import (
    AttemptEvidence,
    SendCommand,
    classify_evidence,
    next_state,
    state_after_resolution,
)

NOW = datetime.datetime(2026, 12, 1, 9, 0, tzinfo=datetime.UTC)
SEND = Send(
    1, "2026-12-01-ice", "frozen", "", NOW, 25, {}, "", None, None, "", None, 0, 0, "", "", ""
)
HELD = replace(
    SEND, state="done", scheduled_at=NOW + datetime.timedelta(hours=1), provider_batch_id="b"
)
ALLOWED = {
    ("pause", "running"): "paused",
    ("resume", "running"): "running",
    ("resume", "paused"): "running",
    ("resume", "blocked"): "running",
    ("cancel", "frozen"): "cancelled",
    ("cancel", "running"): "cancelled",
    ("cancel", "paused"): "cancelled",
    ("cancel", "blocked"): "cancelled",
    ("cancel", "cancelled"): "cancelled",
    ("retry", "paused"): "paused",
    ("retry", "blocked"): "paused",
    ("retry", "needs_review"): "paused",
    ("retry", "done"): "paused",
}
DONE_ALREADY = {("pause", "paused"), ("resume", "done")}


@pytest.mark.parametrize("state", [state for state in SEND_STATES if state != "draft"])
@pytest.mark.parametrize("command", get_args(SendCommand))
def test_command_changes_the_state_or_is_refused(command: SendCommand, state: str) -> None:
    send = replace(SEND, state=state)
    expected = ALLOWED.get((command, state))
    if expected:
        assert next_state(command, send, NOW) == expected
    else:
        refusal = NothingToDoError if (command, state) in DONE_ALREADY else SendRefusedError
        with pytest.raises(refusal, match=r"^2026-12-01-ice (is|was) "):
            next_state(command, send, NOW)


def test_scheduled_send_can_be_recalled_until_its_time_and_only_once() -> None:
    assert next_state("cancel", HELD, NOW) == "cancelled"
    for send in (
        replace(HELD, scheduled_at=NOW),
        replace(HELD, provider_batch_id=""),
        replace(HELD, recalled_at=NOW),
    ):
        assert not is_recallable(send, NOW)
        with pytest.raises(SendRefusedError):
            next_state("cancel", send, NOW)


@pytest.mark.parametrize(
    ("state", "has_open", "has_unknown", "expected"),
    [
        ("needs_review", True, True, "paused"),
        ("needs_review", True, False, "paused"),
        ("needs_review", False, True, "needs_review"),
        ("needs_review", False, False, "done"),
        ("paused", True, False, "paused"),
        ("paused", False, True, "needs_review"),
        ("paused", False, False, "done"),
        ("blocked", True, True, "blocked"),
        ("blocked", False, False, "done"),
        ("running", False, False, "running"),
        ("cancelled", False, False, "cancelled"),
        ("done", False, False, "done"),
    ],
)
def test_state_after_a_resolution_follows_from_the_batches(
    state: str, expected: str, *, has_open: bool, has_unknown: bool
) -> None:
    assert (
        state_after_resolution(state, has_open_batches=has_open, has_unknown_batches=has_unknown)
        == expected
    )


EVIDENCE: dict[tuple[str, str | None, bool], AttemptEvidence] = {
    ("unknown", "unknown", False): "accepted",
    ("ready", "unknown", False): "accepted",
    ("dropped", "unknown", False): "accepted",
    ("accepted", "unknown", False): "known",
    ("accepted", "accepted", False): "known",
    ("accepted", "unknown", True): "twice",
    ("unknown", "unknown", True): "twice",
    ("claimed", "unknown", False): "wait",
    ("in_flight", None, False): "wait",
    ("in_flight", "unknown", True): "wait",
}


@pytest.mark.parametrize(("batch_state", "outcome", "later"), EVIDENCE)
def test_evidence_of_an_event_depends_on_the_batch_and_its_attempts(
    batch_state: str, outcome: str | None, *, later: bool
) -> None:
    assert (
        classify_evidence(batch_state, outcome, has_later_attempt=later)
        == EVIDENCE[batch_state, outcome, later]
    )


def test_event_never_makes_a_claimed_or_split_batch_accepted() -> None:
    for batch_state in BATCH_STATES:
        for outcome in (*ATTEMPT_OUTCOMES, None):
            for later in (True, False):
                if classify_evidence(batch_state, outcome, has_later_attempt=later) == "accepted":
                    assert batch_state in {"unknown", "ready", "dropped"}
                    assert not (later and outcome != "accepted")
