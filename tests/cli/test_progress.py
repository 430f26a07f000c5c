import io
import sys

import pytest

from newsletter.cli.progress import progress_bar


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
