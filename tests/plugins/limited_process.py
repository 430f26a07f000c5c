"""Fixture: a command in a process with limits on memory and CPU time, to run attacks in."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

MAX_MEGABYTES = 700  # the interpreter and every library that a command loads take 300
MAX_CPU_SECONDS = 60
_RUN = """\
import resource, sys
megabytes, seconds = int(sys.argv.pop(1)), int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
from newsletter.cli.main import main
main()
"""

LimitedCli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def limited_cli(project_folder: Path) -> LimitedCli:
    """Run ``newsletter ARGS`` in the project; return the exit code, output and messages.

    Python raises a MemoryError above the limit of memory, and the kernel kills the process above
    that of CPU time, with a negative exit code.
    """
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")
    }

    def run(
        *args: str, megabytes: int = MAX_MEGABYTES, cpu_seconds: int = MAX_CPU_SECONDS
    ) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-c", _RUN, str(megabytes), str(cpu_seconds), *args],
            cwd=project_folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run
