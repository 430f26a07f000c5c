"""The fault plan of a rehearsal: every requested fault, and enough batches for them."""

import math

import pytest

from newsletter.sending.rehearsal.fault_plan import (
    DEFAULT_FAULTS,
    FAULT_KINDS,
    PlannedFault,
    build_fault_plan,
    choose_batch_size,
)


def test_request_without_a_fault_precedes_each_fault() -> None:
    assert build_fault_plan(["error", "cut"]) == [
        PlannedFault(),
        PlannedFault("error", 0),
        PlannedFault(),
        PlannedFault("error", 1),
        PlannedFault(),
        PlannedFault("cut", 0),
    ]


def test_fault_has_its_name_and_request_without_a_fault_is_accepted() -> None:
    assert {planned.make_fault(0.0).name for planned in build_fault_plan(DEFAULT_FAULTS)} == {
        "",
        *FAULT_KINDS,
    }
    assert PlannedFault().make_fault(0.0).accept


@pytest.mark.parametrize("readers", [50, 300, 10_000, 1_000_000])
def test_batch_size_yields_enough_requests_for_every_fault(readers: int) -> None:
    plan = build_fault_plan(DEFAULT_FAULTS)
    size = choose_batch_size(readers, 1000, plan)
    assert 1 <= size <= 1000
    assert math.ceil(readers / size) >= len(plan)


def test_batch_size_is_that_of_the_settings_without_faults() -> None:
    assert choose_batch_size(10, 1000, build_fault_plan(())) == 1000
