"""The Rule type: a pure function over an email, with its documentation."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from newsletter.checks.check_context import CheckContext
from newsletter.checks.finding import Finding, Severity
from newsletter.errors import Location


class Match(NamedTuple):
    """One place where a rule found a mistake.

    Attributes:
        message: what is wrong there, without a trailing full stop.
        where: the location in the source; ``None`` if it is unknown.
        excerpt: the text or the URL in the email.
    """

    message: str
    where: Location | None = None
    excerpt: str = ""


CheckFunction = Callable[[CheckContext], Iterable[Match]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A check for one kind of mistake, with its documentation.

    Attributes:
        id: its name, as an editor writes it after ``allow:``.
        severity: the severity of all its findings.
        topic: the section of the documentation that it is in.
        summary: what it looks for, from the docstring of its function.
        meaning: what a finding means for the reader.
        remedy: how to fix it.
        check: yields the matches; a pure function (no clock, no network, no files).
    """

    id: str
    severity: Severity
    topic: str
    summary: str
    meaning: str
    remedy: str
    check: CheckFunction

    def find(self, context: CheckContext) -> list[Finding]:
        """Return the findings of this rule in an email."""
        return [
            Finding(
                self.id, self.severity, match.message, match.where, match.excerpt, self.meaning,
                self.remedy,
            )
            for match in self.check(context)
        ]  # fmt: skip


class Topic:
    """A topic of rules, with the decorator that makes them: ``rule = Topic("Links").rule``.

    Args:
        name: the heading of its section in the documentation.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def rule(
        self, rule_id: str, severity: Severity, *, meaning: str, remedy: str
    ) -> Callable[[CheckFunction], Rule]:
        """Return a decorator that makes a rule of a function, with its docstring as the summary."""

        def make(check: CheckFunction) -> Rule:
            summary = " ".join((check.__doc__ or "").split())
            return Rule(rule_id, severity, self.name, summary, meaning, remedy, check)

        return make
