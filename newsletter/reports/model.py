"""Data classes of a report; nothing about any single recipient."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

# A curve has the first day by the hour and the first week by the day; what comes after is later.
CURVE_HOURS, CURVE_DAYS = 24, 7
_HOUR = datetime.timedelta(hours=1)
# Share of delivered email marked as spam (Gmail's sender guidelines, 2024): stay below the first,
# and never reach the second.
COMPLAINT_RATE_WARNING, COMPLAINT_RATE_LIMIT = 0.001, 0.003


def share(part: int, total: int) -> float | None:
    """Return ``part`` of ``total`` as a number from 0 to 1, or ``None`` if ``total`` is 0."""
    return part / total if total else None


@dataclass(frozen=True, slots=True)
class DeliveryCounts:
    """Recipients by the state of their email; each is in exactly one of the four."""

    delivered: int = 0
    bounced: int = 0
    dropped: int = 0
    waiting: int = 0

    @property
    def total(self) -> int:
        """The number of all recipients."""
        return self.delivered + self.bounced + self.dropped + self.waiting


@dataclass(frozen=True, slots=True)
class DomainCounts:
    """Recipients at one mailbox domain; ``opened`` counts people, not bots."""

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
class TimeCurve:
    """Recipients by the time of their first delivery, open or click.

    Attributes:
        hours: recipients by full hours since the send, ``CURVE_HOURS`` of them: the first day.
        days: recipients by full days since the send, ``CURVE_DAYS`` of them, with the first day.
        later: recipients after these days.
    """

    hours: tuple[int, ...] = (0,) * CURVE_HOURS
    days: tuple[int, ...] = (0,) * CURVE_DAYS
    later: int = 0


@dataclass(frozen=True, slots=True)
class GrowthSinceIssue:
    """The growth of the list between the sends of two issues.

    Attributes:
        issue: the name of the issue before.
        since: when that was sent.
        joined: number of times somebody became active: new, confirmed or resubscribed.
        left: number of times an active reader unsubscribed or was suppressed.
    """

    issue: str
    since: datetime.datetime
    joined: int
    left: int

    @property
    def net(self) -> int:
        """The number by which the list grew."""
        return self.joined - self.left


@dataclass(frozen=True, slots=True)
class AgreedReaders:
    """The recipients who had agreed to be tracked.

    Attributes:
        sent: how many of them SendGrid has accepted.
        delivered: to how many of them it was delivered.
    """

    sent: int
    delivered: int


@dataclass(frozen=True, slots=True)
class EngagementCounts:
    """Counts of opens or clicks.

    Attributes:
        readers: recipients who opened or clicked at least once.
        total: their opens or clicks.
        machine_readers: recipients for whom a bot did.
        machine_total: opens or clicks by bots.
        curve: the recipients' first open or click.
        agreed: of whom they were recorded, if not of all readers.
    """

    readers: int
    total: int
    machine_readers: int
    machine_total: int
    curve: TimeCurve
    agreed: AgreedReaders | None = None


@dataclass(frozen=True, slots=True)
class LinkClicks:
    """Clicks on one link of the issue.

    Attributes:
        url: without campaign parameters; empty for all links that the sent issue doesn't have.
        text: the text of the link.
        readers: recipients who clicked it.
        total: their clicks.
    """

    url: str
    text: str
    readers: int
    total: int


@dataclass(frozen=True, slots=True)
class SendCounts:
    """Counts of one send's recipients, from the ledger, the events and the journal.

    Attributes:
        delivery: all accepted recipients, by state.
        deferred: recipients whose server deferred the email at least once.
        still_deferred: those of them who are still waiting.
        unsubscribed: recipients who unsubscribed because of it.
        complaints: recipients who marked it as spam.
        bounces: reason -> recipients; the sum is ``delivery.bounced``.
        drops: reason -> recipients; the sum is ``delivery.dropped``.
        domains: the largest domains, and a last entry without a name for all others.
        delivery_curve: recipients by the time of delivery.
    """

    delivery: DeliveryCounts
    deferred: int
    still_deferred: int
    unsubscribed: int
    complaints: int
    bounces: Mapping[str, int]
    drops: Mapping[str, int]
    domains: tuple[DomainCounts, ...]
    delivery_curve: TimeCurve


@dataclass(frozen=True, slots=True)
class SendRates:
    """Rates of one send: delivered and bounced of sent, the others of delivered.

    Opened and clicked are of what was delivered to those who had agreed, if readers were asked.
    """

    delivered: float | None
    bounced: float | None
    unsubscribed: float | None
    complaints: float | None
    opened: float | None = None
    clicked: float | None = None


@dataclass(frozen=True, slots=True)
class SendReport:
    """The report of one send.

    Attributes:
        issue: the issue's name.
        subject: the subject with the default values of merge tags.
        language: the issue's language (BCP 47).
        sent_at: when the first request was sent, or when SendGrid was to deliver it.
        made_at: when the report was made.
        sent: recipients whom SendGrid has accepted, according to the ledger.
        not_accepted: state -> recipients whom it has not accepted (``newsletter.db.schema``).
        counts: the accepted recipients; ``counts.delivery.total == sent``.
        opens: ``None`` if none were recorded.
        clicks: ``None`` if none were recorded.
        links: those with the most clicks first, else in the order of the issue.
        tracking: whether newsletter.yml has it on today, for opens and for clicks.
        rates: the rates of this send.
        medians: the median rates of the sends before it.
        compared: the number of those sends.
        catch_ups: its catch-ups: name -> recipients whom SendGrid has accepted.
        agreed: the recipients who had agreed to have opens, and clicks, recorded; ``None`` if they
            were not asked.
        growth: how the list grew from the issue before to this one; ``None`` for the first issue
            and for a catch-up.
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
    catch_ups: Mapping[str, int] = field(default_factory=dict)
    agreed: tuple[AgreedReaders | None, AgreedReaders | None] = (None, None)
    growth: GrowthSinceIssue | None = None

    @property
    def begun_hours(self) -> int:
        """The hours of a curve that have begun, the first at once."""
        return max(1, min(CURVE_HOURS, -((self.sent_at - self.made_at) // _HOUR)))

    @property
    def begun_days(self) -> int:
        """The days of a curve that have begun, the first at once."""
        return max(1, min(CURVE_DAYS, -((self.sent_at - self.made_at) // (CURVE_HOURS * _HOUR))))

    @property
    def slug(self) -> str:
        """The issue's name without its date, as an editor types it."""
        return self.issue[11:]

    @property
    def has_no_feedback(self) -> bool:
        """Whether no event about delivery has been recorded yet."""
        return self.counts.delivery.waiting == self.sent and not self.counts.deferred

    @property
    def complaint_state(self) -> str:
        """``green`` below both of Gmail's limits, ``yellow`` from the first, ``red`` from both."""
        rate = self.rates.complaints or 0.0
        if rate >= COMPLAINT_RATE_LIMIT:
            return "red"
        return "yellow" if rate >= COMPLAINT_RATE_WARNING else "green"
