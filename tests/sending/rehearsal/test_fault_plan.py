"""The plan of a rehearsal: every fault that was asked for, and requests enough to meet them."""

import math

import pytest

from newsletter.sending.rehearsal.fault_plan import DEFAULT, KINDS, Step, batch_size, script


def test_a_calm_request_comes_before_each_fault() -> None:
    assert script(["error", "cut"]) == [
        Step(), Step("error", 0), Step(), Step("error", 1), Step(), Step("cut", 0),
    ]  # fmt: skip


def test_a_fault_bears_its_name_and_a_calm_request_is_taken() -> None:
    assert {step.fault(0.0).name for step in script(DEFAULT)} == {"", *KINDS}
    assert Step().fault(0.0).accept


@pytest.mark.parametrize("readers", [50, 300, 10_000, 1_000_000])
def test_there_are_requests_enough_for_every_fault(readers: int) -> None:
    steps = script(DEFAULT)
    size = batch_size(readers, 1000, steps)
    assert 1 <= size <= 1000
    assert math.ceil(readers / size) >= len(steps)


def test_without_faults_the_batches_are_the_settings_own() -> None:
    assert batch_size(10, 1000, script(())) == 1000
