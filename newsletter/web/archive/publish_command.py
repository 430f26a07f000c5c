"""Run the editor's command that puts an exported folder on a web host."""

import os
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from newsletter.config.public_site import FOLDER_PLACEHOLDER
from newsletter.errors import Location, PublishError
from newsletter.project.editor_command import describe_exit, kill_group, withhold_secrets

MAX_SHOWN_LINES = 10
MAX_LINE_LENGTH = 500
_SETTING = Location("newsletter.yml")


def run_publish_command(
    command: Sequence[str],
    folder: Path,
    root: Path,
    timeout: float,
    on_line: Callable[[str], None],
) -> None:
    """Run a command, without a shell, and wait until it has ended.

    Its standard input is empty, and it has no terminal: it can't ask for a password.

    Args:
        command: the program and its arguments, with placeholders.
        folder: the folder to publish, for the placeholder.
        root: the working folder of the command.
        timeout: seconds after which the command, and what it has started, is killed.
        on_line: called with each line of its output.

    Raises:
        PublishError: it can't be started, failed, or took too long; with its last lines.
    """
    process = _start(fill_command(command, folder), root)
    last_lines: deque[str] = deque(maxlen=MAX_SHOWN_LINES)
    timed_out = threading.Event()

    def stop() -> None:
        timed_out.set()
        kill_group(process)

    timer = threading.Timer(timeout, stop)
    timer.start()
    try:
        with process:
            for line in process.stdout or ():
                last_lines.append(line.rstrip("\n")[:MAX_LINE_LENGTH])
                on_line(last_lines[-1])
    except BaseException:  # Ctrl-C does not reach the command's own session
        kill_group(process)
        raise
    finally:
        timer.cancel()
    if process.returncode == 0 and not timed_out.is_set():
        return
    reason = (
        f"did not end within {timeout:,.0f} s"
        if timed_out.is_set()
        else describe_exit(process.returncode)
    )
    lines = ("; its last lines:", *last_lines) if last_lines else (" and printed nothing",)
    raise PublishError(f"publish.command {reason}" + "\n  ".join(lines), where=_SETTING)


def fill_command(command: Sequence[str], folder: Path) -> list[str]:
    """Return the program and its arguments with the folder's absolute path."""
    return [part.replace(FOLDER_PLACEHOLDER, str(folder.absolute())) for part in command]


def _start(arguments: list[str], root: Path) -> "subprocess.Popen[str]":
    try:
        return subprocess.Popen(  # noqa: S603 - the editor's own, and only with --publish
            arguments, cwd=root, env=withhold_secrets(os.environ), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8",
            errors="replace", start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise PublishError(
            f"publish.command can't be started: {arguments[0]}: {error.strerror}",
            where=_SETTING,
            remedy="Correct it, or install the program.",
        ) from None
