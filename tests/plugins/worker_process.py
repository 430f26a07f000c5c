"""Workers in processes of their own."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from forked_command import ForkedCommand
from sender_process import SenderProject


@contextmanager
def running_worker(sender_project: SenderProject, *args: str) -> Iterator[ForkedCommand]:
    """Start ``newsletter worker ARGS``; it is on record within the context, and stopped after it.

    Args:
        sender_project: a project with a database on PostgreSQL.
        args: further arguments.
    """
    process = sender_project.start("worker", *args)
    lines = []
    while "a worker is running" not in (line := process.stdout.readline()):
        lines.append(line)
        assert line, (lines, process.stderr.read())
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=0)  # reads its log from now on, or it would wait on a full pipe
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
