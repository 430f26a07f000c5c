"""Say why an email bounced or was dropped, and what to do. Pure.

The servers' own texts and codes come first, then RFC 3463's detail of the status code, then
SendGrid's classification. Sources:

- Gmail: "Gmail SMTP errors and codes" (support.google.com/a/answer/3726730). Its 5.7.27 to 5.7.40
  differ from IANA's registry, so they count only with the words that Gmail adds.
- Microsoft 365: "Email non-delivery reports and SMTP errors in Exchange Online" on
  learn.microsoft.com. Outlook.com: "Troubleshooting" of Outlook.com Postmaster; S3140 and S3150
  stand in its answer "part of their network is on our block list".
- Yahoo: "SMTP Error Codes" (senders.yahooinc.com/smtp-error-codes): TS is for volume and
  complaints, PH for content; that 5.7.9 is about DMARC is from SendGrid's blog.
- The standards: RFC 3463; RFC 7372 (authentication); RFC 7505 (a domain without mail).
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from newsletter.subscribers.consent.status_codes import find_status_code

OTHER_REASONS = "other reasons"


class ReasonAdvice(NamedTuple):
    """What a reason means, and what the editor should do: a sentence each."""

    meaning: str
    action: str


_NOTHING_TO_DO = (
    "Nothing to do: who bounced for good gets no more issues, the others get the next one."
)
_OFF_THE_LIST = "Nothing to do; newsletter subscribers sync takes such addresses off your list."
_ADVICE: Mapping[str, ReasonAdvice] = {
    "invalid address": ReasonAdvice("There is no such mailbox.", _NOTHING_TO_DO),
    "invalid domain": ReasonAdvice("The domain after the @ doesn't accept email.", _NOTHING_TO_DO),
    "mailbox disabled": ReasonAdvice("The mailbox is closed or no longer used.", _NOTHING_TO_DO),
    "mailbox full": ReasonAdvice("The mailbox has no space left.", _NOTHING_TO_DO),
    "mailbox unavailable": ReasonAdvice(
        "The mailbox doesn't accept email, and its server doesn't say why.", _NOTHING_TO_DO
    ),
    "mailbox receives too much": ReasonAdvice(
        "The mailbox was receiving too much email at that time.", _NOTHING_TO_DO
    ),
    "closed to outside senders": ReasonAdvice(
        "The mailbox accepts email only from inside its organization.",
        "Ask the reader for another address, or to have your sender allowed there.",
    ),
    "mail too large": ReasonAdvice(
        "The email was larger than the server allows.",
        "Shorten the issue; newsletter check shows its size.",
    ),
    "failed authentication": ReasonAdvice(
        "The server couldn't verify that the email is from your domain (SPF, DKIM, DMARC).",
        "Add the DNS records that newsletter doctor --online lists, before the next issue.",
    ),
    "too much mail at once": ReasonAdvice(
        "The server limits how much it accepts from your sender.",
        "Send the next issues more slowly: newsletter send --limit-per-hour 500.",
    ),
    "sender on a block list": ReasonAdvice(
        "The IP address that SendGrid sends from is on a block list.",
        "Ask SendGrid's support to have it removed; for a dedicated IP, ask the list's operator "
        "(Microsoft: sender.office.com).",
    ),
    "refused for our reputation": ReasonAdvice(
        "The server distrusts your domain or the IP address that SendGrid sends from.",
        "Check postmaster.google.com and your complaints; send to active readers only for a while.",
    ),
    "refused for its content": ReasonAdvice(
        "The server took the text or a link for spam or a danger.",
        "Run newsletter check, and replace shortened or doubtful links before the next issue.",
    ),
    "refused by policy": ReasonAdvice(
        "A rule of the server forbids the email, and it doesn't say which.",
        "If it concerns many readers of one domain, ask that domain's administrator.",
    ),
    "server unreachable": ReasonAdvice("The mail server couldn't be reached.", _NOTHING_TO_DO),
    "technical failure": ReasonAdvice("The mail server had a problem.", _NOTHING_TO_DO),
    "blocked": ReasonAdvice(
        "The server turned the email away this time, without a known reason.", _NOTHING_TO_DO
    ),
    OTHER_REASONS: ReasonAdvice(
        "The server's answer is none of the known ones.",
        "If there are many, read the answers in SendGrid's activity feed.",
    ),
    "had bounced before": ReasonAdvice(
        "SendGrid didn't try: an earlier email to the address had bounced.", _OFF_THE_LIST
    ),
    "had unsubscribed at SendGrid": ReasonAdvice(
        "SendGrid didn't try: the reader had unsubscribed there.", _OFF_THE_LIST
    ),
    "had complained before": ReasonAdvice(
        "SendGrid didn't try: the reader had marked an email as spam.", _OFF_THE_LIST
    ),
    "invalid request": ReasonAdvice(
        "SendGrid couldn't read the request's headers.",
        "Ask SendGrid's support which one; this should not happen.",
    ),
    "taken for spam by SendGrid": ReasonAdvice(
        "The spam checker of your SendGrid account stopped it.",
        "Switch it off in SendGrid's mail settings.",
    ),
    "over SendGrid's quota": ReasonAdvice(
        "The limit of your SendGrid plan was reached.",
        "Upgrade the plan before the next issue.",
    ),
}

# Codes (at the start) and texts of single vendors; the first reason that fits counts.
_VENDOR_ANSWERS: Mapping[str, tuple[str, ...]] = {
    "sender on a block list": (
        r"^5\.7\.(?:511|60[6-9]|6[1-4]\d) ",
        r"\bA?S31[45]0\b",
        r"\bon our block list\b",
        r"\b(?:SC-00[34]|DY-00[12]|OU-001)\b",
        r"\bspamhaus\b",
    ),
    "too much mail at once": (
        r"^[45]\.7\.28 ",
        r"^(?:4\.7\.(?:[56]\d\d|8[5-9]\d)|5\.7\.508) ",
        r"\bRP-00[1-3]\b",
        r"\[TSS?\d\d\]",
    ),
    "failed authentication": (
        r"^[45]\.7\.(?:2[0-46]|509|515) ",
        r"^[45]\.7\.(?:27|30|32|40) .*\b(?:SPF|DKIM|DMARC)\b",
        r"^5\.7\.9 .*\b(?:not accepted for policy reasons|the sender is unauthenticated)\b",
    ),
    "refused for our reputation": (
        r"^[45]\.7\.25 ",
        r"\bvery low reputation\b",
        r"\b(?:SC-001|OU-002)\b",
    ),
    "refused for its content": (
        r"\[PH\d\d\]",
        r"\blikely unsolicited\b",
        r"\bnature of the content\b",
        r"\bcontent presents a potential security issue\b",
    ),
    "closed to outside senders": (r"^5\.7\.(?:12|13|124|13[3-6]) ",),
    "mailbox receives too much": (
        r"^5\.2\.12[12] ",
        r"\breceiving e?mail (?:too quickly|at a rate)\b",
    ),
    "invalid address": (
        r"^5\.7\.50[45] ",
        r"\brecipient ?not ?found\b",
        r"\brecipient address rejected: access denied\b",
        r"\brequested action not taken: mailbox unavailable\b",
        r"\bthis user doesn't have an? \S+ account\b",
    ),
}
_VENDOR_PATTERNS = {
    reason: re.compile("|".join(patterns), re.IGNORECASE)
    for reason, patterns in _VENDOR_ANSWERS.items()
}
# RFC 3463: the detail of a status code is more precise than SendGrid's classification.
_REASON_BY_STATUS: Mapping[str, str] = {
    "1.1": "invalid address",
    "1.2": "invalid domain",
    "1.3": "invalid address",
    "1.6": "invalid address",
    "1.10": "invalid domain",
    "2.1": "mailbox disabled",
    "2.2": "mailbox full",
    "2.3": "mail too large",
    "3.4": "mail too large",
    "4.1": "server unreachable",
    "4.2": "server unreachable",
    "4.4": "server unreachable",
    "4.7": "server unreachable",
    "7.1": "refused by policy",
}
# The ``bounce_classification`` of SendGrid's events.
_REASON_BY_CLASSIFICATION: Mapping[str, str] = {
    "invalid address": "invalid address",
    "mailbox unavailable": "mailbox unavailable",
    "technical": "technical failure",
    "technical failure": "technical failure",
    "content": "refused for its content",
    "reputation": "refused for our reputation",
    "frequency/volume": "too much mail at once",
    "frequency or volume too high": "too much mail at once",
}

# The ``reason`` of SendGrid's dropped events, by its beginning.
_REASON_BY_DROP: Mapping[str, str] = {
    "bounced address": "had bounced before",
    "unsubscribed address": "had unsubscribed at SendGrid",
    "spam reporting address": "had complained before",
    "invalid smtpapi header": "invalid request",
    "invalid": "invalid address",
    "spam content": "taken for spam by SendGrid",
    "recipient list over package quota": "over SendGrid's quota",
}


def describe_bounce(bounce_type: str, classification: str, status: str, answer: str) -> str:
    """Return the reason of a bounce event, in plain words.

    Args:
        bounce_type: its ``type``: ``bounce`` or ``blocked``.
        classification: its ``bounce_classification``, or ``""``.
        status: its ``status`` (RFC 3463, ``5.1.1``), or ``""`` or any other text.
        answer: its ``reason``, the answer of the reader's mail server, or ``""``.
    """
    code = find_status_code([status, answer])
    text = f"{code} {' '.join(answer.split())}"
    for reason, pattern in _VENDOR_PATTERNS.items():
        if pattern.search(text):
            return reason
    by_status = _REASON_BY_STATUS.get(code[2:])
    by_classification = _REASON_BY_CLASSIFICATION.get(classification.strip().casefold())
    # A relay's 5.7.1 says no more than that it is a rule; the classification may.
    if by_status == "refused by policy":
        return by_classification or by_status
    return (
        by_status or by_classification or ("blocked" if bounce_type == "blocked" else OTHER_REASONS)
    )


def describe_drop(reason: str) -> str:
    """Return the reason of a dropped event in plain words, given its ``reason``."""
    normalized = reason.strip().casefold()
    return next(
        (text for prefix, text in _REASON_BY_DROP.items() if normalized.startswith(prefix)),
        OTHER_REASONS,
    )


class ReasonGroup(NamedTuple):
    """Reasons that ask for the same action.

    Attributes:
        action: what the editor should do.
        reasons: reason, what it means, and the number of readers; the most readers first.
    """

    action: str
    reasons: tuple[tuple[str, str, int], ...]


def group_by_action(readers: Mapping[str, int]) -> list[ReasonGroup]:
    """Return the reasons in groups of one action, the one with the most readers first.

    Args:
        readers: reason -> readers, the most readers first.
    """
    groups: dict[str, list[tuple[str, str, int]]] = {}
    for reason, count in readers.items():
        meaning, action = get_advice(reason)
        groups.setdefault(action, []).append((reason, meaning, count))
    by_readers = sorted(groups.items(), key=lambda group: -sum(count for *_, count in group[1]))
    return [ReasonGroup(action, tuple(reasons)) for action, reasons in by_readers]


def get_advice(reason: str) -> ReasonAdvice:
    """Return what a reason means and what to do about it.

    Args:
        reason: from ``describe_bounce`` or ``describe_drop``.
    """
    return _ADVICE[reason]
