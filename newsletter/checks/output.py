"""Findings as JSON, SARIF 2.1.0 (OASIS), and GitHub workflow commands."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from newsletter import __version__
from newsletter.checks.finding import SEVERITIES, Finding, Severity

SARIF_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_SARIF_LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "hint": "note"}
_GITHUB_LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "hint": "notice"}


def count_by_severity(findings: Sequence[Finding]) -> dict[Severity, int]:
    """Return the number of findings of each severity."""
    counts = Counter(finding.severity for finding in findings)
    return {severity: counts[severity] for severity in SEVERITIES}


def finding_to_dict(finding: Finding) -> dict[str, Any]:
    """Return one finding as an object of the JSON output."""
    where = finding.where
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "message": finding.message,
        "file": where.path if where else None,
        "line": where.line if where else None,
        "excerpt": finding.excerpt,
        "meaning": finding.meaning,
        "remedy": finding.remedy,
    }


def to_sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return a SARIF 2.1.0 log of one run, with a description of every rule."""
    from newsletter.checks.registry import ALL_RULES

    indexes = {rule.id: index for index, rule in enumerate(ALL_RULES)}
    driver = {
        "name": "newsletter",
        "version": __version__,
        "rules": [
            {
                "id": rule.id,
                "shortDescription": {"text": rule.summary},
                "fullDescription": {"text": rule.meaning},
                "help": {"text": rule.remedy},
                "defaultConfiguration": {"level": _SARIF_LEVELS[rule.severity]},
                "properties": {"tags": [rule.topic]},
            }
            for rule in ALL_RULES
        ],
    }
    results = [_to_sarif_result(finding, indexes[finding.rule]) for finding in findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _to_sarif_result(finding: Finding, rule_index: int) -> dict[str, Any]:
    text = f"{finding.message}. {finding.meaning} {finding.remedy}"
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "level": _SARIF_LEVELS[finding.severity],
        "message": {"text": text},
    }
    if finding.where:
        # A URI reference: forward slashes, percent-encoded (RFC 3986).
        uri = quote(PurePath(finding.where.path).as_posix())
        physical_location: dict[str, Any] = {"artifactLocation": {"uri": uri}}
        if finding.where.line:
            physical_location["region"] = {"startLine": finding.where.line}
        result["locations"] = [{"physicalLocation": physical_location}]
    return result


def to_github_commands(findings: Sequence[Finding]) -> list[str]:
    """Return a line for each finding that GitHub shows beside the source ("workflow commands")."""
    return [_to_github_command(finding) for finding in findings]


def _to_github_command(finding: Finding) -> str:
    properties = {"title": finding.rule}
    if finding.where:
        properties = {"file": finding.where.path, **properties}
        if finding.where.line:
            properties["line"] = str(finding.where.line)
    parameters = ",".join(f"{name}={_escape_property(value)}" for name, value in properties.items())
    return (
        f"::{_GITHUB_LEVELS[finding.severity]} "
        f"{parameters}::{_escape_data(f'{finding.message}. {finding.remedy}')}"
    )


def _escape_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(text).replace(":", "%3A").replace(",", "%2C")
