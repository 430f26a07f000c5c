"""What a rehearsal has shown: the ledger beside what the vendor's side has taken. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

# States of readers who rightly have no mail, each with its reason in the ledger.
SET_ASIDE = frozenset({"rejected", "skipped_late", "dropped"})
FINAL_STATES = SET_ASIDE | {"accepted"}


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
class Scan:
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
class Proof:
    """The outcome of a rehearsal.

    Attributes:
        total: readers frozen.
        fates: (state in the ledger, times that the vendor took the mail) -> readers.
        strangers: copies taken for others than those readers.
        leftovers: merge tokens that some reader would have seen.
        state: the send's state at the end.
        reason: why it stopped, if it did.
        settlement: of what was unknown.
        batches: made, halves included.
        batch_size: readers in a batch at most.
        requests: that reached the vendor.
        met: kind of fault -> requests that met one.
        unmet: the kinds that no request was left for.
        kills: how often the sender was killed.
        seconds: how long it took.
        scan: what came of opening the links, as security software does.
    """

    total: int
    fates: Mapping[tuple[str, int], int]
    strangers: int
    leftovers: int
    state: str
    reason: str
    settlement: ResolutionSummary
    batches: int
    batch_size: int
    requests: int
    met: Mapping[str, int]
    unmet: tuple[str, ...]
    kills: int
    seconds: float
    scan: Scan = Scan()

    @property
    def once(self) -> int:
        """Readers whose mail was taken once."""
        return sum(count for (_, times), count in self.fates.items() if times == 1)

    @property
    def twice(self) -> int:
        """Readers whose mail was taken more often."""
        return sum(count for (_, times), count in self.fates.items() if times > 1)

    @property
    def set_aside(self) -> int:
        """Readers who have none, with the reason on record."""
        return sum(
            count for (state, times), count in self.fates.items()
            if times == 0 and state in SET_ASIDE
        )  # fmt: skip

    @property
    def lost(self) -> int:
        """Readers who have none, and no reason is on record."""
        return self.total - self.once - self.twice - self.set_aside

    @property
    def gaps(self) -> tuple[str, ...]:
        """What keeps the proof from holding; empty if it holds."""
        return tuple(_gaps(self))

    def as_data(self) -> dict[str, Any]:
        """For a script."""
        return {
            "holds": not self.gaps,
            "gaps": list(self.gaps),
            "readers": self.total,
            "once": self.once,
            "twice": self.twice,
            "set_aside": self.set_aside,
            "lost": self.lost,
            "unknown": asdict(self.settlement),
            "batches": self.batches,
            "batch_size": self.batch_size,
            "requests": self.requests,
            "faults": dict(self.met),
            "not_met": list(self.unmet),
            "kills": self.kills,
            "scanner": asdict(self.scan),
            "seconds": round(self.seconds, 1),
        }


def _gaps(of: Proof) -> Iterator[str]:
    if of.state != "done":
        yield f"the send is {of.state} in the end" + (f": {of.reason}" if of.reason else "")
    if of.twice:
        yield f"{of.twice:,} readers have it twice"
    if of.lost:
        yield f"{of.lost:,} readers are lost"
    if of.strangers:
        yield f"{of.strangers:,} copies went to others than the readers"
    if of.leftovers:
        yield f"readers would have seen {of.leftovers:,} merge tags unfilled"
    if sum(of.fates.values()) != of.total:
        yield f"the ledger has {sum(of.fates.values()):,} readers of {of.total:,}"
    untrue = sum(
        count for (state, times), count in of.fates.items() if (state == "accepted") != (times > 0)
    )
    settled = sum(count for (state, _), count in of.fates.items() if state in FINAL_STATES)
    yield from _amiss(of.scan)
    if untrue:
        yield f"the ledger and the vendor disagree about {untrue:,} readers"
    if settled != of.total:
        yield f"{of.total - settled:,} readers are not settled"


def _amiss(scan: Scan) -> Iterator[str]:
    if scan.changed:
        yield f"opening the links alone has changed {scan.changed:,} readers"
    if scan.broken:
        yield f"{scan.broken:,} links of readers to their own pages show no page"
