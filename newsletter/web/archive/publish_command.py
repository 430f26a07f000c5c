"""Run the editor's command that puts an exported folder on a web host."""

import os
import queue
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from newsletter.config.public_site import FOLDER_PLACEHOLDER
from newsletter.errors import Location, PublishError
from newsletter.project.editor_command import describe_exit, kill_group, withhold_secrets

MAX_SHOWN_LINES = 10
MAX_LINE_LENGTH = 500
# Lines that were read and not printed yet; more have to wait in the command's pipe.
MAX_WAITING_LINES = 1_000
# How long to wait for another line before looking whether the command has ended.
POLL_SECONDS = 0.2
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
    deadline = time.monotonic() + timeout
    last_lines: deque[str] = deque(maxlen=MAX_SHOWN_LINES)
    try:
        for line in _iter_lines(process, deadline):
            last_lines.append(line)
            on_line(line)
        code = process.wait(max(deadline - time.monotonic(), 0.0))
        reason = describe_exit(code) if code else ""
    except subprocess.TimeoutExpired:
        reason = f"did not end within {timeout:,.0f} s"
    finally:
        # Also after Ctrl-C, which does not reach the command's own session.
        if process.poll() is None:
            kill_group(process)
            process.wait()
    if not reason:
        return
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


def _iter_lines(process: "subprocess.Popen[str]", deadline: float) -> Iterator[str]:
    """Yield the lines of a command's output, until it is closed or the command has ended.

    What the command leaves in the background, such as a shared SSH connection, may keep its output
    open.

    Raises:
        subprocess.TimeoutExpired: the deadline has passed.
    """
    lines: queue.Queue[str | None] = queue.Queue(MAX_WAITING_LINES)
    threading.Thread(target=_read_lines, args=(process.stdout, lines), daemon=True).start()
    while True:
        has_ended = process.poll() is not None
        remaining = deadline - time.monotonic()
        if remaining <= 0 and not has_ended:
            raise subprocess.TimeoutExpired(process.args, 0.0)
        try:
            line = lines.get(timeout=min(POLL_SECONDS, max(remaining, 0.0)))
        except queue.Empty:
            if has_ended:
                return
            continue
        if line is None:
            return
        yield line


def _read_lines(output: IO[str], lines: "queue.Queue[str | None]") -> None:
    """Put the beginning of each line into a queue, then ``None``; a line may be endless."""
    is_start = True
    with output:
        while part := output.readline(MAX_LINE_LENGTH):
            if is_start:
                lines.put(part.rstrip("\n"))
            is_start = part.endswith("\n")
    lines.put(None)
