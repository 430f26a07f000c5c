from collections.abc import Callable
from typing import Any

import pytest

from newsletter.checks.allowlist import read_exceptions
from newsletter.checks.check_context import CheckContext
from newsletter.checks.runner import check_with_exceptions, run_rules

MakeContext = Callable[..., CheckContext]
NO_PREHEADER = {"preheader": ""}


@pytest.mark.parametrize(
    "allow",
    [
        {"no-preheader": "the first sentence says it"},
        [{"no-preheader": "the first sentence says it"}],
    ],
)
def test_exception_with_a_reason_suppresses_the_finding(
    make_context: MakeContext, allow: Any
) -> None:
    context = make_context(front={**NO_PREHEADER, "allow": allow})
    assert [finding.rule for finding in run_rules(context)] == ["no-preheader"]
    result = check_with_exceptions(context)
    assert result.findings == ()
    assert result.exceptions == {"no-preheader": "the first sentence says it"}


@pytest.mark.parametrize(
    "allow", ["no-preheader", ["no-preheader"], {"no-preheader": None}, {"no-preheader": " "}]
)
def test_exception_without_a_reason_has_no_effect(make_context: MakeContext, allow: Any) -> None:
    context = make_context(front={**NO_PREHEADER, "allow": allow})
    assert read_exceptions(context) == {}
    result = check_with_exceptions(context)
    assert [finding.rule for finding in result.findings] == ["no-preheader", "bad-allow"]
    assert "without a reason" in result.errors[0].message


def test_misspelt_rule_is_reported_with_a_suggestion(make_context: MakeContext) -> None:
    result = check_with_exceptions(
        make_context(front={"allow": {"no-prehedaer": "short", "bad-allow": "ha"}})
    )
    (error,) = result.errors
    assert error.message == "there is no rule 'no-prehedaer'; did you mean 'no-preheader'?"
    assert error.where is not None
    assert error.where.line == 5
