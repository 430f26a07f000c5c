"""Take a picture of a page with this machine's Chromium.

Chromium is driven through a pipe: the page's URL has the preview's secret, and a program's
arguments can be read by every user of the machine.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from newsletter.errors import ProjectError
from newsletter.project.editor_command import kill_group, withhold_secrets

TIMEOUT_SECONDS = 45.0
PAGE_WIDTH = 1600  # CSS pixels
MAX_PAGE_HEIGHT = 16_000  # of Chromium's largest picture, 16,384
_PROGRAM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_ARGUMENTS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-extensions",
    "--disable-gpu",
    "--hide-scrollbars",
)
# Chromium reads commands from descriptor 3, and writes answers to 4.
_LAUNCHER = """import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])"""
# The page sets it when all frames are loaded and have their height.
_WAIT_UNTIL_READY = """new Promise((resolve) => {
  const check = () => document.documentElement.dataset.ready
    ? resolve(document.documentElement.scrollHeight) : setTimeout(check, 50);
  check();
})"""


def find_chromium(environ: Mapping[str, str]) -> str | None:
    """Return the path of a Chromium on the PATH; the pipe to it needs POSIX."""
    if os.name != "posix":
        return None
    path = environ.get("PATH", "")
    return next(
        (found for name in _PROGRAM_NAMES if (found := shutil.which(name, path=path))), None
    )


def capture_page(program: str, url: str, environ: Mapping[str, str]) -> bytes:
    """Return a PNG of the whole page.

    Args:
        program: from ``find_chromium``.
        url: a page that sets ``data-ready`` on its root element.
        environ: the environment; the newsletter's secrets are withheld from Chromium.

    Raises:
        ProjectError: Chromium can't be started, ends, or takes too long.
    """
    with _start_chromium(program, environ) as pipe:
        target = pipe.call("Target.createTarget", url="about:blank")["targetId"]
        pipe.session = pipe.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        size = {"width": PAGE_WIDTH, "height": 1_000}
        pipe.call("Emulation.setDeviceMetricsOverride", **size, deviceScaleFactor=1, mobile=False)
        pipe.call("Page.enable")
        pipe.call("Page.navigate", url=url)
        pipe.wait_for_event("Page.loadEventFired")
        ready = pipe.call(
            "Runtime.evaluate", expression=_WAIT_UNTIL_READY, awaitPromise=True, returnByValue=True
        )
        height = min(int(ready["result"]["value"]), MAX_PAGE_HEIGHT)
        clip = {"x": 0, "y": 0, "width": PAGE_WIDTH, "height": height, "scale": 1}
        picture = pipe.call(
            "Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip
        )
        return base64.b64decode(picture["data"])


class _DevToolsPipe:
    """Chrome DevTools Protocol: JSON messages that end with NUL, until a deadline."""

    def __init__(self, command_fd: int, answer_fd: int) -> None:
        self._command_fd = command_fd
        self._answer_fd = answer_fd
        self._deadline = time.monotonic() + TIMEOUT_SECONDS
        self._received = b""
        self._events: list[str] = []
        self._last_id = 0
        self.session = ""

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method and return its result."""
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        try:
            os.write(self._command_fd, json.dumps(message).encode() + b"\0")
        except BrokenPipeError as error:
            raise _make_ended_error() from error
        while (answer := self._read()).get("id") != self._last_id:
            self._events.append(answer.get("method", ""))
        if "result" not in answer:
            raise ProjectError(f"Chromium can't take the picture: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def wait_for_event(self, name: str) -> None:
        """Wait until an event has been received."""
        while name not in self._events:
            self._events.append(self._read().get("method", ""))

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._received:
            left = self._deadline - time.monotonic()
            if left <= 0 or not select.select([self._answer_fd], [], [], left)[0]:
                raise ProjectError(
                    f"Chromium took longer than {TIMEOUT_SECONDS:.0f} seconds",
                    remedy="Print the proof sheet from your browser instead.",
                )
            chunk = os.read(self._answer_fd, 1 << 20)
            if not chunk:
                raise _make_ended_error()
            self._received += chunk
        message, _, self._received = self._received.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer


@contextmanager
def _start_chromium(program: str, environ: Mapping[str, str]) -> Iterator[_DevToolsPipe]:
    import fcntl

    command_in, command_out, answer_in, answer_out = fds = [*os.pipe(), *os.pipe()]
    try:
        inherited = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (command_in, answer_out)]
        fds += inherited
        with tempfile.TemporaryDirectory(prefix="newsletter-", ignore_cleanup_errors=True) as work:
            arguments = [*_ARGUMENTS, f"--user-data-dir={work}"]
            if os.geteuid() == 0:  # as root it doesn't start in its sandbox; emails run no scripts
                arguments.append("--no-sandbox")
            launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, *map(str, inherited)]
            process = subprocess.Popen(  # noqa: S603 - a program of the PATH, fixed arguments
                [*launcher, program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=withhold_secrets(environ),
                pass_fds=inherited,
                start_new_session=True,
            )
            for fd in (command_in, answer_out, *inherited):  # so that its end is noticed
                os.close(fd)
                fds.remove(fd)
            try:
                yield _DevToolsPipe(command_out, answer_in)
            finally:
                kill_group(process)
                process.wait()
    finally:
        for fd in fds:
            os.close(fd)


def _make_ended_error() -> ProjectError:
    return ProjectError(
        "Chromium could not be started, or has ended",
        remedy="Print the proof sheet from your browser instead.",
    )
