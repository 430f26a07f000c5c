"""What a rule is: a small pure function over a mail, with its own page of documentation."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from newsletter.checks.check_context import CheckContext
from newsletter.checks.finding import Finding, Severity
from newsletter.errors import Location


class Match(NamedTuple):
    """One place where a rule fires.

    Attributes:
        message: what is wrong there, without a trailing full stop.
        where: the place in the source; ``None`` where it can't be told.
        excerpt: the words or the address in the mail.
    """

    message: str
    where: Location | None = None
    excerpt: str = ""


CheckFunction = Callable[[CheckContext], Iterable[Match]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        id: what an editor writes after ``allow:``.
        severity: of every finding of it.
        topic: which chapter of the documentation it is in.
        summary: what it looks for, from the docstring of its function.
        meaning: what a finding means for the reader.
        remedy: how to mend it.
        check: finds the places; no clock, no network, no files.
    """

    id: str
    severity: Severity
    topic: str
    summary: str
    meaning: str
    remedy: str
    check: CheckFunction

    def find(self, context: CheckContext) -> list[Finding]:
        """What it finds in a mail."""
        return [
            Finding(
                self.id, self.severity, hit.message, hit.where, hit.excerpt, self.meaning,
                self.remedy,
            )
            for hit in self.check(context)
        ]  # fmt: skip


class Topic:
    """Makes the rules of one topic: ``rule = Topic("Links").rule``.

    Args:
        name: the chapter's heading.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def rule(
        self, rule_id: str, severity: Severity, *, meaning: str, remedy: str
    ) -> Callable[[CheckFunction], Rule]:
        """Make a rule of the function below; its docstring says what it looks for."""

        def make(check: CheckFunction) -> Rule:
            summary = " ".join((check.__doc__ or "").split())
            return Rule(rule_id, severity, self.name, summary, meaning, remedy, check)

        return make
