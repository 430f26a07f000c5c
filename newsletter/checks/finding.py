"""What a check finds, in the editor's terms."""

from dataclasses import dataclass
from typing import Literal

from newsletter.errors import Location, Problem

Severity = Literal["error", "warning", "hint"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "hint")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a rule found in a mail.

    Attributes:
        rule: the rule's id.
        severity: an error keeps the issue from being sent, a warning wants a look, a hint is a
            matter of taste.
        message: what is wrong here, without a trailing full stop.
        where: the place in the source to mend, if it is in a file.
        excerpt: the words or the address in the mail that are meant, or empty.
        meaning: what it means for the reader; a full sentence.
        remedy: how to mend it; a full sentence.
    """

    rule: str
    severity: Severity
    message: str
    where: Location | None
    excerpt: str
    meaning: str
    remedy: str

    def as_problem(self) -> Problem:
        """The same, as a reason to refuse a send."""
        way_out = f"If it is meant, put into the front matter: allow: {{{self.rule}: why}}"
        return Problem(f"{self.rule}: {self.message}", self.where, f"{self.remedy} {way_out}")
