"""Run the editor's own commands: without our secrets, killed as a whole."""

import os
import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import subprocess

# A command has no use for them; its own secrets it takes from the environment.
WITHHELD_VARIABLES = frozenset(
    {"SENDGRID_API_KEY", "NEWSLETTER_DATABASE", "NEWSLETTER_FEED", "PGPASSWORD"}
)

# Of the end of a program's output.
MAX_OUTPUT_BYTES = 2_000


def withhold_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a command: all but the newsletter's own secrets."""
    return {name: value for name, value in environment.items() if name not in WITHHELD_VARIABLES}


def describe_exit(code: int) -> str:
    """Return how a command that failed has ended."""
    if code >= 0:
        return f"failed with exit code {code}"
    return f"was ended by signal {-code}"


def read_last_line(file: BinaryIO) -> str:
    """Return the last line that a program has written to a file, or an empty text."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - MAX_OUTPUT_BYTES))
    return get_last_line(file.read())


def get_last_line(output: bytes) -> str:
    """Return the last line of a program's output, or an empty text."""
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def read_end(pipe: BinaryIO, end: bytearray) -> None:
    """Read a pipe until it is closed, and keep the end of what was written, however much it is."""
    with pipe:
        while chunk := os.read(pipe.fileno(), 65_536):
            end += chunk
            del end[:-MAX_OUTPUT_BYTES]


def kill_group(process: "subprocess.Popen[Any]") -> None:
    """Kill a command that has a session of its own, and what it has started."""
    if os.name == "posix":
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return
    else:
        process.kill()
