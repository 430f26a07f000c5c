"""Status codes in what mail servers say: real servers' forms, and what only looks like one."""

import pytest

from newsletter.subscribers.consent.status_codes import find_status_code, is_missing_mailbox


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("5.1.1", "5.1.1"),
        ("5.1.1.", "5.1.1"),
        ("5.1.1:", "5.1.1"),
        (" 5.1.10 ", "5.1.10"),
        ("5.01.001", "5.1.1"),
        # Gmail, Microsoft 365, Yahoo, iCloud, GMX, Postfix, Exim, qmail, IronPort, Lotus Domino.
        ("550-5.1.1 The email account that you tried to reach does not exist.", "5.1.1"),
        ("550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP", "5.1.10"),
        ("550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", "5.4.1"),
        ("552 1 Requested mail action aborted, mailbox not found", ""),
        ("554 30 Sorry, your message to a@yahoo.com cannot be delivered. [-5]", ""),
        ("550 5.1.1 <a@icloud.com>: user does not exist", "5.1.1"),
        ("550 Requested action not taken: mailbox unavailable (5.1.1)", "5.1.1"),
        ("host mx.example[10.5.1.1] said: 550 5.1.1 <a@b>: User unknown (in reply to", "5.1.1"),
        ("550-5.1.1 no such user\n550 5.1.1 see https://x.example/5.7.1/help", "5.1.1"),
        ("Sorry, no mailbox here by that name. (#5.1.1)", "5.1.1"),
        ("550 #5.1.0 Address rejected.", "5.1.0"),
        ("<5.1.1> unknown user", "5.1.1"),
        ("[5.2.1]", "5.2.1"),
        ("452-4.2.2 The email account that you tried to reach is over quota.", "4.2.2"),
        ("smtp;550 5.1.1 RCPT TO: no such user", "5.1.1"),
        # "Other" or "undefined", and the real code behind it.
        ("5.0.0", "5.0.0"),
        ("5.0.0 (undefined status) smtp; 550 5.1.1 User unknown", "5.1.1"),
        ("5.1.0 - Unknown address error 550-'5.1.1 no such user'", "5.1.1"),
        ("4.0.0 then 5.0.0", "4.0.0"),
        ("550 5.7.1 refused; an earlier one was 5.1.1", "5.7.1"),
        # No codes.
        ("server 10.5.1.1 is busy", ""),
        ("server 5.1.1.20 is busy", ""),
        ("Exim v5.1.1", ""),
        ("build 5.1.1rc2", ""),
        ("since 5.12.2024 or 5.8.1", ""),
        ("3.1.1", ""),
        ("", ""),
    ],
)
def test_first_specific_code_is_found(text: str, code: str) -> None:
    assert find_status_code([text]) == code


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        (["5.1.1", "550 5.7.1 refused"], "5.1.1"),
        (["5.0.0", "550 5.1.1 User unknown"], "5.1.1"),
        (["", "550 User unknown"], ""),
        ([], ""),
    ],
)
def test_status_comes_before_reason(texts: list[str], code: str) -> None:
    assert find_status_code(texts) == code


@pytest.mark.parametrize(
    ("code", "is_missing"),
    [("5.1.1", True), ("5.1.10", True), ("5.2.1", True), ("4.1.1", False), ("5.1.0", False),
     ("5.7.1", False), ("", False)],
)  # fmt: skip
def test_missing_mailboxes(code: str, is_missing: bool) -> None:
    assert is_missing_mailbox(code) == is_missing
