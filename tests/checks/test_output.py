import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from newsletter.checks.finding import Finding
from newsletter.checks.output import (
    count_by_severity,
    finding_to_dict,
    to_github_commands,
    to_sarif,
)
from newsletter.checks.registry import ALL_RULES
from newsletter.errors import Location

SCHEMA = Path(__file__).parents[1] / "fixtures" / "sarif-2.1.0-reduced.json"
FINDINGS = (
    Finding(
        "foreign-script", "error", "50% is\nin Arabic", Location("issues/a b, c:d/post.md", 11),
        "سكس", "Spam.", "Delete it.",
    ),
    Finding("no-preheader", "warning", "none", Location("issues/x/post.md"), "", "M.", "R."),
    Finding("no-title", "hint", "no title", None, "", "M.", "R."),
)  # fmt: skip


@pytest.fixture(scope="module")
def validator() -> Any:
    return jsonschema_rs.Draft7Validator(json.loads(SCHEMA.read_text()), validate_formats=True)


def test_sarif_is_valid_against_its_schema(validator: Any) -> None:
    log = json.loads(json.dumps(to_sarif(FINDINGS)))
    validator.validate(log)
    invalid_changes: tuple[dict[str, Any], ...] = (
        {"level": "hint"},
        {"message": {}},
        {"where": "here"},
    )
    for change in invalid_changes:
        broken = json.loads(json.dumps(log))
        broken["runs"][0]["results"][0] |= change
        assert not validator.is_valid(broken)


def test_sarif_has_rule_level_and_location() -> None:
    (run,) = to_sarif(FINDINGS)["runs"]
    first, second, third = run["results"]
    assert [result["level"] for result in run["results"]] == ["error", "warning", "note"]
    rules = run["tool"]["driver"]["rules"]
    assert rules[first["ruleIndex"]]["id"] == first["ruleId"] == "foreign-script"
    location = first["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "issues/a%20b%2C%20c%3Ad/post.md"
    assert location["region"] == {"startLine": 11}
    assert "region" not in second["locations"][0]["physicalLocation"]
    assert "locations" not in third


def test_sarif_has_every_rule_once() -> None:
    rules = [rule["id"] for rule in to_sarif(())["runs"][0]["tool"]["driver"]["rules"]]
    assert rules == [rule.id for rule in ALL_RULES]
    assert len(set(rules)) == len(rules)


def test_github_commands_are_escaped() -> None:
    assert to_github_commands(FINDINGS) == [
        (
            "::error file=issues/a b%2C c%3Ad/post.md,title=foreign-script,line=11"
            "::50%25 is%0Ain Arabic. Delete it."
        ),
        "::warning file=issues/x/post.md,title=no-preheader::none. R.",
        "::notice title=no-title::no title. R.",
    ]


def test_findings_are_converted_and_counted() -> None:
    assert finding_to_dict(FINDINGS[0])["line"] == 11
    assert finding_to_dict(FINDINGS[2])["file"] is None
    assert count_by_severity(FINDINGS[:2]) == {"error": 1, "warning": 1, "hint": 0}
