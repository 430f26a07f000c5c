"""A proof holds only if ledger and vendor agree about every reader."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from newsletter.sending.rehearsal.result import LinkScanResult, RehearsalResult, ResolutionSummary

GOOD = RehearsalResult(
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


def test_everybody_once_or_set_aside_holds() -> None:
    assert GOOD.failures == ()
    assert (GOOD.delivered_once, GOOD.delivered_repeatedly, GOOD.skipped, GOOD.lost) == (
        98,
        0,
        2,
        0,
    )
    assert GOOD.to_dict()["holds"] is True


@pytest.mark.parametrize(
    ("delivery_counts", "words"),
    [
        ({("accepted", 1): 99, ("accepted", 2): 1}, "1 readers have it twice"),
        ({("accepted", 1): 99, ("accepted", 0): 1}, "1 readers are lost"),
        ({("accepted", 1): 99, ("pending", 0): 1}, "1 readers are lost"),
        ({("accepted", 1): 99, ("unknown", 1): 1}, "1 readers are not settled"),
        ({("accepted", 1): 99, ("rejected", 1): 1}, "disagree about 1 readers"),
        ({("accepted", 1): 99}, "the ledger has 99 readers of 100"),
    ],
)
def test_one_reader_amiss_is_enough(
    delivery_counts: Mapping[tuple[str, int], int], words: str
) -> None:
    assert any(words in gap for gap in replace(GOOD, delivery_counts=delivery_counts).failures)


@pytest.mark.parametrize(
    ("amiss", "words"),
    [
        (replace(GOOD, unexpected_copies=1), "others than the readers"),
        (replace(GOOD, unfilled_token_count=1), "merge tags unfilled"),
        (replace(GOOD, link_scan=LinkScanResult(9, 27, 162, changed=1)), "has changed 1 readers"),
        (replace(GOOD, link_scan=LinkScanResult(9, 27, 162, broken=2)), "2 links of readers"),
        (
            replace(GOOD, state="blocked", reason="so says the vendor"),
            "blocked in the end: so says",
        ),
    ],
)
def test_whatever_else_is_amiss_is_said(amiss: RehearsalResult, words: str) -> None:
    assert [words in gap for gap in amiss.failures] == [True]
