"""A rehearsal passes only if the ledger matches the accepted requests for every recipient."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from newsletter.sending.rehearsal.result import LinkScanResult, RehearsalResult, ResolutionSummary

PASSED = RehearsalResult(
    recipient_count=100,
    delivery_counts={("accepted", 1): 98, ("rejected", 0): 2},
    unexpected_copies=0,
    unfilled_token_count=0,
    state="done",
    reason="",
    resolution=ResolutionSummary(2, 20, 1, 1),
    batches=10,
    batch_size=10,
    requests=12,
    faults_met={"lost-answer": 1, "lost-request": 1},
    faults_not_met=(),
    kills=0,
    seconds=1.0,
)


def test_every_recipient_once_or_skipped_passes() -> None:
    assert PASSED.failures == ()
    assert (PASSED.delivered_once, PASSED.delivered_repeatedly, PASSED.skipped, PASSED.lost) == (
        98,
        0,
        2,
        0,
    )
    assert PASSED.to_dict()["holds"] is True


@pytest.mark.parametrize(
    ("delivery_counts", "message"),
    [
        ({("accepted", 1): 99, ("accepted", 2): 1}, "1 readers got it more than once"),
        ({("accepted", 1): 99, ("accepted", 0): 1}, "1 readers are lost"),
        ({("accepted", 1): 99, ("pending", 0): 1}, "1 readers are lost"),
        ({("accepted", 1): 99, ("unknown", 1): 1}, "1 readers have no final state"),
        ({("accepted", 1): 99, ("rejected", 1): 1}, "disagree about 1 readers"),
        ({("accepted", 1): 99}, "the ledger has 99 readers of 100"),
    ],
)
def test_one_wrong_recipient_fails(
    delivery_counts: Mapping[tuple[str, int], int], message: str
) -> None:
    result = replace(PASSED, delivery_counts=delivery_counts)
    assert any(message in failure for failure in result.failures)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (replace(PASSED, unexpected_copies=1), "1 copies went to addresses that are not in"),
        (replace(PASSED, unfilled_token_count=1), "1 unfilled merge tags"),
        (replace(PASSED, link_scan=LinkScanResult(9, 27, 162, changed=1)), "changed 1 readers"),
        (replace(PASSED, link_scan=LinkScanResult(9, 27, 162, broken=2)), "2 unsubscribe or"),
        (
            replace(PASSED, state="blocked", reason="the provider refused it"),
            "ended in the state blocked: the provider refused it",
        ),
    ],
)
def test_every_other_failure_is_reported(result: RehearsalResult, message: str) -> None:
    assert [message in failure for failure in result.failures] == [True]
