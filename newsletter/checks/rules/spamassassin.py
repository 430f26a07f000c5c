"""SpamAssassin's own judgement, where the program is on this machine; it asks nobody else."""

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
    """What SpamAssassin says of a mail.

    Attributes:
        score: points; more is worse.
        limit: from how many on it is spam.
        tests: the names of the tests that fired.
    """

    score: float
    limit: float
    tests: tuple[str, ...]

    def __str__(self) -> str:
        named = f" ({', '.join(self.tests)})" if self.tests else ""
        return f"{max(self.score, 0.0) + 0.0:.1f} of the {self.limit:.1f} points of spam{named}"


@Topic("Deliverability").rule(
    "spam-score", "warning",
    meaning="Servers that use SpamAssassin put the mail into the spam folder.",
    remedy="Look the named tests up at spamassassin.apache.org, and mend what they point at.",
)  # fmt: skip
def spam_score(context: CheckContext) -> tuple[Match, ...]:  # noqa: ARG001 - found by the program below
    """SpamAssassin, where it is installed, takes the mail for spam (`spamassassin -L -t`)."""
    return ()


def run_spamassassin(eml: bytes) -> SpamScore | None:
    """Have SpamAssassin judge a message offline; ``None`` where it isn't there or fails.

    Args:
        eml: a reader's whole message (RFC 5322).
    """
    program = shutil.which(PROGRAM)
    if program is None:
        return None
    try:
        run = subprocess.run(  # noqa: S603 - a fixed program, and the mail on its standard input
            [program, "-L", "-t"],
            input=eml,
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_score(run.stdout.decode(errors="replace"))


def parse_score(output: str) -> SpamScore | None:
    """The score in the header that SpamAssassin puts on a message."""
    found = _STATUS_HEADER.search(output)
    if found is None:
        return None
    names = tuple(name for name in re.split(r"[,\s]+", found["tests"]) if name not in {"", "none"})
    return SpamScore(float(found["score"]), float(found["limit"]), names)


def make_spam_findings(score: SpamScore, context: CheckContext) -> tuple[Finding, ...]:
    """What to say of a score: nothing, if it is below the limit."""
    if score.score < score.limit:
        return ()
    rule = spam_score
    where = context.source_map.file
    return (
        Finding(rule.id, rule.severity, str(score), where, "", rule.meaning, rule.remedy),
    )  # fmt: skip
