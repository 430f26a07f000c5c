"""Run the console examples of a page in a terminal, as a reader would.

An example is a line ``$ command``, then what the terminal shows: what the program prints, and what
the reader types at a prompt. ``…`` stands for any text, alone on a line for any lines; a last line
that begins with ``^C`` means that the reader presses Ctrl-C there.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

TIMEOUT = 120.0  # seconds for one command, on a busy machine
_EXAMPLE = re.compile(r"^\$ (?P<command>.*)\n(?P<shown>(?:(?!\$ ).*\n)*)", re.MULTILINE)
_CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_PROGRESS_BAR = re.compile(r"^(?:.*\r(?!\n))*.* \[[#-]+\] .*\n", re.MULTILINE)
_PROMPT_END = ": "
CTRL_C = "^C"


@dataclass(frozen=True, slots=True)
class ConsoleExample:
    """A command, and what the terminal shows of it.

    Attributes:
        command: as typed in a shell.
        shown: the lines after it, with what is typed at prompts.
    """

    command: str
    shown: tuple[str, ...] = ()

    @property
    def is_interrupted(self) -> bool:
        """Whether the reader ends it with Ctrl-C."""
        return bool(self.shown) and self.shown[-1].startswith(CTRL_C)

    def matches(self, output: str) -> bool:
        """Return whether the terminal shows what the page says, and nothing else."""
        pattern = _compile_lines(self.shown)
        return re.fullmatch(pattern, output) is not None

    def has_begun(self, output: str) -> bool:
        """Return whether everything before the Ctrl-C is there."""
        return re.fullmatch(_compile_lines(self.shown[:-1]), output) is not None


def _compile_lines(lines: tuple[str, ...]) -> str:
    return "".join(
        "(?:.*\n)*?" if line == "…" else ".*?".join(map(re.escape, line.split("…"))) + "\n"
        for line in lines
    )


def parse_examples(block: str) -> list[ConsoleExample]:
    """Return the examples of one console block."""
    return [
        ConsoleExample(found["command"], tuple(found["shown"].splitlines()))
        for found in _EXAMPLE.finditer(block)
    ]


def clean_output(raw: bytes) -> str:
    """Return what is left on the screen, without colors and progress bars."""
    text = _CONTROL_SEQUENCE.sub("", raw.decode(errors="replace"))
    return _PROGRESS_BAR.sub("", text.replace("\r\n", "\n"))


def run_example(
    example: ConsoleExample,
    folder: Path,
    environment: Mapping[str, str],
    before_interrupt: Callable[[str], None],
) -> tuple[int, str]:
    """Run a command in a terminal of 80 columns, and type what the example shows at its prompts.

    Args:
        example: the command, and what is typed.
        folder: the working folder.
        environment: of the command.
        before_interrupt: called with the output before Ctrl-C is pressed.

    Returns:
        The exit code, and what the terminal showed; after ``TIMEOUT`` the command is killed.
    """
    terminal, program_side = pty.openpty()
    fcntl.ioctl(program_side, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    process = subprocess.Popen(
        ["/bin/sh", "-c", example.command],
        cwd=folder,
        env={**environment},
        stdin=program_side,
        stdout=program_side,
        stderr=program_side,
        start_new_session=True,
        preexec_fn=_take_terminal,  # noqa: PLW1509 - this thread starts no other
    )
    os.close(program_side)
    raw, expected = b"", list(example.shown)
    is_interrupted = False
    deadline = time.monotonic() + TIMEOUT
    try:
        while time.monotonic() < deadline:
            if not select.select([terminal], [], [], 1.0)[0]:
                continue
            try:
                chunk = os.read(terminal, 65536)
            except OSError:  # Linux reports the end of a terminal's output as an error
                chunk = b""
            if not chunk:
                break
            raw += chunk
            output = clean_output(raw)
            prompt = output.rpartition("\n")[2]
            typed = _find_typed(expected, prompt) if prompt.endswith(_PROMPT_END) else None
            if typed is not None:
                os.write(terminal, f"{typed}\n".encode())
            elif example.is_interrupted and not is_interrupted and example.has_begun(output):
                before_interrupt(output)
                is_interrupted = True
                os.write(terminal, b"\x03")
    finally:
        if time.monotonic() >= deadline:  # at a prompt that the example does not show, probably
            os.killpg(process.pid, signal.SIGKILL)
        os.close(terminal)
    return process.wait(TIMEOUT), clean_output(raw)


def _take_terminal() -> None:
    """Make standard input the controlling terminal, so that Ctrl-C reaches the program."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _find_typed(expected: list[str], prompt: str) -> str | None:
    """Return what is typed at a prompt, and drop the lines up to it."""
    for index, line in enumerate(expected):
        if line.startswith(prompt):
            del expected[: index + 1]
            return line.removeprefix(prompt)
    return None
