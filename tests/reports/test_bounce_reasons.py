"""Reasons of bounces and drops: what they mean and what to do."""

import pytest

from newsletter.reports.bounce_reasons import (
    OTHER_REASONS,
    describe_bounce,
    describe_drop,
    get_advice,
)


@pytest.mark.parametrize(
    ("bounce_type", "classification", "status", "answer", "reason"),
    [
        ("bounce", "Invalid Address", "5.1.1", "", "invalid address"),
        ("bounce", "Mailbox Unavailable", "5.2.2", "", "mailbox full"),
        ("bounce", "Mailbox Unavailable", "5.0.0", "", "mailbox unavailable"),
        ("blocked", "", "550", "", "blocked"),
        ("blocked", "Frequency/Volume", "", "", "too much mail at once"),
        ("bounce", "Unclassified", "", "", OTHER_REASONS),
        ("bounce", "Unclassified", "550 5.1.1. No such user", "", "invalid address"),
        ("bounce", "", "5.0.0", "550 5.2.1 mailbox disabled", "mailbox disabled"),
        ("blocked", "Technical", "4.4.1", "", "server unreachable"),
        ("bounce", "", "5.3.4", "552 5.3.4 message size limit", "mail too large"),
        # A bare 5.7.1 says less than SendGrid's classification.
        ("blocked", "Reputation", "5.7.1", "550 5.7.1 rejected", "refused for our reputation"),
        ("blocked", "", "5.7.1", "550 5.7.1 rejected", "refused by policy"),
    ],
)
def test_bounce_reason_prefers_the_status_code(
    bounce_type: str, classification: str, status: str, answer: str, reason: str
) -> None:
    assert describe_bounce(bounce_type, classification, status, answer) == reason


# The answers of Gmail, Microsoft and Yahoo, shortened.
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("452 4.2.2 The recipient's inbox is out of storage space. - gsmtp", "mailbox full"),
        ("552-5.2.2 The recipient's inbox is out of storage space", "mailbox full"),
        ("550-5.7.26 the sender is unauthenticated.\n550-5.7.26 Gmail", "failed authentication"),
        ("550-5.7.27 it didn't pass SPF authentication.", "failed authentication"),
        ("550 5.7.27 Sender address has null MX", "blocked"),  # RFC 7505, not Gmail's
        ("550-5.7.30 it didn't pass DKIM authentication.", "failed authentication"),
        ("550-5.7.40 the sending domain doesn't have a DMARC record", "failed authentication"),
        ("504 5.7.40 Unrecognized authentication type.", "blocked"),
        ("550-5.7.28 There is an unusual rate of unsolicited email", "too much mail at once"),
        ("421-4.7.28 Gmail has detected an unusual rate of email.", "too much mail at once"),
        ("550-5.7.1 This message is likely unsolicited email.", "refused for its content"),
        ("550-5.7.1 the very low\nreputation of the domain", "refused for our reputation"),
        ("450 4.2.1 is receiving email too quickly.", "mailbox receives too much"),
        ("550 5.7.515 does not meet the required level.", "failed authentication"),
        ("550 5.7.509 Access denied, X does not pass DMARC", "failed authentication"),
        ("550 5.7.606 Access denied, banned sending IP", "sender on a block list"),
        ("550 5.7.1 part of their network is on our block list (S3150).", "sender on a block list"),
        ("550 5.7.1 Messages from 192.0.2.1 weren't sent (AS3140)", "sender on a block list"),
        ("550 5.7.134 SenderNotAuthenticatedForMailbox", "closed to outside senders"),
        ("550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found", "invalid address"),
        ("550 5.1.10 recipient address has null MX", "invalid domain"),
        ("550 5.4.1 Recipient address rejected: Access denied.", "invalid address"),
        ("550 5.4.1 Relay Access Denied", "server unreachable"),
        ("550 5.5.0 Requested action not taken: mailbox unavailable", "invalid address"),
        ("550 SC-001 Mail rejected by Outlook.com", "refused for our reputation"),
        ("421 RP-001 exceeded the rate limit", "too much mail at once"),
        ("421 4.7.0 [TSS04] Messages temporarily deferred", "too much mail at once"),
        ("553 5.7.2 [TSS09] Messages permanently deferred", "too much mail at once"),
        ("554 Message not allowed - [PH01] Email not accepted", "refused for its content"),
        ("554 5.7.9 Message not accepted for policy reasons.", "failed authentication"),
        ("554 delivery error: dd This user doesn't have a yahoo.com account", "invalid address"),
        ("550 connection from 192.5.7.28 refused", "blocked"),  # an IP address is no code
    ],
)
def test_answer_of_a_vendor_is_understood(answer: str, reason: str) -> None:
    assert describe_bounce("blocked", "", "", answer) == reason


@pytest.mark.parametrize(
    ("reason", "description"),
    [
        ("Bounced Address", "had bounced before"),
        ("Invalid SMTPAPI header", "invalid request"),
        ("Invalid", "invalid address"),
        ("something new", OTHER_REASONS),
    ],
)
def test_drop_reason_is_described(reason: str, description: str) -> None:
    assert describe_drop(reason) == description
    meaning, action = get_advice(description)
    assert meaning.endswith(".")
    assert action.endswith(".")
