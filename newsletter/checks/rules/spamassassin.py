"""SpamAssassin's own judgement, where the program is on this machine; it asks nobody else."""

import re
import shutil
import subprocess
from dataclasses import dataclass

from newsletter.checks.check_context import Mail
from newsletter.checks.finding import Finding
from newsletter.checks.rule import Hit, Topic

PROGRAM = "spamassassin"
_SECONDS = 60
_STATUS = re.compile(
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
def spam_score(mail: Mail) -> tuple[Hit, ...]:  # noqa: ARG001 - found by the program below
    """SpamAssassin, where it is installed, takes the mail for spam (`spamassassin -L -t`)."""
    return ()


def ask_spamassassin(eml: bytes) -> SpamScore | None:
    """Have SpamAssassin judge a message offline; ``None`` where it isn't there or fails.

    Args:
        eml: a reader's whole message (RFC 5322).
    """
    program = shutil.which(PROGRAM)
    if program is None:
        return None
    try:
        run = subprocess.run(  # noqa: S603 - a fixed program, and the mail on its standard input
            [program, "-L", "-t"], input=eml, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return read_score(run.stdout.decode(errors="replace"))


def read_score(output: str) -> SpamScore | None:
    """The score in the header that SpamAssassin puts on a message."""
    found = _STATUS.search(output)
    if found is None:
        return None
    names = tuple(name for name in re.split(r"[,\s]+", found["tests"]) if name not in {"", "none"})
    return SpamScore(float(found["score"]), float(found["limit"]), names)


def finding(score: SpamScore, mail: Mail) -> tuple[Finding, ...]:
    """What to say of a score: nothing, if it is below the limit."""
    if score.score < score.limit:
        return ()
    rule = spam_score
    where = mail.places.file
    return (
        Finding(rule.id, rule.severity, str(score), where, "", rule.meaning, rule.remedy),
    )  # fmt: skip
