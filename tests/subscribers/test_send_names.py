"""The names of an issue's sends lead back to the issue."""

import pytest

from newsletter.subscribers.send_names import (
    get_original_issue,
    is_set_aside_name,
    make_catch_up_name,
    make_recalled_name,
)

ICE = "2026-12-01-ice"


@pytest.mark.parametrize("issue", [ICE, f"{ICE}~recalled", f"{ICE}~catch-up", f"{ICE}~catch-up-x"])
def test_name_of_a_send_leads_back_to_its_issue(issue: str) -> None:
    assert get_original_issue(issue) == issue
    catch_up = make_catch_up_name(issue, [])
    for name in (make_recalled_name(issue, 12), catch_up, make_recalled_name(catch_up, 1)):
        assert get_original_issue(name) == issue


def test_catch_ups_are_counted_and_never_share_a_name() -> None:
    first = make_catch_up_name(ICE, [ICE, f"{ICE}-again~catch-up-7"])
    assert first == f"{ICE}~catch-up-1"
    assert make_catch_up_name(ICE, [f"{ICE}~catch-up-9", first]) == f"{ICE}~catch-up-10"
    # Set aside, so that its name is free again.
    assert make_catch_up_name(ICE, [make_recalled_name(first, 1)]) == first


def test_kind_of_a_name() -> None:
    catch_up = make_catch_up_name(ICE, [])
    aside = make_recalled_name(catch_up, 1)
    assert [is_set_aside_name(name) for name in (ICE, catch_up, aside)] == [False, False, True]
