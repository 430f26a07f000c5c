"""Commands in processes of their own, forked from one that has imported everything.

Four fifths of the time of a short command are its imports. A forked process saves them; it is
killed and sent signals like any other. What is about the start of the interpreter belongs in
``tests/cli``, which starts ``python -m newsletter``.
"""

import multiprocessing
import os
import pkgutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

import newsletter

CONTEXT = multiprocessing.get_context("forkserver")


class ForkedCommand:
    """A running ``newsletter ARGS``: the parts of ``subprocess.Popen`` that tests need.

    Args:
        args: the arguments.
        cwd: the working folder.
        env: the environment.
        nohup: ignore SIGHUP, as under ``nohup``.
        prepare: called in the process before the command; can be pickled.
    """

    def __init__(
        self,
        args: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        *,
        nohup: bool = False,
        prepare: Callable[[], object] = bool,
    ) -> None:
        out, child_out = CONTEXT.Pipe(duplex=False)
        err, child_err = CONTEXT.Pipe(duplex=False)
        self._process = CONTEXT.Process(
            target=_run,
            args=(args, cwd, dict(env), child_out, child_err, nohup, prepare),
            daemon=True,  # it doesn't outlive the tests
        )
        self._process.start()
        child_out.close()
        child_err.close()
        self.stdout = os.fdopen(os.dup(out.fileno()))
        self.stderr = os.fdopen(os.dup(err.fileno()))
        self._readers = ThreadPoolExecutor(2)
        self._output: list[Future[str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._process.join()
        self._readers.shutdown()
        self.stdout.close()
        self.stderr.close()

    @property
    def pid(self) -> int:
        """The id of the process."""
        assert self._process.pid
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, or the negative signal; ``None`` while it runs."""
        return self._process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end and return its output and messages.

        Raises:
            subprocess.TimeoutExpired: it still runs; nothing of its output is lost.
        """
        if not self._output:
            self._output = [self._readers.submit(file.read) for file in (self.stdout, self.stderr)]
        if wait(self._output, timeout).not_done:
            raise subprocess.TimeoutExpired("newsletter", timeout or 0)
        out, err = (future.result() for future in self._output)
        with self:
            return out, err

    def wait(self, timeout: float | None = None) -> None:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("newsletter", timeout or 0)

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


@pytest.fixture(scope="session")
def forked_command() -> type[ForkedCommand]:
    """What starts a command, once the process that it is forked from has imported everything."""
    modules = [module.name for module in pkgutil.walk_packages(newsletter.__path__, "newsletter.")]
    unneeded = {"newsletter.__main__", "newsletter.db.migrations.env"}  # they run when imported
    CONTEXT.set_forkserver_preload(["pytest", *(name for name in modules if name not in unneeded)])
    with pytest.MonkeyPatch.context() as patch:
        # Coverage of a killed process is lost, and measuring doubles the time.
        for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
            patch.delenv(name)
        forkserver.ensure_running()
    return ForkedCommand


def _run(
    args: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    out: Connection,
    err: Connection,
    nohup: bool,
    prepare: Callable[[], object],
) -> None:
    from newsletter.cli.main import main

    with Path(os.devnull).open() as null:
        for descriptor, source in enumerate((null.fileno(), out.fileno(), err.fileno())):
            os.dup2(source, descriptor)
    sys.stdout = os.fdopen(1, "w", closefd=False)  # the old ones were made for another kind of file
    sys.stderr = os.fdopen(2, "w", closefd=False, buffering=1)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    if nohup:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if "worker" in args:
        _leave_out_hourly_requests()
    prepare()
    main(list(args))


def _leave_out_hourly_requests() -> None:
    """Keep a worker from syncing suppressions, for which tests would have to expect requests.

    It makes up for what was due up to ten minutes before its start, so that they would depend on
    the time of day.
    """
    from newsletter.worker import app

    app.EVERY_HOUR_LATER = "0 0 29 2 * 0"
