"""The result of one check of ``newsletter doctor``: ok, warn or fail."""

from dataclasses import dataclass
from typing import Literal

from newsletter.errors import Problem

CheckState = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """A DNS record that the sender's domain should have.

    Attributes:
        host: the whole name, without a dot at its end.
        type: ``CNAME``, ``TXT`` or ``MX``.
        value: what it says; a text without quotes.
    """

    host: str
    type: str
    value: str


@dataclass(frozen=True, slots=True)
class DoctorCheck:
    """The result of one check.

    Attributes:
        about: ``key``, ``DKIM``, …
        state: a ``fail`` keeps email from being sent or delivered, a ``warn`` should be looked at.
        says: what was found, without a trailing full stop; never a secret.
        meaning: what that means for the newsletter; a full sentence, or empty.
        next_step: what to do; a full sentence, or empty.
        records: the DNS records to publish, which the next step is about.
    """

    about: str
    state: CheckState
    says: str
    meaning: str = ""
    next_step: str = ""
    records: tuple[DnsRecord, ...] = ()


def ok(about: str, message: str) -> DoctorCheck:
    """Return a passed check."""
    return DoctorCheck(about, "ok", message)


def warn(
    about: str, message: str, meaning: str, next_step: str = "", *records: DnsRecord
) -> DoctorCheck:
    """Return a warning."""
    return DoctorCheck(about, "warn", message, meaning, next_step, records)


def fail(
    about: str, message: str, meaning: str, next_step: str = "", *records: DnsRecord
) -> DoctorCheck:
    """Return a failure, which blocks sending or delivery."""
    return DoctorCheck(about, "fail", message, meaning, next_step, records)


def fail_for_problem(about: str, problem: Problem) -> DoctorCheck:
    """Return a failure for a problem for which a command would refuse to run."""
    location = f"{problem.where}: " if problem.where else ""
    return fail(about, f"{location}{problem.message}", "", problem.remedy)
