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


def test_spamassassin_gets_the_message_and_runs_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "spamassassin"
    program.write_text(f"#!/bin/sh\necho \"X-Args: $*\"\ncat\ncat <<'END'\n{OUTPUT}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    score = run_spamassassin(b"Subject: hello\n\nHello\n")
    assert score is not None
    assert score.score == 6.2
    program.write_text("#!/bin/sh\necho it broke >&2\nexit 3\n")
    assert run_spamassassin(b"Subject: hello\n\n") is None


def test_missing_program_gives_no_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run_spamassassin(b"Subject: hello\n\n") is None
