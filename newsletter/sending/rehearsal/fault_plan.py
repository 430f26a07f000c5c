"""Choose which requests of a rehearsal fail, and how. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault

# Seconds. Long enough for a busy machine, short enough to wait for.
READ_TIMEOUT = 2.0
KILL_SECONDS = 1.0
NO_FAULT = InjectedFault(accept=True)
# Of requests that arrive between the one at which the sender is killed and its end.
HELD_UNTIL_KILL = faults.slow_response(KILL_SECONDS)


class FaultKind(NamedTuple):
    """A kind of fault, as named on the command line.

    Attributes:
        make_faults: seconds since the epoch -> its faults, one for each request that it needs.
        kills_sender: whether the sender is killed once the request has arrived.
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
            # If the sender is killed too late, this response still proves nothing.
            replace(faults.error_response(503), seconds=KILL_SECONDS),
        ),
        kills_sender=True,
    ),
}
DEFAULT_FAULTS = tuple(FAULT_KINDS)


class PlannedFault(NamedTuple):
    """The fault of one request: a kind and which of its faults; an empty name for none."""

    name: str = ""
    part: int = 0

    @property
    def kills_sender(self) -> bool:
        """Whether the sender is killed at this request."""
        return bool(self.name) and FAULT_KINDS[self.name].kills_sender

    def make_fault(self, now: float) -> InjectedFault:
        """Return the fault, for a request at ``now`` (seconds since the epoch)."""
        if not self.name:
            return NO_FAULT
        return replace(FAULT_KINDS[self.name].make_faults(now)[self.part], name=self.name)


def build_fault_plan(names: Iterable[str]) -> list[PlannedFault]:
    """Return a plan, an entry per request: each fault after one request without a fault."""
    return [entry for fault in _iter_faults(names) for entry in (PlannedFault(), fault)]


def choose_batch_size(recipient_count: int, max_size: int, plan: Sequence[PlannedFault]) -> int:
    """Return a batch size that yields enough requests for all faults.

    Args:
        recipient_count: recipients of the send.
        max_size: the batch size in the settings.
        plan: the planned faults.
    """
    # Killing a sender also ends its other requests: plan for half as many again.
    return max(1, min(max_size, recipient_count * 2 // (3 * len(plan)) if plan else max_size))


def _iter_faults(names: Iterable[str]) -> Iterator[PlannedFault]:
    for name in dict.fromkeys(names):
        for part in range(len(FAULT_KINDS[name].make_faults(0.0))):
            yield PlannedFault(name, part)
