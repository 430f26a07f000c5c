"""Run SpamAssassin offline on the email, if it is installed."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace

from newsletter.checks.check_context import CheckContext
from newsletter.checks.finding import Finding
from newsletter.checks.rule import Match, Topic

PROGRAM = "spamassassin"
_TIMEOUT_SECONDS = 60
_MBOX_LINE = "From copy-{} Thu Jan  1 00:00:00 2026\n"
_MBOX_PATTERN = re.compile(r"^From copy-\d+ .*\n", re.MULTILINE)
_FROM_LINE = re.compile(rb"^>*From ", re.MULTILINE)
_STATUS_HEADER = re.compile(
    r"^X-Spam-Status:.*?score=(?P<score>-?[\d.]+) required=(?P<limit>[\d.]+)\s+tests=(?P<tests>.*?)"
    r"(?:autolearn|version)",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class SpamScore:
    """SpamAssassin's score of a recipient's copy of an email.

    Attributes:
        score: points; more is worse.
        limit: the score from which on SpamAssassin classifies an email as spam.
        tests: the names of the tests that fired.
        recipient: whose copy it is, such as ``a reader without a name``; empty if all are alike.
    """

    score: float
    limit: float
    tests: tuple[str, ...]
    recipient: str = ""

    def __str__(self) -> str:
        tests = f": {', '.join(self.tests)}" if self.tests else ""
        points = f"{max(self.score, 0.0) + 0.0:.1f} points ({self.limit:.1f} or more is spam)"
        return f"{points}{f' for {self.recipient}' if self.recipient else ''}{tests}"


@Topic("Deliverability").rule(
    "spam-score",
    "warning",
    meaning="Servers that use SpamAssassin put the email into the spam folder.",
    remedy="Look up the listed tests at spamassassin.apache.org, and fix what they point to.",
)
def spam_score(context: CheckContext) -> tuple[Match, ...]:  # noqa: ARG001 - ``make_spam_findings`` does it
    """SpamAssassin, if installed, classifies the email as spam (`spamassassin -L -t`).

    Two copies are scored: a sample reader's, and that of a reader of whom nothing is known, who
    gets every default. The worse one is reported.
    """
    return ()


def run_spamassassin(copies: Mapping[str, bytes]) -> SpamScore | None:
    """Return the worst of SpamAssassin's offline scores; ``None`` if it is missing or fails.

    SpamAssassin takes a second to start, so it gets all copies at once, as a mailbox (RFC 4155).

    Args:
        copies: whose copy -> the complete message (RFC 5322), each different.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        return None
    try:
        process = subprocess.run(  # noqa: S603 - a fixed program, with the messages on its standard input
            [program, "-L", "-t", "--mbox"],
            input=b"".join(
                _MBOX_LINE.format(number).encode() + _FROM_LINE.sub(rb">\g<0>", eml) + b"\n\n"
                for number, eml in enumerate(copies.values())
            ),
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    _, *outputs = _MBOX_PATTERN.split(process.stdout.decode(errors="replace"))
    scores = [
        replace(score, recipient=recipient if len(copies) > 1 else "")
        for recipient, output in zip(copies, outputs, strict=False)
        if (score := parse_score(output))
    ]
    return max(scores, key=lambda score: score.score) if len(scores) == len(copies) else None


def parse_score(output: str) -> SpamScore | None:
    """Return the score in the header that SpamAssassin adds; ``None`` without that header."""
    found = _STATUS_HEADER.search(output)
    if found is None:
        return None
    names = tuple(name for name in re.split(r"[,\s]+", found["tests"]) if name not in {"", "none"})
    return SpamScore(float(found["score"]), float(found["limit"]), names)


def make_spam_findings(score: SpamScore, context: CheckContext) -> tuple[Finding, ...]:
    """Return the finding for a score; none below the limit."""
    if score.score < score.limit:
        return ()
    rule = spam_score
    where = context.source_map.file
    return (Finding(rule.id, rule.severity, str(score), where, "", rule.meaning, rule.remedy),)
