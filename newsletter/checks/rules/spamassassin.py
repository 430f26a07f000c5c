"""Run SpamAssassin offline on the email, if it is installed."""

import re
import shutil
import subprocess
from dataclasses import dataclass

from newsletter.checks.check_context import CheckContext
from newsletter.checks.finding import Finding
from newsletter.checks.rule import Match, Topic

PROGRAM = "spamassassin"
_TIMEOUT_SECONDS = 60
_STATUS_HEADER = re.compile(
    r"^X-Spam-Status:.*?score=(?P<score>-?[\d.]+) required=(?P<limit>[\d.]+)\s+tests=(?P<tests>.*?)"
    r"(?:autolearn|version)",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class SpamScore:
    """SpamAssassin's score of an email.

    Attributes:
        score: points; more is worse.
        limit: the score from which on SpamAssassin classifies an email as spam.
        tests: the names of the tests that fired.
    """

    score: float
    limit: float
    tests: tuple[str, ...]

    def __str__(self) -> str:
        tests = f": {', '.join(self.tests)}" if self.tests else ""
        return f"{max(self.score, 0.0) + 0.0:.1f} points ({self.limit:.1f} or more is spam){tests}"


@Topic("Deliverability").rule(
    "spam-score", "warning",
    meaning="Servers that use SpamAssassin put the email into the spam folder.",
    remedy="Look up the listed tests at spamassassin.apache.org, and fix what they point to.",
)  # fmt: skip
def spam_score(context: CheckContext) -> tuple[Match, ...]:  # noqa: ARG001 - ``make_spam_findings`` does it
    """SpamAssassin, if installed, classifies the email as spam (`spamassassin -L -t`)."""
    return ()


def run_spamassassin(eml: bytes) -> SpamScore | None:
    """Return SpamAssassin's offline score of a message; ``None`` if it is missing or fails.

    Args:
        eml: a recipient's complete message (RFC 5322).
    """
    program = shutil.which(PROGRAM)
    if program is None:
        return None
    try:
        process = subprocess.run(  # noqa: S603 - a fixed program, with the message on its standard input
            [program, "-L", "-t"],
            input=eml,
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_score(process.stdout.decode(errors="replace"))


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
    return (
        Finding(rule.id, rule.severity, str(score), where, "", rule.meaning, rule.remedy),
    )  # fmt: skip
