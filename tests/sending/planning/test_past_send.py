"""What is said of an issue that was sent before."""

import datetime
from collections.abc import Mapping
from types import MappingProxyType

import pytest
from sending_fixtures import configured

from newsletter.sending.ledger.record import Send
from newsletter.sending.planning.preflight import past_send_problem

SENT_AT = datetime.datetime(2026, 12, 1, 8, 30, tzinfo=datetime.UTC)
NEW_ISSUE = "An issue is sent only once; put new content into a new issue."
RETRY = "Retry the refused with: newsletter retry ice"
UNKNOWN = "8 may or may not have it"
STATUS = "See: newsletter status ice"
AFTER_ALL = f"{NEW_ISSUE} {STATUS} {RETRY}"


def make_send(state: str, total: int) -> Send:
    return Send(
        id=1,
        issue="2026-12-01-ice",
        state=state,
        content_sha="a",
        frozen_at=SENT_AT - datetime.timedelta(days=1),
        total=total,
        excluded=MappingProxyType({}),
        reason="",
        finished_at=SENT_AT,
        scheduled_at=None,
        provider_batch_id="",
        recalled_at=None,
        undo_seconds=0,
        limit_per_hour=0,
        plan_sha="",
        app_version="",
        segment="",
    )


@pytest.mark.parametrize(
    ("state", "counts", "message"),
    [
        ("done", {"accepted": 1}, f"was sent to 1 reader on {{day}}. {NEW_ISSUE}"),
        ("done", {"accepted": 2500}, f"was sent to 2,500 readers on {{day}}. {NEW_ISSUE}"),
        ("done", {"accepted": 38, "skipped_late": 2},
         f"was sent to 38 of 40 readers on {{day}}. {NEW_ISSUE}"),
        ("done", {"accepted": 39, "rejected": 1},
         f"was sent to 39 of 40 readers on {{day}}; SendGrid refused 1. {NEW_ISSUE} {RETRY}"),
        ("done", {"skipped_late": 40}, f"was sent to 0 of 40 readers on {{day}}. {NEW_ISSUE}"),
        ("needs_review", {"accepted": 30, "unknown": 8, "rejected": 2},
         f"was sent to 30 of 40 readers on {{day}}; {UNKNOWN}; SendGrid refused 2. {AFTER_ALL}"),
        ("needs_review", {"unknown": 8},
         f"was sent to 0 of 8 readers on {{day}}; {UNKNOWN}. {NEW_ISSUE} {STATUS}"),
        ("cancelled", {"accepted": 1, "dropped": 39},
         f"was cancelled after some readers got it. {NEW_ISSUE}"),
    ],
)  # fmt: skip
def test_finished_send_states_how_many_have_it(
    state: str, counts: Mapping[str, int], message: str
) -> None:
    config = configured(timezone="Europe/Oslo")
    send = make_send(state, sum(counts.values()))
    problem = past_send_problem(send, config, counts, may_have_been_sent=True, now=SENT_AT)
    assert str(problem) == f"2026-12-01-ice {message}".format(day="Tue 1 Dec 2026 09:30")


def test_send_that_nobody_got_does_not_count_as_sent() -> None:
    problem = past_send_problem(
        make_send("done", 40), configured(), {"rejected": 40}, may_have_been_sent=False, now=SENT_AT
    )
    assert "accepted 2026-12-01-ice for none of its 40 readers" in problem.message
    assert "newsletter retry ice" in problem.remedy
    assert "newsletter plan ice --again" in problem.remedy
