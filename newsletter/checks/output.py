"""Findings for programs: JSON, SARIF 2.1.0 (OASIS), and GitHub's workflow commands."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from newsletter import __version__
from newsletter.checks.finding import SEVERITIES, Finding, Severity
from newsletter.checks.registry import DOCUMENTED

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_SARIF_LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "hint": "note"}
_GITHUB: dict[Severity, str] = {"error": "error", "warning": "warning", "hint": "notice"}


def counted(findings: Sequence[Finding]) -> dict[Severity, int]:
    """How many findings there are of each severity."""
    counts = Counter(finding.severity for finding in findings)
    return {severity: counts[severity] for severity in SEVERITIES}


def as_data(finding: Finding) -> dict[str, Any]:
    """One finding for a script."""
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


def sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    """One run of SARIF 2.1.0, with a description of every rule there is."""
    places = {rule.id: at for at, rule in enumerate(DOCUMENTED)}
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
            for rule in DOCUMENTED
        ],
    }
    results = [_result(finding, places[finding.rule]) for finding in findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(finding: Finding, at: int) -> dict[str, Any]:
    text = f"{finding.message}. {finding.meaning} {finding.remedy}"
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": at,
        "level": _SARIF_LEVELS[finding.severity],
        "message": {"text": text},
    }
    if finding.where:
        # A URI reference: forward slashes, percent-encoded (RFC 3986).
        uri = quote(PurePath(finding.where.path).as_posix())
        place: dict[str, Any] = {"artifactLocation": {"uri": uri}}
        if finding.where.line:
            place["region"] = {"startLine": finding.where.line}
        result["locations"] = [{"physicalLocation": place}]
    return result


def github(findings: Sequence[Finding]) -> list[str]:
    """A line for each finding that GitHub shows beside the source ("workflow commands")."""
    return [_command(finding) for finding in findings]


def _command(finding: Finding) -> str:
    properties = {"title": finding.rule}
    if finding.where:
        properties = {"file": finding.where.path, **properties}
        if finding.where.line:
            properties["line"] = str(finding.where.line)
    told = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{_GITHUB[finding.severity]} {told}::{_data(f'{finding.message}. {finding.remedy}')}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
