"""Which faults a rehearsal meets, by name, and at which of its requests. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import Fault

# Seconds. Long enough for a busy machine, short enough to be waited for.
READ_TIMEOUT = 2.0
KILL_SECONDS = 1.0
CALM = Fault(accept=True)


class Kind(NamedTuple):
    """A fault that can be asked for.

    Attributes:
        make: seconds since the epoch -> the faults of as many requests.
        kills: whether the sender is killed when the request has come.
    """

    make: Callable[[float], tuple[Fault, ...]]
    kills: bool = False


KINDS: Mapping[str, Kind] = {
    "lost-answer": Kind(lambda _: (faults.lost_answer(),)),
    "lost-request": Kind(lambda _: (faults.lost_request(),)),
    "throttle": Kind(lambda now: (faults.rate_limit_response(now + 1),)),
    "error": Kind(lambda _: (faults.refused(500), faults.refused(503, accept=True))),
    "reset": Kind(lambda _: (faults.reset_mid_answer(),)),
    "cut": Kind(lambda _: (faults.cut_request(),)),
    "garbage": Kind(lambda _: (faults.garbage(),)),
    "slow": Kind(lambda _: (faults.late(1.5 * READ_TIMEOUT),)),
    "kill": Kind(
        lambda _: (
            faults.late(KILL_SECONDS),
            # If the kill comes too late after all, this is an answer that proves nothing.
            replace(faults.refused(503), seconds=KILL_SECONDS),
        ),
        kills=True,
    ),
}
DEFAULT = tuple(KINDS)


class Step(NamedTuple):
    """What one request meets: a part of a kind of fault; no name for none."""

    name: str = ""
    part: int = 0

    def fault(self, now: float) -> Fault:
        """The fault itself, at ``now`` (seconds since the epoch)."""
        if not self.name:
            return CALM
        return replace(KINDS[self.name].make(now)[self.part], name=self.name)


def script(names: Iterable[str]) -> list[Step]:
    """One step a request: every fault of these kinds, and a calm request before each."""
    return [step for one in _steps(names) for step in (Step(), one)]


def batch_size(readers: int, largest: int, steps: Sequence[Step]) -> int:
    """How many readers a batch may hold, so that there are requests enough for all faults.

    Args:
        readers: in all.
        largest: the settings' limit.
        steps: of the rehearsal.
    """
    # The senders that are killed take others of their requests with them: half as many again.
    return max(1, min(largest, readers * 2 // (3 * len(steps)) if steps else largest))


def _steps(names: Iterable[str]) -> Iterator[Step]:
    for name in dict.fromkeys(names):
        for part in range(len(KINDS[name].make(0.0))):
            yield Step(name, part)
