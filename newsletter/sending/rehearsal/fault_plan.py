"""Which faults a rehearsal meets, by name, and at which of its requests. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault

# Seconds. Long enough for a busy machine, short enough to be waited for.
READ_TIMEOUT = 2.0
KILL_SECONDS = 1.0
NO_FAULT = InjectedFault(accept=True)


class FaultKind(NamedTuple):
    """A fault that can be asked for.

    Attributes:
        make_faults: seconds since the epoch -> the faults of as many requests.
        kills_sender: whether the sender is killed when the request has come.
    """

    make_faults: Callable[[float], tuple[InjectedFault, ...]]
    kills_sender: bool = False


FAULT_KINDS: Mapping[str, FaultKind] = {
    "lost-answer": FaultKind(lambda _: (faults.lost_response(),)),
    "lost-request": FaultKind(lambda _: (faults.lost_request(),)),
    "throttle": FaultKind(lambda now: (faults.rate_limit_response(now + 1),)),
    "error": FaultKind(
        lambda _: (faults.error_response(500), faults.error_response(503, accept=True))
    ),
    "reset": FaultKind(lambda _: (faults.reset_mid_response(),)),
    "cut": FaultKind(lambda _: (faults.unread_request(),)),
    "garbage": FaultKind(lambda _: (faults.invalid_http_response(),)),
    "slow": FaultKind(lambda _: (faults.slow_response(1.5 * READ_TIMEOUT),)),
    "kill": FaultKind(
        lambda _: (
            faults.slow_response(KILL_SECONDS),
            # If the kill comes too late after all, this is an answer that proves nothing.
            replace(faults.error_response(503), seconds=KILL_SECONDS),
        ),
        kills_sender=True,
    ),
}
DEFAULT_FAULTS = tuple(FAULT_KINDS)


class PlannedFault(NamedTuple):
    """What one request meets: a part of a kind of fault; no name for none."""

    name: str = ""
    part: int = 0

    def make_fault(self, now: float) -> InjectedFault:
        """The fault itself, at ``now`` (seconds since the epoch)."""
        if not self.name:
            return NO_FAULT
        return replace(FAULT_KINDS[self.name].make_faults(now)[self.part], name=self.name)


def build_fault_plan(names: Iterable[str]) -> list[PlannedFault]:
    """One step a request: every fault of these kinds, and a calm request before each."""
    return [step for one in _iter_faults(names) for step in (PlannedFault(), one)]


def choose_batch_size(recipient_count: int, max_size: int, plan: Sequence[PlannedFault]) -> int:
    """How many readers a batch may hold, so that there are requests enough for all faults.

    Args:
        recipient_count: in all.
        max_size: the settings' limit.
        plan: of the rehearsal.
    """
    # The senders that are killed take others of their requests with them: half as many again.
    return max(1, min(max_size, recipient_count * 2 // (3 * len(plan)) if plan else max_size))


def _iter_faults(names: Iterable[str]) -> Iterator[PlannedFault]:
    for name in dict.fromkeys(names):
        for part in range(len(FAULT_KINDS[name].make_faults(0.0))):
            yield PlannedFault(name, part)
