"""Compose a notification about a send. Pure."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from newsletter.config.notify import NotificationKind
from newsletter.config.secrets import SENDGRID_KEY_PATTERN
from newsletter.sending.ledger.record import Send
from newsletter.wording import format_count

MAX_LINE_LENGTH = 300
# Persian, Hindi and many emoji need these two; they are harmless.
_JOINERS = "\u200c\u200d"
# The provider's messages may contain a reader's address; a notification must not.
_EMAIL_ADDRESS = re.compile(r"\S+@\S+")
# They begin with a word of ours, so that a command never takes the line for an option.
HEADLINES: Mapping[NotificationKind, str] = {
    "started": "Started",
    "finished": "Sent",
    "blocked": "Blocked",
    "needs_decision": "Needs a decision",
    "no_events": "No events",
}
_RETRY = ("Try the refused again", "retry {}")
# Kind and state of the send, or "" for any other -> what to do next, and the command that does it.
COMMANDS: Mapping[tuple[NotificationKind, str], tuple[tuple[str, str], ...]] = {
    ("started", ""): (("See its progress", "status {}"), ("Stop it", "pause {}")),
    ("finished", ""): (("See the results", "report {}"),),
    ("blocked", "scheduled"): (("Once the cause is fixed, start it", "send --due"),),
    ("blocked", "frozen"): (("Once the cause is fixed, start it", "send {}"),),
    ("blocked", ""): (("Once the cause is fixed, continue it", "resume {}"),),
    ("needs_decision", "done"): (_RETRY,),
    ("needs_decision", "paused"): (
        ("Continue it", "resume {}"),
        ("Give up what is left", "cancel {}"),
    ),
    ("needs_decision", ""): (("See how to decide", "status {}"),),
    ("no_events", ""): (("Find out why", "doctor --online"),),
}


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification of the editor.

    Attributes:
        kind: one of ``newsletter.config.notify.NOTIFICATION_KINDS``, or ``test``.
        newsletter: the newsletter's name.
        subject: the whole in one line.
        sentences: what has happened, each on a line.
        commands: what to do next -> the command that does it.
        data: details for programs; JSON.
    """

    kind: NotificationKind | str
    newsletter: str
    subject: str
    sentences: tuple[str, ...]
    commands: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The whole as plain text."""
        commands = [f"{purpose}:\n  {command}" for purpose, command in self.commands.items()]
        return "\n\n".join([self.newsletter, "\n".join(self.sentences), *commands]) + "\n"

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "kind": self.kind,
            "newsletter": self.newsletter,
            "subject": self.subject,
            "text": self.text,
            "commands": list(self.commands.values()),
            **self.data,
        }


@dataclass(frozen=True, slots=True)
class SendFacts:
    """The facts about a send that its notification contains.

    Attributes:
        newsletter: the newsletter's name.
        send: the send.
        title: the subject of its email.
        recipients_by_state: state -> how many recipients.
        refusals: the provider's reasons for refusing recipients, the most frequent first.
        error: the message of the error that ended the run, with its remedy; or empty.
        remedy: what a person can do about a block; or empty.
    """

    newsletter: str
    send: Send
    title: str
    recipients_by_state: Mapping[str, int]
    refusals: tuple[str, ...] = ()
    error: str = ""
    remedy: str = ""

    def count(self, state: str) -> int:
        """Return how many recipients are in a state."""
        return self.recipients_by_state.get(state, 0)


def clean_line(text: str) -> str:
    """Return text on one line of limited length, without control characters, addresses and keys."""
    line = SENDGRID_KEY_PATTERN.sub("SG.…", " ".join(_replace_controls(text).split()))
    line = _EMAIL_ADDRESS.sub("…", line)
    return line if len(line) <= MAX_LINE_LENGTH else line[: MAX_LINE_LENGTH - 1] + "…"


def choose_kind(facts: SendFacts) -> NotificationKind | None:
    """Return the kind of notification for a run that has ended; ``None`` for none."""
    match facts.send.state:
        case "done" if facts.count("accepted") or not facts.count("rejected"):
            return "finished"
        case "done" | "paused" | "needs_review":
            return "needs_decision"
        case "blocked":
            return "blocked"
        case "cancelled":
            return None  # by a command, which has said so
    return "blocked" if facts.error else None


def describe_send(kind: NotificationKind, facts: SendFacts, hours: float = 0.0) -> Notification:
    """Return the notification about a send.

    Args:
        kind: from ``choose_kind``, or another.
        facts: what is known of the send.
        hours: for ``no_events``: how long there have been none.
    """
    send, name = facts.send, clean_line(facts.newsletter)
    title = clean_line(facts.title) or send.slug
    provider = send.provider_name
    sentences = {
        "started": lambda: [
            f"The send has started. It goes to {format_count(send.total, 'reader')}."
        ],
        "finished": lambda: _describe_end(facts),
        "blocked": lambda: _describe_block(facts),
        "needs_decision": lambda: _describe_decision(facts),
        "no_events": lambda: [
            f"{provider} has reported no event in the {hours:g} hours since the send finished.",
            f"Bounces, complaints and unsubscribes may be lost: check {provider}'s Event Webhook.",
        ],
    }[kind]()
    return Notification(
        kind,
        name,
        f"{_make_headline(kind, facts)}: {title} ({name})",
        (f"{title} ({clean_line(send.issue)})", "", *map(clean_line, sentences)),
        _list_commands(kind, facts),
        {
            "issue": send.issue,
            "title": title,
            "state": send.state,
            "total": send.total,
            "readers": dict(facts.recipients_by_state),
            "reason": clean_line(facts.error or send.reason),
        },
    )


def describe_test(newsletter: str) -> Notification:
    """Return a notification to try the settings with."""
    name = clean_line(newsletter)
    sentence = "This is a test. Notifications about your sends arrive like this one."
    return Notification("test", name, f"Test: notifications work ({name})", (sentence,))


def _replace_controls(text: str) -> str:
    return "".join(char if char.isprintable() or char in _JOINERS else " " for char in text)


def _make_headline(kind: NotificationKind, facts: SendFacts) -> str:
    if kind == "finished":
        return f"Sent to {facts.count('accepted'):,} of {format_count(facts.send.total, 'reader')}"
    return HEADLINES[kind]


def _describe_end(facts: SendFacts) -> list[str]:
    sentences = [
        f"Sent to {facts.count('accepted'):,} of {format_count(facts.send.total, 'reader')}."
    ]
    if left := facts.count("skipped_late"):
        sentences.append(f"{format_count(left, 'reader')} left the list meanwhile.")
    return [*sentences, *_describe_refusals(facts)]


def _describe_block(facts: SendFacts) -> list[str]:
    if facts.send.state == "blocked":
        sentence = f"{facts.send.provider_name} stopped the send: {facts.send.reason}"
    else:
        verb = "could not start" if facts.send.state == "frozen" else "stopped"
        sentence = f"The send {verb}: {facts.error}"
    return [*filter(None, (sentence, facts.remedy)), _describe_progress(facts)]


def _describe_decision(facts: SendFacts) -> list[str]:
    if facts.send.state == "done":
        return [*_describe_refusals(facts), "Nobody has the email."]
    if facts.send.state == "paused":
        return [f"The send is paused: {facts.send.reason}", _describe_progress(facts)]
    question = (
        f"It is not known whether {format_count(facts.count('unknown'), 'reader')} have the email."
    )
    promise = "Nothing is sent to them again until you decide."
    # Such as that the database is a copy.
    reason = [f"The send has stopped: {facts.send.reason}"] if facts.send.reason else []
    return [*reason, f"{question} {promise}", _describe_progress(facts)]


def _describe_progress(facts: SendFacts) -> str:
    pending = facts.count("pending")
    rest = f"; {pending:,} still to go" if pending else ""
    return (
        f"Sent to {facts.count('accepted'):,} of {format_count(facts.send.total, 'reader')}{rest}."
    )


def _describe_refusals(facts: SendFacts) -> list[str]:
    rejected = facts.count("rejected")
    if not rejected:
        return []
    readers, reasons = format_count(rejected, "reader"), "; ".join(facts.refusals)
    return [f"{facts.send.provider_name} refused {readers}: {reasons}"]


def _list_commands(kind: NotificationKind, facts: SendFacts) -> dict[str, str]:
    send, slug = facts.send, shlex.quote(_replace_controls(facts.send.slug))
    state = "scheduled" if send.is_scheduled_locally else send.state
    commands = COMMANDS.get((kind, state)) or COMMANDS[kind, ""]
    if kind == "finished" and facts.count("rejected"):
        commands += (_RETRY,)
    return {purpose: f"newsletter {command.format(slug)}" for purpose, command in commands}
