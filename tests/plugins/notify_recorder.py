"""Fixture: a notify.command that records what it is given."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """\
import json, os, pathlib, sys
with pathlib.Path({log!r}).open("a") as log:
    data = json.load(sys.stdin)
    print(json.dumps([sys.argv[1:], data, sorted(os.environ), os.getcwd()]), file=log)
sys.exit(int(pathlib.Path({code!r}).read_text()))
"""


@dataclass(frozen=True)
class CommandCall:
    """One run of the command: its arguments, input, environment variables, working folder."""

    arguments: list[str]
    data: dict[str, Any]
    variables: list[str]
    folder: str


@dataclass(frozen=True)
class NotifyRecorder:
    """A program that records its calls.

    Attributes:
        command: the program and its arguments.
        folder: where it is.
    """

    command: list[str]
    folder: Path

    @property
    def calls(self) -> list[CommandCall]:
        log = self.folder / "calls.jsonl"
        lines = log.read_text().splitlines() if log.exists() else []
        return [CommandCall(*json.loads(line)) for line in lines]

    @property
    def kinds(self) -> list[str]:
        return [call.data["kind"] for call in self.calls]

    def exit_with(self, code: int) -> None:
        (self.folder / "code").write_text(str(code))


@pytest.fixture
def recorder(tmp_path: Path) -> NotifyRecorder:
    folder = tmp_path / "recorder"
    folder.mkdir()
    paths = {"log": str(folder / "calls.jsonl"), "code": str(folder / "code")}
    (folder / "record.py").write_text(SCRIPT.format(**paths))
    recorder = NotifyRecorder([sys.executable, str(folder / "record.py")], folder)
    recorder.exit_with(0)
    return recorder
