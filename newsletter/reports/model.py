"""What a report says, as data: counts that add up, and nothing about any single reader."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

# Hours that the curve shows; what happens after them is counted as later.
CURVE_HOURS = 72
# The shares of delivered mail marked as spam that Gmail asks senders to stay below
# (Gmail's sender guidelines, 2024): always, and never to reach.
COMPLAINT_RATE_WARNING, COMPLAINT_RATE_LIMIT = 0.001, 0.003


def share(part: int, total: int) -> float | None:
    """``part`` of ``whole`` as a number from 0 to 1; ``None`` of nothing."""
    return part / total if total else None


@dataclass(frozen=True, slots=True)
class DeliveryCounts:
    """Readers by what became of their mail; each is in exactly one of the four."""

    delivered: int = 0
    bounced: int = 0
    dropped: int = 0
    waiting: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.delivered + self.bounced + self.dropped + self.waiting


@dataclass(frozen=True, slots=True)
class DomainCounts:
    """The readers of one mailbox domain; ``opened`` by people, not programs."""

    name: str
    sent: int = 0
    delivered: int = 0
    bounced: int = 0
    dropped: int = 0
    waiting: int = 0
    complaints: int = 0
    unsubscribed: int = 0
    opened: int = 0


@dataclass(frozen=True, slots=True)
class HourlyCurve:
    """When something first happened to each reader it happened to.

    Attributes:
        hours: readers by full hours since the send, ``HOURS`` of them.
        later: readers after that.
    """

    hours: tuple[int, ...] = (0,) * CURVE_HOURS
    later: int = 0


@dataclass(frozen=True, slots=True)
class EngagementCounts:
    """Opens or clicks.

    Attributes:
        readers: people who did it at least once.
        total: how often they did.
        machine_readers: readers in whose name a program did it.
        machine_total: how often programs did.
        curve: the people's first time.
    """

    readers: int
    total: int
    machine_readers: int
    machine_total: int
    curve: HourlyCurve


@dataclass(frozen=True, slots=True)
class LinkClicks:
    """One link of the issue: where it leads (without campaign parameters), its words, its clicks.

    Attributes:
        url: empty for all links that the issue as it was sent doesn't have.
        text: what the link says.
        readers: people who followed it.
        total: how often they did.
    """

    url: str
    text: str
    readers: int
    total: int


@dataclass(frozen=True, slots=True)
class SendCounts:
    """What the ledger and the events say about the readers of one send.

    Attributes:
        delivery: everybody's.
        deferred: readers whose server put the mail off at least once.
        still_deferred: those of them who still wait.
        unsubscribed: readers who left because of it.
        complaints: readers who marked it as spam.
        bounces: class -> readers; they add up to the bounced.
        drops: reason -> readers; they add up to the dropped.
        domains: the largest ones, and a last one without a name for all others.
        delivery_curve: when it arrived.
    """

    delivery: DeliveryCounts
    deferred: int
    still_deferred: int
    unsubscribed: int
    complaints: int
    bounces: Mapping[str, int]
    drops: Mapping[str, int]
    domains: tuple[DomainCounts, ...]
    delivery_curve: HourlyCurve


@dataclass(frozen=True, slots=True)
class SendRates:
    """Shares of one send: of those sent (delivered, bounced), else of those delivered."""

    delivered: float | None
    bounced: float | None
    unsubscribed: float | None
    complaints: float | None
    opened: float | None = None
    clicked: float | None = None


@dataclass(frozen=True, slots=True)
class SendReport:
    """What became of one send.

    Attributes:
        issue: its name.
        subject: with the words that readers without an own value got.
        language: the issue's (BCP 47).
        sent_at: when the first request left, or when SendGrid was to deliver it.
        made_at: when the report was made.
        sent: readers whom SendGrid has accepted, by the ledger.
        not_accepted: state -> readers whom it has not accepted (``newsletter.db.schema``).
        counts: what became of the accepted ones; ``counts.fates.sum == sent``.
        opens: ``None`` if none were recorded.
        clicks: ``None`` if none were recorded.
        links: in the order of the issue.
        tracking: what newsletter.yml says today: of opens, of clicks.
        rates: of this send.
        medians: of those before it.
        compared: how many those are.
    """

    issue: str
    subject: str
    language: str
    sent_at: datetime.datetime
    made_at: datetime.datetime
    sent: int
    not_accepted: Mapping[str, int]
    counts: SendCounts
    opens: EngagementCounts | None
    clicks: EngagementCounts | None
    links: tuple[LinkClicks, ...]
    tracking: tuple[bool, bool]
    rates: SendRates
    medians: SendRates
    compared: int

    @property
    def slug(self) -> str:
        """The issue's name without its date: what an editor types."""
        return self.issue[11:]

    @property
    def has_no_feedback(self) -> bool:
        """Whether nothing is known yet of what became of the mail."""
        return self.counts.delivery.waiting == self.sent and not self.counts.deferred

    @property
    def complaint_state(self) -> str:
        """``green`` below both of Gmail's lines, ``yellow`` from the first, ``red`` from both."""
        of = self.rates.complaints or 0.0
        if of >= COMPLAINT_RATE_LIMIT:
            return "red"
        return "yellow" if of >= COMPLAINT_RATE_WARNING else "green"
