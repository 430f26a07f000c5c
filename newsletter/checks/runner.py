"""All rules on one mail. Pure: no clock, no network, no files."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from newsletter.checks.allowlist import read_exceptions
from newsletter.checks.check_context import CheckContext
from newsletter.checks.finding import Finding
from newsletter.checks.registry import RULES


class CheckResult(NamedTuple):
    """What a check says of a mail.

    Attributes:
        findings: what is to be mended, in the order of the rules.
        exceptions: rule -> why the editor allows it in this issue.
    """

    findings: tuple[Finding, ...] = ()
    exceptions: Mapping[str, str] = MappingProxyType({})

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What keeps the issue from being sent."""
        return tuple(finding for finding in self.findings if finding.severity == "error")


def run_rules(context: CheckContext) -> list[Finding]:
    """Everything that every rule finds, in their order; nothing is excepted."""
    return [finding for rule in RULES for finding in rule.find(context)]


def check_with_exceptions(context: CheckContext) -> CheckResult:
    """The findings of a mail without those that its front matter allows."""
    exceptions = read_exceptions(context)
    return CheckResult(drop_excepted(run_rules(context), exceptions), exceptions)


def drop_excepted(
    findings: Sequence[Finding], exceptions: Mapping[str, str]
) -> tuple[Finding, ...]:
    """The findings that are not allowed; ``bad-allow`` itself always counts."""
    return tuple(one for one in findings if one.rule not in exceptions or one.rule == "bad-allow")
