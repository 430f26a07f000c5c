"""The double as a rehearsal needs it: treats requests by a script, and keeps nothing in memory."""

import threading
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from newsletter.sending.rehearsal.delivery_log import Witness
from newsletter.sending.rehearsal.fake_sendgrid.faults import Fault
from newsletter.sending.rehearsal.fake_sendgrid.schema import MailSend
from newsletter.sending.rehearsal.fake_sendgrid.server import Received, SendGridDouble
from newsletter.sending.rehearsal.fake_sendgrid.validation import leftovers
from newsletter.sending.rehearsal.fault_plan import KINDS, Step
from newsletter.sending.rehearsal.link_scanner import READERS, letters


class Vendor(SendGridDouble):
    """A double that goes by a script.

    Args:
        witness: remembers what it took.
        steps: how the first requests are treated; the others as documented.

    Attributes:
        met: kind of fault -> how many requests met one.
        kill: set when the sender is to be killed.
        letters: subscriber id -> what they got, of the first ``scanner.READERS``.
    """

    def __init__(self, witness: Witness, steps: Iterable[Step]) -> None:
        super().__init__()
        self.met: Counter[str] = Counter()
        self.kill = threading.Event()
        self.letters: dict[int, str] = {}
        self._witness = witness
        self._steps = deque(steps)

    def next_fault(self) -> Fault:
        """What the script says."""
        with self._changed:
            step = self._steps.popleft() if self._steps else Step()
        return step.fault(self.clock())

    def accept(self, mail: MailSend) -> str:
        """Promise to mail everybody in a request; returns its message id."""
        self._witness.take(mail)
        with self._changed:
            self.leftovers |= leftovers(mail)
            wanted = READERS - len(self.letters)
            self.letters.update(islice(letters(mail), wanted))
            return f"rehearsal{len(self.requests):016d}"

    def record(self, request: Received) -> None:
        """Remember that a request came, and what it met."""
        super().record(replace(request, body=b"", headers={}))
        if name := request.fault.name:
            with self._changed:
                self.met[name] += 1
            if KINDS[name].kills:
                self.kill.set()
