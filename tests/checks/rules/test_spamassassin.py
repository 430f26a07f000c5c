import os
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.checks.check_context import CheckContext
from newsletter.checks.rules.spamassassin import (
    SpamScore,
    make_spam_findings,
    parse_score,
    run_spamassassin,
)

OUTPUT = """\
X-Spam-Checker-Version: SpamAssassin 4.0.1 (2024-03-26) on desk
X-Spam-Level: *****
X-Spam-Status: Yes, score=6.2 required=5.0 tests=HTML_MESSAGE,
\tSUBJ_ALL_CAPS,URI_PHISH autolearn=no autolearn_force=no version=4.0.1
Subject: [SPAM]
"""


def test_score_and_test_names_are_parsed() -> None:
    score = parse_score(OUTPUT)
    assert score == SpamScore(6.2, 5.0, ("HTML_MESSAGE", "SUBJ_ALL_CAPS", "URI_PHISH"))
    clean = "X-Spam-Status: No, score=-0.0 required=5.0 tests=none autolearn=no"
    assert str(parse_score(clean)) == "0.0 points (5.0 or more is spam)"
    assert parse_score("Subject: nothing of the kind") is None


def test_score_at_the_limit_is_a_finding(make_context: Callable[..., CheckContext]) -> None:
    context = make_context()
    assert make_spam_findings(SpamScore(4.9, 5.0, ()), context) == ()
    (finding,) = make_spam_findings(SpamScore(5.0, 5.0, ("URI_PHISH",)), context)
    assert finding.rule == "spam-score"
    assert "URI_PHISH" in finding.message


# Scores each message of a mailbox by its subject: "Subject: 6.2" has 6.2 points.
FAKE = """\
#!/bin/sh
echo started >> "$(dirname "$0")/starts"
echo "X-Args: $*"
while IFS= read -r line; do
  printf '%s\\n' "$line"
  case $line in "Subject: "*)
    score=${line#Subject: }
    echo "X-Spam-Status: No, score=$score required=5.0 tests=T_$score autolearn=no"
  esac
done
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "spamassassin"
    program.write_text(FAKE)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return program


@pytest.mark.parametrize(
    ("copies", "expected"),
    [
        ({"Ada": "6.2"}, SpamScore(6.2, 5.0, ("T_6.2",))),
        ({"Ada": "0.1", "nobody": "2.8"}, SpamScore(2.8, 5.0, ("T_2.8",), "nobody")),
        ({"Ada": "2.8", "nobody": "0.1"}, SpamScore(2.8, 5.0, ("T_2.8",), "Ada")),
        ({"Ada": "-1.0", "nobody": "-1.0"}, SpamScore(-1.0, 5.0, ("T_-1.0",), "Ada")),
    ],
)
def test_the_worst_copy_counts_and_the_program_starts_once(
    program: Path, copies: dict[str, str], expected: SpamScore
) -> None:
    messages = {
        name: f"To: a\nSubject: {score}\n\nFrom copy-0 Thu\n>From x\nX-Spam-Status: odd\n".encode()
        for name, score in copies.items()
    }
    assert run_spamassassin(messages) == expected
    assert (program.parent / "starts").read_text() == "started\n"


def test_a_copy_without_a_score_gives_none(program: Path) -> None:
    assert run_spamassassin({"Ada": b"Subject: 1.0\n\n", "nobody": b"To: b\n\n"}) is None
    program.write_text("#!/bin/sh\necho it broke >&2\nexit 3\n")
    assert run_spamassassin({"Ada": b"Subject: 1.0\n\n"}) is None


def test_whose_copy_it_is_is_said() -> None:
    assert str(SpamScore(2.7, 5.0, ("DEAR_FRIEND",), "a reader without a name")) == (
        "2.7 points (5.0 or more is spam) for a reader without a name: DEAR_FRIEND"
    )


def test_missing_program_gives_no_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run_spamassassin({"Ada": b"Subject: hello\n\n"}) is None
