"""The plan of a rehearsal: every fault that was asked for, and requests enough to meet them."""

import math

import pytest

from newsletter.sending.rehearsal.fault_plan import (
    DEFAULT_FAULTS,
    FAULT_KINDS,
    PlannedFault,
    build_fault_plan,
    choose_batch_size,
)


def test_a_calm_request_comes_before_each_fault() -> None:
    assert build_fault_plan(["error", "cut"]) == [
        PlannedFault(),
        PlannedFault("error", 0),
        PlannedFault(),
        PlannedFault("error", 1),
        PlannedFault(),
        PlannedFault("cut", 0),
    ]


def test_a_fault_bears_its_name_and_a_calm_request_is_taken() -> None:
    assert {step.make_fault(0.0).name for step in build_fault_plan(DEFAULT_FAULTS)} == {
        "",
        *FAULT_KINDS,
    }
    assert PlannedFault().make_fault(0.0).accept


@pytest.mark.parametrize("readers", [50, 300, 10_000, 1_000_000])
def test_there_are_requests_enough_for_every_fault(readers: int) -> None:
    steps = build_fault_plan(DEFAULT_FAULTS)
    size = choose_batch_size(readers, 1000, steps)
    assert 1 <= size <= 1000
    assert math.ceil(readers / size) >= len(steps)


def test_without_faults_the_batches_are_the_settings_own() -> None:
    assert choose_batch_size(10, 1000, build_fault_plan(())) == 1000
