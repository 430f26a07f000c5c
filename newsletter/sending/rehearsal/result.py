"""The result of a rehearsal, and why it failed if it did. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

# States of recipients who got no email for a reason that is recorded in the ledger.
SKIPPED_STATES = frozenset({"rejected", "skipped_late", "dropped"})
FINAL_STATES = SKIPPED_STATES | {"accepted"}


@dataclass(frozen=True, slots=True)
class ResolutionSummary:
    """How unknown batches were resolved.

    Attributes:
        batches: batches that were unknown, each counted as often as it was.
        readers: recipients in those.
        by_events: batches that events proved to be accepted.
        sent_again: batches that the fake SendGrid never received.
    """

    batches: int = 0
    readers: int = 0
    by_events: int = 0
    sent_again: int = 0


@dataclass(frozen=True, slots=True)
class LinkScanResult:
    """The result of opening links.

    Attributes:
        readers: recipients whose emails were scanned.
        links: different links.
        requests: requests made.
        changed: subscribers whose stored data changed.
        broken: unsubscribe and preferences links that show no page.
    """

    readers: int = 0
    links: int = 0
    requests: int = 0
    changed: int = 0
    broken: int = 0


@dataclass(frozen=True, slots=True)
class RehearsalResult:
    """The result of a rehearsal.

    Attributes:
        recipient_count: frozen recipients.
        delivery_counts: (state in the ledger, times that their email was accepted) -> recipients.
        unexpected_copies: emails accepted for anybody else.
        unfilled_token_count: substitution tokens that some recipient would have seen.
        state: the send's state at the end.
        reason: why it stopped, if it did.
        resolution: how unknown batches were resolved.
        batches: batches, including those made by splitting.
        batch_size: the maximum number of recipients in a batch.
        requests: requests that reached the fake SendGrid.
        faults_met: kind of fault -> requests that met one.
        faults_not_met: the kinds that no request was left for.
        kills: how often the sender was killed.
        seconds: duration of the rehearsal.
        link_scan: the result of opening the links, as security software does.
    """

    recipient_count: int
    delivery_counts: Mapping[tuple[str, int], int]
    unexpected_copies: int
    unfilled_token_count: int
    state: str
    reason: str
    resolution: ResolutionSummary
    batches: int
    batch_size: int
    requests: int
    faults_met: Mapping[str, int]
    faults_not_met: tuple[str, ...]
    kills: int
    seconds: float
    link_scan: LinkScanResult = LinkScanResult()

    @property
    def delivered_once(self) -> int:
        """Recipients whose email was accepted once."""
        return sum(count for (_, times), count in self.delivery_counts.items() if times == 1)

    @property
    def delivered_repeatedly(self) -> int:
        """Recipients whose email was accepted more than once."""
        return sum(count for (_, times), count in self.delivery_counts.items() if times > 1)

    @property
    def skipped(self) -> int:
        """Recipients without an email whose reason is on record."""
        return sum(
            count
            for (state, times), count in self.delivery_counts.items()
            if times == 0 and state in SKIPPED_STATES
        )

    @property
    def lost(self) -> int:
        """Recipients without an email and without a reason on record."""
        return self.recipient_count - self.delivered_once - self.delivered_repeatedly - self.skipped

    @property
    def failures(self) -> tuple[str, ...]:
        """Why the rehearsal failed; empty if it passed."""
        return tuple(_iter_failures(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain data, for ``--json``."""
        return {
            "holds": not self.failures,
            "gaps": list(self.failures),
            "readers": self.recipient_count,
            "once": self.delivered_once,
            "twice": self.delivered_repeatedly,
            "set_aside": self.skipped,
            "lost": self.lost,
            "unknown": asdict(self.resolution),
            "batches": self.batches,
            "batch_size": self.batch_size,
            "requests": self.requests,
            "faults": dict(self.faults_met),
            "not_met": list(self.faults_not_met),
            "kills": self.kills,
            "scanner": asdict(self.link_scan),
            "seconds": round(self.seconds, 1),
        }


def _iter_failures(result: RehearsalResult) -> Iterator[str]:
    if result.state != "done":
        yield f"the send ended in the state {result.state}" + (
            f": {result.reason}" if result.reason else ""
        )
    if result.delivered_repeatedly:
        yield f"{result.delivered_repeatedly:,} readers got it more than once"
    if result.lost:
        yield f"{result.lost:,} readers are lost"
    if result.unexpected_copies:
        yield f"{result.unexpected_copies:,} copies went to addresses that are not in the send"
    if result.unfilled_token_count:
        yield f"readers would have seen {result.unfilled_token_count:,} unfilled merge tags"
    if sum(result.delivery_counts.values()) != result.recipient_count:
        yield (
            f"the ledger has {sum(result.delivery_counts.values()):,} readers of "
            f"{result.recipient_count:,}"
        )
    contradicted = sum(
        count
        for (state, times), count in result.delivery_counts.items()
        if (state == "accepted") != (times > 0)
    )
    final = sum(
        count for (state, _), count in result.delivery_counts.items() if state in FINAL_STATES
    )
    yield from _iter_scan_failures(result.link_scan)
    if contradicted:
        yield f"the ledger and the fake SendGrid disagree about {contradicted:,} readers"
    if final != result.recipient_count:
        yield f"{result.recipient_count - final:,} readers have no final state"


def _iter_scan_failures(scan: LinkScanResult) -> Iterator[str]:
    if scan.changed:
        yield f"opening the links alone changed {scan.changed:,} readers"
    if scan.broken:
        yield f"{scan.broken:,} unsubscribe or preferences links show no page"
