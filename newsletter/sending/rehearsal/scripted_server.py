"""A fake SendGrid that follows a fault plan and logs to disk."""

import threading
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from newsletter.sending.rehearsal.delivery_log import DeliveryLog
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault
from newsletter.sending.rehearsal.fake_sendgrid.schema import MailSend
from newsletter.sending.rehearsal.fake_sendgrid.server import FakeSendGrid, ReceivedRequest
from newsletter.sending.rehearsal.fake_sendgrid.validation import find_unfilled_tokens
from newsletter.sending.rehearsal.fault_plan import (
    FAULT_KINDS,
    HELD_UNTIL_KILL,
    PlannedFault,
)
from newsletter.sending.rehearsal.link_scanner import MAX_SCANNED_RECIPIENTS, iter_recipient_texts


class ScriptedFakeSendGrid(FakeSendGrid):
    """A fake SendGrid that follows a fault plan.

    Args:
        delivery_log: records what it accepts.
        plan: the faults of the first requests; the others are handled as documented.

    Attributes:
        faults_met: kind of fault -> how many requests met one.
        kill_requested: set when the sender is to be killed.
        scanned_texts: subscriber id -> the text sent to them, for the first
            ``link_scanner.MAX_SCANNED_RECIPIENTS``.
    """

    def __init__(self, delivery_log: DeliveryLog, plan: Iterable[PlannedFault]) -> None:
        super().__init__()
        self.faults_met: Counter[str] = Counter()
        self.kill_requested = threading.Event()
        self.scanned_texts: dict[int, str] = {}
        self._delivery_log = delivery_log
        self._plan = deque(plan)
        self._is_kill_pending = False

    def next_fault(self) -> InjectedFault:
        """Return the next fault of the plan.

        Between a request at which the sender is killed and ``resume_plan``, all are held: one kill
        must not pass for two planned ones.
        """
        with self._condition:
            if self._is_kill_pending:
                return HELD_UNTIL_KILL
            fault = self._plan.popleft() if self._plan else PlannedFault()
            self._is_kill_pending = fault.kills_sender
        return fault.make_fault(self.clock())

    def resume_plan(self) -> None:
        """Go on with the plan, since the sender has ended."""
        with self._condition:
            self._is_kill_pending = False

    def accept(self, mail_send: MailSend) -> str:
        """Accept a request for delivery and return its message id."""
        self._delivery_log.add_request(mail_send)
        with self._condition:
            self.unfilled_tokens |= find_unfilled_tokens(mail_send)
            missing = MAX_SCANNED_RECIPIENTS - len(self.scanned_texts)
            self.scanned_texts.update(islice(iter_recipient_texts(mail_send), missing))
            return f"rehearsal{len(self.requests):016d}"

    def record_request(self, request: ReceivedRequest) -> None:
        """Record a request without its body, and the fault that it met."""
        super().record_request(replace(request, body=b"", headers={}))
        if name := request.fault.name:
            with self._condition:
                self.faults_met[name] += 1
            if FAULT_KINDS[name].kills_sender:
                self.kill_requested.set()
