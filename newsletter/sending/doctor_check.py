"""The result of one check of ``newsletter doctor``: ok, warn or fail."""

from dataclasses import dataclass
from typing import Literal

from newsletter.errors import Problem

CheckState = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class DoctorCheck:
    """The result of one check.

    Attributes:
        about: ``key``, ``DKIM``, …
        state: a ``fail`` keeps email from being sent or delivered, a ``warn`` should be looked at.
        says: what was found, without a trailing full stop; never a secret.
        meaning: what that means for the newsletter; a full sentence, or empty.
        next_step: what to do; a full sentence, or empty.
    """

    about: str
    state: CheckState
    says: str
    meaning: str = ""
    next_step: str = ""


def ok(about: str, message: str) -> DoctorCheck:
    """Return a passed check."""
    return DoctorCheck(about, "ok", message)


def warn(about: str, message: str, meaning: str, next_step: str = "") -> DoctorCheck:
    """Return a warning."""
    return DoctorCheck(about, "warn", message, meaning, next_step)


def fail(about: str, message: str, meaning: str, next_step: str = "") -> DoctorCheck:
    """Return a failure, which blocks sending or delivery."""
    return DoctorCheck(about, "fail", message, meaning, next_step)


def fail_for_problem(about: str, problem: Problem) -> DoctorCheck:
    """Return a failure for a problem for which a command would refuse to run."""
    location = f"{problem.where}: " if problem.where else ""
    return fail(about, f"{location}{problem.message}", "", problem.remedy)
