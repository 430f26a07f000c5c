"""How findings are printed for people."""

import pytest

from newsletter.checks.finding import Finding, Severity
from newsletter.cli.issue.findings_text import print_findings, print_summary
from newsletter.errors import Location

POST = "issues/x/post.md"


def make(rule: str, line: int | None, severity: Severity = "warning", path: str = POST) -> Finding:
    where = Location(path, line) if path else None
    return Finding(rule, severity, f"{rule} at {line}", where, "", "It hurts.", "Mend it.")


@pytest.mark.parametrize(
    ("findings", "printed"),
    [
        ([], []),
        ([make("a", 3)], [POST, "   3  warning  a  a at 3", "Mend it."]),
        ([make("a", 3, "hint")], [POST, "   3  hint     a  a at 3"]),
        ([make("a", None)], [POST, "      warning  a  a at None", "Mend it."]),
        (
            [make("a", 5), make("a", 3)],
            [POST, "   3  warning  a  2 places: post.md:3, :5", "such as: a at 3", "Mend it."],
        ),
        (
            [make("a", line, "hint") for line in (9, 3, 5)],
            [POST, "   3  hint     a  3 places: post.md:3, :5, :9", "such as: a at 3"],
        ),
        (
            [make("a", line, "hint") for line in (1, 2, 3, 4)],
            [POST, "   1  hint     a  4 places: post.md:1, :2, :3 and 1 more", "such as: a at 1"],
        ),
        (
            [make("a", line, "hint") for line in (2, 2, 2, None)],
            [POST, "      hint     a  4 places: post.md:2 and 1 more", "such as: a at None"],
        ),
        (
            [make("a", None, "hint"), make("a", None, "hint")],
            [POST, "      hint     a  2 places", "such as: a at None"],
        ),
        (
            [make("b", 1, "hint"), make("a", 9, "error"), make("c", 2, "hint")],
            [POST, "   9  error    a  a at 9", "Mend it.", "   1  hint     b  b at 1",
             "   2  hint     c  c at 2"],
        ),
        (
            [make("b", 7, "hint", "newsletter.yml"), make("b", 8, "hint"),
             make("b", 2, "hint", "")],
            [POST, "      hint     b  2 places: post.md:8 and 1 more", "such as: b at 2",
             "newsletter.yml", "   7  hint     b  b at 7"],
        ),
    ],
)  # fmt: skip
def test_findings(
    capsys: pytest.CaptureFixture[str], findings: list[Finding], printed: list[str]
) -> None:
    print_findings(findings, POST)
    lines = capsys.readouterr().out.splitlines()
    assert [line if line in printed else line.strip() for line in lines] == printed


def test_verbose_prints_each(capsys: pytest.CaptureFixture[str]) -> None:
    print_findings([make("a", 5, "hint"), make("a", 3, "hint")], POST, every=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [POST, "   3  hint     a  a at 3", "   5  hint     a  a at 5"]


@pytest.mark.parametrize(
    ("findings", "every", "text"),
    [
        ([], False, "0 errors, 0 warnings, 0 hints in 1.0 s"),
        ([make("a", 1)], False, "1 warning, 0 errors, 0 hints in 1.0 s"),
        ([make("a", 1), make("a", 2)], False,
         "2 warnings, 0 errors, 0 hints in 1.0 s; list them all with -v"),
        ([make("a", 1), make("a", 2)], True, "2 warnings, 0 errors, 0 hints in 1.0 s"),
        ([make("a", 1), make("b", 2, "hint")], False, "1 warning, 1 hint, 0 errors in 1.0 s"),
    ],
)  # fmt: skip
def test_summary(
    capsys: pytest.CaptureFixture[str], findings: list[Finding], *, every: bool, text: str
) -> None:
    print_summary(findings, 1.0, every=every)
    assert capsys.readouterr().out == f"{text}\n"
