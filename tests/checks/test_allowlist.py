from collections.abc import Callable
from typing import Any

import pytest

from newsletter.checks.allowlist import read_exceptions
from newsletter.checks.check_context import CheckContext
from newsletter.checks.runner import check_with_exceptions, run_rules

MakeMail = Callable[..., CheckContext]
NO_PREHEADER = {"preheader": ""}


@pytest.mark.parametrize(
    "given",
    [
        {"no-preheader": "the first sentence says it"},
        [{"no-preheader": "the first sentence says it"}],
    ],
)
def test_a_rule_is_allowed_with_a_reason(make_mail: MakeMail, given: Any) -> None:
    mail = make_mail(front={**NO_PREHEADER, "allow": given})
    assert [one.rule for one in run_rules(mail)] == ["no-preheader"]
    verdict = check_with_exceptions(mail)
    assert verdict.findings == ()
    assert verdict.exceptions == {"no-preheader": "the first sentence says it"}


@pytest.mark.parametrize(
    "given", ["no-preheader", ["no-preheader"], {"no-preheader": None}, {"no-preheader": " "}]
)
def test_without_a_reason_nothing_is_allowed(make_mail: MakeMail, given: Any) -> None:
    mail = make_mail(front={**NO_PREHEADER, "allow": given})
    assert read_exceptions(mail) == {}
    verdict = check_with_exceptions(mail)
    assert [one.rule for one in verdict.findings] == ["no-preheader", "bad-allow"]
    assert "without a reason" in verdict.errors[0].message


def test_a_misspelt_rule_is_told_with_the_nearest(make_mail: MakeMail) -> None:
    verdict = check_with_exceptions(
        make_mail(front={"allow": {"no-prehedaer": "short", "bad-allow": "ha"}})
    )
    (error,) = verdict.errors
    assert error.message == "'no-prehedaer' is no rule; did you mean 'no-preheader'?"
    assert error.where is not None
    assert error.where.line == 5
