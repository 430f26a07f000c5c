"""One line of what ``newsletter doctor`` says."""

from dataclasses import dataclass
from typing import Literal

from newsletter.errors import Problem

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Line:
    """What was looked at, how it stands, and what to do.

    Attributes:
        about: ``key``, ``DKIM``, …
        state: a ``fail`` keeps mail from being sent or from arriving, a ``warn`` wants a look.
        says: what was found, without a trailing full stop; never a secret.
        meaning: what that means for the newsletter; a full sentence, or empty.
        next_step: what to do; a full sentence, or empty.
    """

    about: str
    state: State
    says: str
    meaning: str = ""
    next_step: str = ""


def ok(about: str, says: str) -> Line:
    """All is well with this."""
    return Line(about, "ok", says)


def warn(about: str, says: str, meaning: str, next_step: str = "") -> Line:
    """This wants a look."""
    return Line(about, "warn", says, meaning, next_step)


def fail(about: str, says: str, meaning: str, next_step: str = "") -> Line:
    """So it can't stay."""
    return Line(about, "fail", says, meaning, next_step)


def of_problem(about: str, problem: Problem) -> Line:
    """What a command would be refused for."""
    where = f"{problem.where}: " if problem.where else ""
    return fail(about, f"{where}{problem.message}", "", problem.remedy)
