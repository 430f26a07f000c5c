"""A strict stand-in for SendGrid on loopback, for tests and for an editor's rehearsal."""

from newsletter.sending.rehearsal.fake_sendgrid.server import (
    AcceptedRecipient,
    FakeSendGrid,
    ReceivedRequest,
)

__all__ = ["AcceptedRecipient", "FakeSendGrid", "ReceivedRequest"]
