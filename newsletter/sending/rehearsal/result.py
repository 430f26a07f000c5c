"""What a rehearsal has shown: the ledger beside what the vendor's side has taken. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

# States of readers who rightly have no mail, each with its reason in the ledger.
SKIPPED_STATES = frozenset({"rejected", "skipped_late", "dropped"})
FINAL_STATES = SKIPPED_STATES | {"accepted"}


@dataclass(frozen=True, slots=True)
class ResolutionSummary:
    """How the unknown was settled.

    Attributes:
        batches: that were unknown, each as often as it was.
        readers: in those.
        by_events: batches that the vendor's events showed to be taken.
        sent_again: batches that the vendor never got.
    """

    batches: int = 0
    readers: int = 0
    by_events: int = 0
    sent_again: int = 0


@dataclass(frozen=True, slots=True)
class LinkScanResult:
    """What came of opening the links.

    Attributes:
        readers: whose mails were looked at.
        links: different ones.
        requests: made.
        changed: readers of whom anything is different now.
        broken: readers' own links, to leave and to their settings, that show no page.
    """

    readers: int = 0
    links: int = 0
    requests: int = 0
    changed: int = 0
    broken: int = 0


@dataclass(frozen=True, slots=True)
class RehearsalResult:
    """The outcome of a rehearsal.

    Attributes:
        recipient_count: readers frozen.
        delivery_counts: (state in the ledger, times that the vendor took the mail) -> readers.
        unexpected_copies: copies taken for others than those readers.
        unfilled_token_count: merge tokens that some reader would have seen.
        state: the send's state at the end.
        reason: why it stopped, if it did.
        resolution: of what was unknown.
        batches: made, halves included.
        batch_size: readers in a batch at most.
        requests: that reached the vendor.
        faults_met: kind of fault -> requests that met one.
        faults_not_met: the kinds that no request was left for.
        kills: how often the sender was killed.
        seconds: how long it took.
        link_scan: what came of opening the links, as security software does.
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
        """Readers whose mail was taken once."""
        return sum(count for (_, times), count in self.delivery_counts.items() if times == 1)

    @property
    def delivered_repeatedly(self) -> int:
        """Readers whose mail was taken more often."""
        return sum(count for (_, times), count in self.delivery_counts.items() if times > 1)

    @property
    def skipped(self) -> int:
        """Readers who have none, with the reason on record."""
        return sum(
            count for (state, times), count in self.delivery_counts.items()
            if times == 0 and state in SKIPPED_STATES
        )  # fmt: skip

    @property
    def lost(self) -> int:
        """Readers who have none, and no reason is on record."""
        return self.recipient_count - self.delivered_once - self.delivered_repeatedly - self.skipped

    @property
    def failures(self) -> tuple[str, ...]:
        """What keeps the proof from holding; empty if it holds."""
        return tuple(_iter_failures(self))

    def to_dict(self) -> dict[str, Any]:
        """For a script."""
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
        yield f"the send is {result.state} in the end" + (
            f": {result.reason}" if result.reason else ""
        )
    if result.delivered_repeatedly:
        yield f"{result.delivered_repeatedly:,} readers have it twice"
    if result.lost:
        yield f"{result.lost:,} readers are lost"
    if result.unexpected_copies:
        yield f"{result.unexpected_copies:,} copies went to others than the readers"
    if result.unfilled_token_count:
        yield f"readers would have seen {result.unfilled_token_count:,} merge tags unfilled"
    if sum(result.delivery_counts.values()) != result.recipient_count:
        yield (
            f"the ledger has {sum(result.delivery_counts.values()):,} readers of "
            f"{result.recipient_count:,}"
        )
    untrue = sum(
        count
        for (state, times), count in result.delivery_counts.items()
        if (state == "accepted") != (times > 0)
    )
    settled = sum(
        count for (state, _), count in result.delivery_counts.items() if state in FINAL_STATES
    )
    yield from _iter_scan_failures(result.link_scan)
    if untrue:
        yield f"the ledger and the vendor disagree about {untrue:,} readers"
    if settled != result.recipient_count:
        yield f"{result.recipient_count - settled:,} readers are not settled"


def _iter_scan_failures(scan: LinkScanResult) -> Iterator[str]:
    if scan.changed:
        yield f"opening the links alone has changed {scan.changed:,} readers"
    if scan.broken:
        yield f"{scan.broken:,} links of readers to their own pages show no page"
