"""What makes an approval void: a table of differences, and the rule of the count."""

import datetime
from typing import Any

import pytest
from approval_fields import FIELDS, ONE, POST, TWO

from newsletter.sending.approval.approval_plan import ApprovalPlan
from newsletter.sending.approval.compare import find_differences, is_count_approved

SAME: dict[str, dict[str, Any]] = {
    "nothing": {},
    "another day": {"made": datetime.date(2026, 12, 5)},
    "a new version that renders the same": {"version": "0.3.0"},
    "5 % more readers": {"readers": {"count": 105, "left_out": {}}},
    "other findings": {"checks": {"warnings": 2, "hints": 0, "allowed": {}}},
    "no reader, for which every send is refused": {"readers": {"count": 0, "left_out": {}}},
    "a segment of another name": {"segment": {"name": "fans", "query": "tag:regular"}},
}
DIFFERENT: dict[str, tuple[dict[str, Any], str]] = {
    "newsletter": (
        {"newsletter": "other-1"},
        (
            "plan.json: the plan is of another newsletter: its id is 'harbour-notes-7f3a', and "
            "this is 'other-1'"
        ),
    ),
    "issue": (
        {"issue": "2026-12-01-the-ice-2"},
        "plan.json: the plan is of the issue 2026-12-01-the-ice, which is not here",
    ),
    "subject": ({"subject": "Ice"}, f"{POST}: the subject was 'The ice' and is 'Ice' now"),
    "no preheader": (
        {"preheader": ""},
        f"{POST}: the preheader was 'It let go on Tuesday' and is empty now",
    ),
    "sender": (
        {"sender": "x@harbour-notes.org"},
        (
            f"{POST}: the sender was 'Harbour Notes <editor@harbour-notes.org>' and is "
            "'x@harbour-notes.org' now"
        ),
    ),
    "reply-to": (
        {"reply_to": "x@harbour-notes.org"},
        f"{POST}: the reply-to address was empty and is 'x@harbour-notes.org' now",
    ),
    "post": (
        {"files": {POST: TWO}},
        f"{POST}: changed since it was approved (111111111111 → 222222222222)",
    ),
    "image added": (
        {"files": {POST: ONE, "issues/ice.png": TWO}},
        "issues/ice.png: is new (222222222222) and was not approved",
    ),
    "template no longer used": (
        {"templates": {"templates/issue.mjml": ONE}},
        "templates/article.css: is not used any more (111111111111 was approved)",
    ),
    "setting": (
        {"settings": {"theme.width": 600, "tracking.opens": "off"}},
        "newsletter.yml: theme.width was 640 and is 600 now",
    ),
    "default": (
        {"settings": {"tracking.opens": "off"}},
        "newsletter.yml: theme.width was 640 and is the default now",
    ),
    "setting without a value": (
        {"settings": {"theme.width": 640, "tracking.opens": "off", "sendgrid.asm_group": None}},
        "newsletter.yml: sendgrid.asm_group was the default and is null now",
    ),
    "another version": (
        {"email": {"content": TWO, "html": TWO, "text": ONE, "headers": ONE}, "version": "0.3.0"},
        (
            "the same files give another email here (html; 111111111111 → 222222222222): "
            "newsletter 0.2.0 wrote the plan, and this is 0.3.0"
        ),
    ),
    "another library": (
        {"email": {"content": TWO, "html": TWO, "text": TWO, "headers": ONE}},
        (
            "the same files give another email here (html, text; 111111111111 → 222222222222): "
            "newsletter's libraries may have other versions here"
        ),
    ),
    "topic": ({"topic": "boats"}, "the topic was empty and is 'boats' now"),
    "query": (
        {"segment": {"name": "regulars", "query": "tag:vip"}},
        "newsletter.yml: the segment regulars was 'tag:regular' and is 'tag:vip' now",
    ),
    "whole list": (
        {"segment": None},
        "newsletter.yml: the segment regulars was 'tag:regular' and is the whole list now",
    ),
    "more readers": (
        {"readers": {"count": 106, "left_out": {}}},
        (
            "plan.json: 106 readers now, and 100 were approved on 2026-11-30 (6.0% more); the "
            "number of readers may change by 5 % after the approval, and always by one reader"
        ),
    ),
}


def differences(changed: dict[str, Any], accepted_count: int | None = None) -> list[str]:
    problems = find_differences(
        ApprovalPlan(**FIELDS), ApprovalPlan(**(FIELDS | changed)), "plan.json", accepted_count
    )
    assert all(problem.remedy == "" for problem in problems[:-1])
    assert not problems or "newsletter plan the-ice --out plan.json" in problems[-1].remedy
    return [str(problem._replace(remedy="")) for problem in problems]


@pytest.mark.parametrize("changed", SAME.values(), ids=SAME.keys())
def test_what_an_approval_allows_to_differ(changed: dict[str, Any]) -> None:
    assert differences(changed) == []


@pytest.mark.parametrize(("changed", "expected"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_difference_is_named(changed: dict[str, Any], expected: str) -> None:
    assert differences(changed) == [expected]


def test_every_difference_is_named_but_the_email_that_they_explain() -> None:
    email = {"content": TWO, "html": TWO, "text": TWO, "headers": TWO}
    changed = {"subject": "Ice", "files": {POST: TWO}, "email": email}
    assert [text.split(" ")[1] for text in differences(changed)] == ["the", "changed"]


def test_number_that_was_approved_later_replaces_that_of_the_plan() -> None:
    changed = {"readers": {"count": 400, "left_out": {}}}
    assert differences(changed, 400) == differences(changed, 381) == []
    assert len(differences(changed, 380)) == len(differences(changed)) == 1


@pytest.mark.parametrize(
    ("approved", "lowest", "highest"),
    [(1, 0, 2), (10, 9, 11), (20, 19, 21), (39, 38, 40), (40, 38, 42), (1000, 950, 1050)],
)
def test_count_may_move_by_five_percent_and_always_by_one(
    approved: int, lowest: int, highest: int
) -> None:
    allowed = [n for n in range(approved * 2 + 3) if is_count_approved(approved, n)]
    assert allowed == list(range(lowest, highest + 1))
