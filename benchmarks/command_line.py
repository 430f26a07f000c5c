"""A newsletter's folder, and the real command line in it, measured."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
SETTINGS = """\
name: Harbour Notes
sender: {name: Harbour Notes, address: editor@harbour-notes.org}
postal_address: Harbour Notes, 1 Quay Street, Bergen
site_url: https://harbour-notes.org
public_url: https://news.harbour-notes.org
attributes: {name: friend}
sendgrid: {connect_timeout: 60, read_timeout: 60}
"""
# About as long as a newsletter is.
POST = "---\ntitle: %s\n---\n\nDear {{ subscriber.name }},\n\n" + "\n\n".join(
    ["The ice let go of the harbour on Tuesday, a week later than last year. " * 5] * 10
)


class CommandResult(NamedTuple):
    """What a command took.

    Attributes:
        seconds: from its start to its end.
        cpu: its seconds of CPU time.
        peak: the most memory it had, in MB.
        output: what it has printed.
        server_cpu: the database's CPU seconds, if they are not all that it used meanwhile.
    """

    seconds: float
    cpu: float
    peak: int
    output: str = ""
    server_cpu: float | None = None


class RunningWorker(NamedTuple):
    """A worker's process."""

    pid: int

    def get_peak(self) -> int:
        """Return the most memory it has had so far, in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The command line in a newsletter's folder.

    Attributes:
        folder: the newsletter's.
        database: the URL of its database.
        provider: the URL of the sink.
    """

    folder: Path
    database: str
    provider: str

    def make_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "newsletter.yml").write_text(SETTINGS)
        shutil.copytree(ROOT / "templates", self.folder / "templates", dirs_exist_ok=True)

    def write_issue(self, name: str) -> None:
        folder = self.folder / "issues" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "post.md").write_text(POST % name)

    def run(self, *arguments: str) -> CommandResult:
        """Run ``newsletter ARGUMENTS``; an exit code other than 0 is an error."""
        output = self.folder / f"{arguments[0]}.out"
        with output.open("w+") as file:
            start = time.perf_counter()
            process = self._start(arguments, file.fileno())
            _, code, used = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(code)
            file.seek(0)
            text = file.read(100_000)
        if process.returncode:
            raise RuntimeError(f"newsletter {' '.join(arguments)} failed:\n{text}")
        return CommandResult(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024, text)

    @contextmanager
    def started(self, *arguments: str) -> "Iterator[subprocess.Popen[bytes]]":
        """Start ``newsletter ARGUMENTS``; wait for its end after the context."""
        with (self.folder / f"{arguments[0]}.out").open("w") as file:
            process = self._start(arguments, file.fileno())
            try:
                yield process
                process.wait()
            finally:
                process.kill()
                process.wait()

    @contextmanager
    def running_workers(self, count: int, concurrency: int) -> Iterator[list[RunningWorker]]:
        """Run workers within the context."""
        with ExitStack() as stack:
            yield [
                stack.enter_context(self._running_worker(number, concurrency))
                for number in range(count)
            ]

    @contextmanager
    def _running_worker(self, number: int, concurrency: int) -> Iterator[RunningWorker]:
        log = self.folder / f"worker-{number}.log"
        with log.open("w") as file:
            process = self._start(("worker", "--concurrency", str(concurrency)), file.fileno())
            try:
                while "a worker is running" not in log.read_text():
                    if process.poll() is not None:
                        raise RuntimeError(f"the worker has ended:\n{log.read_text()}")
                    time.sleep(0.05)
                yield RunningWorker(process.pid)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait()

    def _start(self, arguments: tuple[str, ...], output: int) -> "subprocess.Popen[bytes]":
        environment = {
            **os.environ,
            "NEWSLETTER_DATABASE": self.database,
            "PYTHONUNBUFFERED": "1",
            "SENDGRID_API_KEY": "SG.bench.key",
            "SENDGRID_HOST": self.provider,
        }
        return subprocess.Popen(
            [str(Path(sys.executable).parent / "newsletter"), *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
