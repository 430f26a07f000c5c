import io
import sys
import threading

import pytest

from newsletter.cli import progress
from newsletter.cli.progress import notice_if_slow, progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_of_two_bars_only_the_outer_one_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress_bar(2, "Importing") as outer:
        with progress_bar(9, "Fetching pictures") as inner:
            inner(9)
        outer(2)
    assert "Importing" in terminal.getvalue()
    assert "Fetching" not in terminal.getvalue()
    with progress_bar(9, "Fetching pictures") as step:
        step(9)
    assert "Fetching pictures" in terminal.getvalue()


def test_what_is_slow_is_named_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    written = threading.Event()

    class SignallingTerminal(Terminal):
        def write(self, text: str) -> int:
            length = super().write(text)
            written.set()
            return length

    terminal = SignallingTerminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with notice_if_slow("Counting ..."):
        pass
    assert terminal.getvalue() == ""
    monkeypatch.setattr(progress, "SLOW_SECONDS", 0.0)
    with notice_if_slow("Counting ..."):
        assert written.wait(30)
    assert terminal.getvalue() == "Counting ...\n"


def test_a_file_gets_no_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    monkeypatch.setattr(progress, "SLOW_SECONDS", 0.0)
    before = threading.active_count()
    with notice_if_slow("Counting ..."):
        assert threading.active_count() == before
    assert file.getvalue() == ""
