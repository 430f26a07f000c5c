"""Rehearse a send against a fake SendGrid on loopback, with faults."""

from newsletter.sending.rehearsal.fake_sendgrid.server import (
    AcceptedRecipient,
    FakeSendGrid,
    ReceivedRequest,
)

__all__ = ["AcceptedRecipient", "FakeSendGrid", "ReceivedRequest"]
