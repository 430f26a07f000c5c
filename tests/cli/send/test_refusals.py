"""What a send says, and how it exits, when SendGrid refuses some readers or all of them."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from ready_to_send import ISSUE, READERS, Cli

from newsletter.cli.send.run_result import accepted_nobody, is_success
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault
from newsletter.sending.rehearsal.fake_sendgrid.validation import ApiErrorEntry

SEND = ("send", "--yes", "--concurrency", "1")
WORDS = "Does not contain a valid address."
ACCEPT = InjectedFault(accept=True)


def refuse(*indices: int, words: str = WORDS) -> InjectedFault:
    """Refuse the readers with these indices in the request, by name."""
    fields = [f"personalizations.{index}.to.0.email" for index in indices]
    return InjectedFault(status=400, errors=tuple(ApiErrorEntry(words, field) for field in fields))


def refuse_everything(fake_sendgrid: FakeSendGrid) -> None:
    """Refuse more requests than a send makes when it halves each batch, naming nobody."""
    fake_sendgrid.inject_faults(*[faults.error_response(400, "The template is bad.")] * 100)


def test_send_that_nobody_gets_fails_with_sendgrids_words(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    refuse_everything(fake_sendgrid)
    code, out, err = newsletter(*SEND)
    assert code == 1
    assert "Sent to 0 of 25 readers." in out
    assert "The template is bad." in err
    assert fake_sendgrid.accepted == []


def test_every_reader_refused_by_name_is_a_failure_too(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    batch = range(10)
    fake_sendgrid.inject_faults(
        refuse(*batch), refuse(*batch), refuse(*range(5), words="Unsubscribed.")
    )
    code, out, err = newsletter(*SEND, "--json")
    assert code == 1
    assert json.loads(out)["readers"] == {"rejected": READERS}
    assert err.splitlines()[-1] == (
        "newsletter: SendGrid refused 25 readers and accepted nobody: Does not contain a valid "
        "address. (20); Unsubscribed. (5). Send it as it is with: newsletter retry the-ice "
        "(or, to change it first: newsletter plan the-ice --again)"
    )
    code, _, err = newsletter(*SEND)
    assert code == 1
    assert f"SendGrid accepted {ISSUE} for none of its 25 readers on" in err
    assert "newsletter retry the-ice" in err
    assert newsletter("resume") == (1, "", err)
    assert newsletter("retry", "ice", "--yes")[0] == 0
    assert len(fake_sendgrid.accepted) == READERS
    assert newsletter(*SEND)[0] == 3


def test_issue_that_nobody_got_can_be_changed_and_planned_again_for_its_segment(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    segment = "name ~ 'Reader 2'"
    fake_sendgrid.inject_faults(refuse(*range(7)))
    code, _, err = newsletter(*SEND, "--segment", segment)
    assert (code, "accepted nobody" in err) == (1, True), err
    post = project_folder / "issues" / ISSUE / "post.md"
    post.write_text(post.read_text().replace("Tuesday", "Wednesday"))
    code, out, _ = newsletter("plan", "ice", "--again")
    assert code == 0
    assert f"segment   {segment}" in out
    assert newsletter(*SEND)[0] == 0
    assert len(fake_sendgrid.accepted) == 7


def test_single_refusals_are_a_counted_warning(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    fake_sendgrid.inject_faults(refuse(3), ACCEPT, ACCEPT, refuse(4))
    code, out, err = newsletter(*SEND)
    assert code == 0
    assert "Sent to 23 of 25 readers." in out
    assert f"SendGrid refused 2 readers: {WORDS}" in err
    assert "Retry the refused with: newsletter retry the-ice" in err


def test_second_send_says_who_was_accepted_and_how_to_retry(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    fake_sendgrid.inject_faults(refuse(3))
    newsletter(*SEND)
    code, _, err = newsletter(*SEND)
    assert code == 3
    assert f"{ISSUE} was sent to 24 of 25 readers on" in err
    assert "; SendGrid refused 1." in err
    assert err.endswith("Retry the refused with: newsletter retry the-ice\n")
    code, _, err = newsletter("resume")
    assert (code, "was sent to 24 of 25 readers" in err) == (3, True)
    assert newsletter("resume", "--strict")[0] == newsletter(*SEND, "--strict")[0] == 1


def test_second_send_names_unknown_readers(newsletter: Cli, fake_sendgrid: FakeSendGrid) -> None:
    fake_sendgrid.inject_faults(ACCEPT, faults.lost_response())
    newsletter(*SEND)
    code, _, err = newsletter(*SEND)
    assert code == 1
    assert "was sent to 15 of 25 readers on" in err
    assert "10 may or may not have it" in err
    assert "See: newsletter status the-ice" in err


def test_strict_makes_a_single_refusal_a_failure(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    fake_sendgrid.inject_faults(ACCEPT, faults.error_response(403, "no more"))
    newsletter(*SEND)
    fake_sendgrid.inject_faults(refuse(0), ACCEPT, refuse(1))
    assert newsletter("resume", "--strict", "--concurrency", "1")[0] == 1
    fake_sendgrid.inject_faults(refuse(0))
    assert newsletter("retry", "ice", "--yes", "--strict", "--concurrency", "1")[0] == 1
    assert newsletter("retry", "ice", "--yes", "--strict")[0] == 0
    assert newsletter(*SEND, "--strict")[0] == 3
    assert len(fake_sendgrid.accepted) == READERS


def test_send_whose_readers_have_all_left_is_a_failure(
    newsletter: Cli, project_folder: Path
) -> None:
    newsletter("plan")
    rows = "".join(f"reader{n}@example.com,unsubscribed\n" for n in range(1, READERS + 1))
    (project_folder / "gone.csv").write_text(f"email,status\n{rows}")
    newsletter("subscribers", "import", "gone.csv")
    assert newsletter(*SEND)[0] == 1


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({}, (False, False)),
        ({"accepted": 25}, (True, True)),
        ({"accepted": 1, "rejected": 24}, (True, False)),
        ({"rejected": 25}, (False, False)),
        ({"skipped_late": 25}, (False, False)),
        ({"dropped": 24, "accepted": 1}, (True, True)),
    ],
)
def test_send_is_done_if_somebody_has_the_email(
    counts: Mapping[str, int], expected: tuple[bool, bool]
) -> None:
    assert (is_success(counts, strict=False), is_success(counts, strict=True)) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"pending": 5}, {"rejected": 5}, True),
        ({"pending": 5}, {"rejected": 4, "accepted": 1}, False),
        ({"accepted": 20, "pending": 5}, {"accepted": 20, "rejected": 5}, True),
        ({"accepted": 20, "rejected": 5}, {"accepted": 20, "rejected": 5}, False),
        (
            {"accepted": 20, "rejected": 4, "pending": 1},
            {"accepted": 20, "rejected": 4, "skipped_late": 1},
            False,
        ),
        ({"pending": 5}, {"skipped_late": 5}, False),
    ],
)
def test_run_that_only_adds_refusals_accepted_nobody(
    before: Mapping[str, int], after: Mapping[str, int], *, expected: bool
) -> None:
    assert accepted_nobody(after, before) is expected
