"""One finding of a check: severity, message, location, remedy."""

from dataclasses import dataclass
from typing import Literal

from newsletter.errors import Location, Problem

Severity = Literal["error", "warning", "hint"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "hint")


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake that a rule found in an email.

    Attributes:
        rule: the rule's id.
        severity: an error blocks sending, a warning should be looked at, a hint is a matter of
            taste.
        message: what is wrong here, without a trailing full stop.
        where: the location in the source to correct; ``None`` if it is not in a file.
        excerpt: the text or the URL concerned, as it is in the email; may be empty.
        meaning: what it means for the reader; a full sentence.
        remedy: how to fix it; a full sentence.
    """

    rule: str
    severity: Severity
    message: str
    where: Location | None
    excerpt: str
    meaning: str
    remedy: str

    def as_problem(self) -> Problem:
        """Return the finding as a problem, for the error that refuses a send."""
        exception = f"If it is intended, add to the front matter: allow: {{{self.rule}: why}}"
        return Problem(f"{self.rule}: {self.message}", self.where, f"{self.remedy} {exception}")
