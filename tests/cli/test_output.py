import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import click
import pytest

from newsletter.cli.output import confirm_count, echo, escape_controls, format_fields, print_error
from newsletter.cli.progress import progress_bar
from newsletter.errors import Location, NewsletterError, Problem, SendRefusedError

CSI = "\x1b["


def run_on_terminal(code: str, **environment: str) -> str:
    """Run ``code`` on a pseudo-terminal and return all that it prints there."""
    parent_end, child_end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=child_end,
        stdout=child_end,
        stderr=child_end,
        env={"TERM": "xterm", "PATH": os.environ["PATH"], **environment},
        cwd=Path(__file__).parents[2],
    )
    os.close(child_end)
    output = b""
    with os.fdopen(parent_end, "rb", buffering=0) as terminal:
        try:
            while data := terminal.read(1024):
                output += data
        except OSError:  # Linux raises EIO when the other end has been closed
            pass
    assert process.wait() == 0, output
    return output.decode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\rb", "a\\rb"),
        ("a\u202egpj.exe", "a\\u202egpj.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("a\u2028b\x85c\x9bd", "a\\u2028b\\x85c\\x9bd"),
        ("bad name \udc80", "bad name \\udc80"),
        ("Blåbær, 日報, «\u00a0oui\u00a0», \tx\ny", "Blåbær, 日報, «\u00a0oui\u00a0», \tx\ny"),
        ("क्\u200dष 👩\u200d🚀 \u05d0\u200c\u05d1", "क्\u200dष 👩\u200d🚀 \u05d0\u200c\u05d1"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert escape_controls(text) == shown


def test_every_problem_is_printed_with_its_location(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(
        NewsletterError.from_problems(
            [
                Problem("this is wrong", Location("a.md", 3), "Do that."),
                Problem("and \x1b[2Jthis"),
            ]
        )
    )
    assert capsys.readouterr() == (
        "",
        "newsletter: a.md:3: this is wrong. Do that.\nnewsletter: and \\x1b[2Jthis\n",
    )


def test_problems_beyond_the_limit_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(NewsletterError.from_problems([Problem(f"row {n}") for n in range(3000)]))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 51
    assert lines[-1] == "newsletter: and 2,950 more like these"


def test_fields_are_aligned_and_wrapped_in_their_column() -> None:
    text = format_fields(
        [
            ("from", "Harbour Notes <editor@harbournotes.example>"),
            ("left out", "14 unsubscribed, " * 5 + "3 bounced"),
            ("url", "https://harbournotes.example/" + "x" * 80),
            ("lines", "one\ntwo"),
        ]
    )
    lines = text.splitlines()
    assert lines[0] == "  from      Harbour Notes <editor@harbournotes.example>"
    assert lines[1].startswith("  left out  14 unsubscribed, 14")
    assert lines[2].startswith(" " * 12 + "14 unsubscribed,")
    assert lines[-3].endswith("x" * 80)
    assert lines[-2:] == ["  lines     one", "            two"]
    assert all(len(line) <= 80 for line in lines if "https" not in line)
    assert format_fields([]) == ""


@pytest.mark.parametrize("typed", ["2481\n", "2,481\n", " 2481 \n"])
def test_correct_count_confirms(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    confirm_count(2481, "send")


@pytest.mark.parametrize("typed", ["y\n", "\n", "248\n", "24810\n"])
def test_wrong_count_is_rejected(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    with pytest.raises(SendRefusedError, match="is not 2481; nothing was done"):
        confirm_count(2481, "send")


def test_confirmation_without_terminal_suggests_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(SendRefusedError, match="In a script, use --yes"):
        confirm_count(2481, "send")


def test_ctrl_c_at_the_prompt_aborts(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()  # click treats the end of input (Ctrl-D) like Ctrl-C
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    with pytest.raises(click.Abort):
        confirm_count(2481, "send")


def test_pipes_get_neither_color_nor_progress_bar(capsys: pytest.CaptureFixture[str]) -> None:
    echo("done", color="green")
    with progress_bar(10, "Sending") as advance:
        advance(10)
    assert capsys.readouterr() == ("done\n", "")


ECHO_IN_GREEN = "from newsletter.cli.output import echo; echo('done\\x1b[2J', color='green')"


def test_terminal_gets_color_but_escaped_control_characters() -> None:
    assert run_on_terminal(ECHO_IN_GREEN) == f"{CSI}32mdone\\x1b[2J{CSI}0m\r\n"


def test_errors_are_wrapped_on_a_terminal_only(capsys: pytest.CaptureFixture[str]) -> None:
    code = "from newsletter.cli.output import *; print_error(NewsletterError('it is ' * 9 + 'so'))"
    assert run_on_terminal(code, NO_COLOR="1", COLUMNS="40").splitlines() == [
        "newsletter: it is it is it is it is it",
        "  is it is it is it is it is so",
    ]
    print_error(NewsletterError("it is " * 9 + "so"))
    assert capsys.readouterr().err == f"newsletter: {'it is ' * 9}so\n"


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_color_can_be_disabled(environment: dict[str, str]) -> None:
    assert run_on_terminal(ECHO_IN_GREEN, **environment) == "done\\x1b[2J\r\n"


def test_terminal_gets_a_progress_bar() -> None:
    output = run_on_terminal(
        "from newsletter.cli.progress import progress_bar\n"
        "with progress_bar(2000, 'Sending') as advance:\n    advance(1000); advance(1000)"
    )
    assert "Sending" in output
    assert "100%" in output
