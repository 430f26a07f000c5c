"""Run all rules on one email and apply the allowlist.

Pure: no clock, no network, no files.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from newsletter.checks.allowlist import read_exceptions
from newsletter.checks.check_context import CheckContext
from newsletter.checks.finding import Finding
from newsletter.checks.registry import RULES


class CheckResult(NamedTuple):
    """The result of a check.

    Attributes:
        findings: what the rules found, in their order, without what the editor allows.
        exceptions: rule id -> the editor's reason for allowing it in this issue.
    """

    findings: tuple[Finding, ...] = ()
    exceptions: Mapping[str, str] = MappingProxyType({})

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that block sending."""
        return tuple(finding for finding in self.findings if finding.severity == "error")


def run_rules(context: CheckContext) -> list[Finding]:
    """Return the findings of every rule in their order, without applying exceptions."""
    return [finding for rule in RULES for finding in rule.find(context)]


def check_with_exceptions(context: CheckContext) -> CheckResult:
    """Return the findings of an email without those that its front matter allows."""
    exceptions = read_exceptions(context)
    return CheckResult(drop_excepted(run_rules(context), exceptions), exceptions)


def drop_excepted(
    findings: Sequence[Finding], exceptions: Mapping[str, str]
) -> tuple[Finding, ...]:
    """Return the findings that the editor doesn't allow; ``bad-allow`` can't be allowed."""
    return tuple(
        finding
        for finding in findings
        if finding.rule not in exceptions or finding.rule == "bad-allow"
    )
