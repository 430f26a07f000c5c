"""Measure new processes, by turns, as an installed package runs them."""

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple


class ProcessTime(NamedTuple):
    """Milliseconds that a process took."""

    wall: float
    cpu: float


class Command(NamedTuple):
    """A command to measure.

    Attributes:
        arguments: the program and its arguments.
        folder: its working directory.
        standard_input: the text that it gets.
    """

    arguments: Sequence[str]
    folder: Path
    standard_input: str = ""


@contextmanager
def installed_environment() -> Iterator[dict[str, str]]:
    """Yield an environment in which Python keeps byte code, as it does for installed packages."""
    with TemporaryDirectory() as folder:
        yield {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            "PYTHONPATH": str(Path(__file__).parent.parent),
            "PYTHONPYCACHEPREFIX": f"{folder}/pycache",
            "XDG_CACHE_HOME": f"{folder}/cache",
        }


def measure_by_turns(
    commands: Sequence[Command], rounds: int, environment: Mapping[str, str]
) -> list[ProcessTime]:
    """Return the medians of each command, run once unmeasured and then by turns."""
    times: list[list[ProcessTime]] = [[] for _ in commands]
    for turn in range(rounds + 1):
        for command, measured in zip(commands, times, strict=True):
            taken = _run(command, environment)
            if turn:
                measured.append(taken)
    return [
        ProcessTime(*(statistics.median(column) for column in zip(*measured, strict=True)))
        for measured in times
    ]


def _run(command: Command, environment: Mapping[str, str]) -> ProcessTime:
    cpu, wall = _get_cpu_time(), time.perf_counter()
    subprocess.run(
        command.arguments,
        cwd=command.folder,
        env=environment,
        input=command.standard_input,
        text=True,
        check=True,
        capture_output=True,
    )
    return ProcessTime((time.perf_counter() - wall) * 1000, (_get_cpu_time() - cpu) * 1000)


def _get_cpu_time() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
