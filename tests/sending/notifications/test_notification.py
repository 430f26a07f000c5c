"""What the editor is told: kinds, sentences, commands; no control character, no address."""

import datetime
from dataclasses import replace

import pytest

from newsletter.config.notify import NOTIFICATION_KINDS, NotificationKind
from newsletter.sending.ledger.record import Send
from newsletter.sending.notifications.notification import (
    MAX_LINE_LENGTH,
    SendFacts,
    choose_kind,
    clean_line,
    describe_send,
    describe_test,
)

UNKNOWN = (
    "It is not known whether 10 readers have the email. Nothing is sent to them again until you "
    "decide."
)
NOW = datetime.datetime(2026, 12, 1, 9, tzinfo=datetime.UTC)
SEND = Send(
    7, "2026-12-01-the-ice", "running", "", NOW, 25, {}, "", None, NOW, "", None, 0, 0, "", "", ""
)


def make_facts(
    state: str, reason: str = "", *, refusals: tuple[str, ...] = (), error: str = "", **counts: int
) -> SendFacts:
    send = replace(SEND, state=state, reason=reason)
    return SendFacts("Harbour Notes", send, "The ice", counts, refusals, error)


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        (make_facts("done", accepted=25), "finished"),
        (make_facts("done", accepted=24, rejected=1), "finished"),
        (make_facts("done", skipped_late=25), "finished"),
        (make_facts("done", rejected=25), "needs_decision"),
        (make_facts("paused", pending=25), "needs_decision"),
        (make_facts("needs_review", unknown=25), "needs_decision"),
        (make_facts("blocked", pending=25), "blocked"),
        (make_facts("running", error="no key"), "blocked"),
        (make_facts("frozen", error="no key"), "blocked"),
        (make_facts("paused", error="no database"), "needs_decision"),
        (make_facts("running"), None),
        (make_facts("cancelled"), None),
        (make_facts("cancelled", error="no key"), None),
    ],
)
def test_kind_of_a_run_that_has_ended(facts: SendFacts, kind: str | None) -> None:
    assert choose_kind(facts) == kind


@pytest.mark.parametrize(
    ("kind", "facts", "subject", "sentences", "commands"),
    [
        ("started", make_facts("frozen", pending=25), "Started",
         ("The send has started. It goes to 25 readers.",),
         ("status the-ice", "pause the-ice")),
        ("finished", make_facts("done", accepted=24, skipped_late=1), "Sent to 24 of 25 readers",
         ("Sent to 24 of 25 readers.", "1 reader left the list meanwhile."),
         ("report the-ice",)),
        ("finished", make_facts("done", refusals=("No.", "Never."), accepted=23, rejected=2),
         "Sent to 23 of 25 readers",
         ("Sent to 23 of 25 readers.", "SendGrid refused 2 readers: No.; Never."),
         ("report the-ice", "retry the-ice")),
        ("blocked", make_facts("blocked", "no credits", accepted=10, pending=15), "Blocked",
         ("SendGrid stopped the send: no credits", "Sent to 10 of 25 readers; 15 still to go."),
         ("resume the-ice",)),
        ("blocked", make_facts("frozen", error="no API key"), "Blocked",
         ("The send could not start: no API key", "Sent to 0 of 25 readers."), ("send --due",)),
        ("blocked", make_facts("running", error="the disk is full", accepted=25), "Blocked",
         ("The send stopped: the disk is full", "Sent to 25 of 25 readers."),
         ("resume the-ice",)),
        ("needs_decision", make_facts("paused", "11 bounced", accepted=10, pending=15),
         "Needs a decision",
         ("The send is paused: 11 bounced", "Sent to 10 of 25 readers; 15 still to go."),
         ("resume the-ice", "cancel the-ice")),
        ("needs_decision", make_facts("needs_review", accepted=15, unknown=10), "Needs a decision",
         (UNKNOWN, "Sent to 15 of 25 readers."), ("status the-ice",)),
        ("needs_decision", make_facts("done", refusals=("No.",), rejected=25), "Needs a decision",
         ("SendGrid refused 25 readers: No.", "Nobody has the email."), ("retry the-ice",)),
        ("no_events", make_facts("done", accepted=25), "No events",
         ("SendGrid has reported no event in the 6 hours since the send finished.",
          "Bounces, complaints and unsubscribes may be lost: check SendGrid's Event Webhook."),
         ("doctor --online",)),
    ],
)  # fmt: skip
def test_sentences_and_commands(
    kind: NotificationKind,
    facts: SendFacts,
    subject: str,
    sentences: tuple[str, ...],
    commands: tuple[str, ...],
) -> None:
    notification = describe_send(kind, facts, 6.0)
    assert notification.subject == f"{subject}: The ice (Harbour Notes)"
    assert notification.sentences == ("The ice (2026-12-01-the-ice)", "", *sentences)
    assert tuple(notification.commands.values()) == tuple(f"newsletter {c}" for c in commands)
    assert all(line in notification.text for line in (*sentences, *notification.commands.values()))
    data = notification.as_data()
    assert (data["kind"], data["issue"], data["text"]) == (kind, SEND.issue, notification.text)


def test_unscheduled_plan_is_started_by_its_name() -> None:
    facts = make_facts("frozen", error="no API key")
    facts = replace(facts, send=replace(facts.send, scheduled_at=None))
    assert [*describe_send("blocked", facts).commands.values()] == ["newsletter send the-ice"]


@pytest.mark.parametrize("kind", NOTIFICATION_KINDS)
def test_hostile_text_stays_on_its_line_and_is_no_option(kind: NotificationKind) -> None:
    hostile = "--help\r\nBcc: a@b.example\x00\x1b[2J\u2028\u202e\ud800 '\"`$(touch x);|&"
    facts = make_facts("blocked", hostile, refusals=(hostile,), error=hostile, rejected=1)
    facts = replace(facts, newsletter=hostile, title=hostile, remedy=hostile)
    notification = describe_send(kind, facts)
    for line in (notification.subject, notification.newsletter, *notification.sentences):
        assert line.isprintable()
        assert "@" not in line
    assert notification.subject[0].isalpha()
    assert "'\"`$(touch x);|&" in notification.subject


def test_slug_is_quoted_for_the_shell() -> None:
    facts = make_facts("paused")
    facts = replace(facts, send=replace(facts.send, issue="2026-12-01-a b;$(x)"))
    commands = describe_send("needs_decision", facts).commands
    assert commands["Continue it"] == "newsletter resume 'a b;$(x)'"


def test_line_has_no_key_no_address_and_a_limited_length() -> None:
    assert clean_line("bad: reader7@example.com, <x@y.org>") == "bad: … …"
    assert "SG." + "a" * 22 not in clean_line(f"key SG.{'a' * 22}.{'b' * 43}")
    assert len(clean_line("word " * 1000)) == MAX_LINE_LENGTH
    assert clean_line("\U0001f9d1\u200d\U0001f33e") == "\U0001f9d1\u200d\U0001f33e"


def test_test_notification_names_the_newsletter() -> None:
    notification = describe_test("Harbour\nNotes")
    assert notification.subject == "Test: notifications work (Harbour Notes)"
    assert notification.as_data()["kind"] == "test"
