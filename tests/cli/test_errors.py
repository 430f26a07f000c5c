"""Message, output stream and exit code of every way in which a command can end."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from newsletter import __version__
from newsletter.cli.lazy_group import LazyGroup
from newsletter.errors import (
    ConfigError,
    Location,
    NewsletterError,
    Problem,
    UsageError,
)

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def failing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs a command which raises the given exception."""

    def run(error: BaseException, *options: str) -> tuple[int, str, str]:
        @click.command
        def fails() -> None:
            raise error

        monkeypatch.setattr(LazyGroup, "get_command", lambda *_: fails)
        return cli(*options, "build")

    return run


def test_version_is_printed(cli: Cli) -> None:
    assert cli("--version") == (0, f"newsletter {__version__}\n", "")


def test_no_command_prints_help(cli: Cli) -> None:
    code, out, err = cli()
    assert (code, out) == (2, "")
    assert "newsletter import POST" in err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("buill",), "no such command 'buill'. Did you mean 'build'? Help: newsletter -h"),
        (("xyzzy",), "no such command 'xyzzy'. Help: newsletter -h"),
        (("--verson",), "No such option '--verson'"),
        (("init", "--naem_", "x"), "Help: newsletter init -h"),
        (("init", "--name"), "Option '--name' requires an argument. Help: newsletter"),
    ],
)
def test_invalid_arguments_are_a_usage_error(cli: Cli, args: tuple[str, ...], message: str) -> None:
    code, out, err = cli(*args)
    assert (code, out) == (2, "")
    assert err.startswith("newsletter: ")
    assert message in err


def test_every_problem_of_an_error_is_printed(failing: Cli) -> None:
    error = ConfigError.from_problems(
        [Problem("one", Location("a.yml", 2)), Problem("two", None, "Fix it.")]
    )
    assert failing(error) == (
        1,
        "",
        "newsletter: a.yml:2: one\nnewsletter: two. Fix it.\n",
    )


def test_error_class_sets_the_exit_code(failing: Cli) -> None:
    assert failing(UsageError("no such day"))[0] == 2


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), click.Abort(), EOFError()])
def test_interruption_prints_stopped(failing: Cli, interruption: BaseException) -> None:
    code, out, err = failing(interruption)
    assert (code, out) == (1, "")
    assert err.split() == ["Stopped."]


def test_full_disk_is_reported_with_a_remedy(failing: Cli) -> None:
    error = OSError(errno.ENOSPC, "No space left on device", "build/email.html")
    code, out, err = failing(error)
    assert (code, out) == (1, "")
    assert err.startswith("newsletter: build/email.html: the disk is full; nothing was left half")
    assert err.endswith("Make room and run the same command again.\n")


def test_os_error_is_reported_with_the_file(failing: Cli) -> None:
    error = PermissionError(errno.EACCES, "Permission denied", b"a.md")
    assert failing(error) == (1, "", "newsletter: a.md: permission denied\n")
    assert failing(OSError("odd")) == (1, "", "newsletter: odd\n")


def test_unexpected_exception_is_reported_as_bug_without_traceback_or_key(
    failing: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.secret")
    code, out, err = failing(KeyError("SG.secret\n in a \x1b[31mdict"))
    assert (code, out) == (1, "")
    assert err.startswith("newsletter: this is a bug in newsletter, not a mistake of yours: KeyErr")
    assert "newsletter -vv COMMAND" in err
    assert "Traceback" not in err
    assert "secret" not in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("option", ["-v", "-vv"])
def test_only_vv_shows_the_traceback(option: str) -> None:
    code = "import newsletter.cli.main as m; m.COMMANDS['build'] = ('nowhere:x', ''); m.main()"
    run = subprocess.run(
        [sys.executable, "-c", code, option, "build"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert ("Traceback" in run.stderr) is (option == "-vv")
    assert "this is a bug in newsletter" in run.stderr


def newsletter(*args: str, stdout: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "newsletter", *args], stdout=stdout, stderr=subprocess.PIPE
    )


def test_closed_pipe_exits_quietly() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = newsletter("--help", stdout=write_end)
    os.close(write_end)
    _, err = process.communicate()
    assert (process.returncode, err) == (1, b"")


def test_unwritable_output_is_reported() -> None:
    with Path("/dev/full").open("wb") as full:
        process = newsletter("--help", stdout=full.fileno())
        _, err = process.communicate()
    assert process.returncode == 1
    assert err.startswith(b"newsletter: the disk is full")
    assert err.count(b"\n") == 1


def test_ctrl_c_prints_stopped_without_traceback() -> None:
    code = (
        "import click, time, newsletter.cli.main as m\n"
        "@click.command\n"
        "def wait():\n    click.echo('waiting'); time.sleep(60)\n"
        "m.LazyGroup.get_command = lambda *_: wait\n"
        "m.main(['build'])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.readline() == b"waiting\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert (process.returncode, err.split()) == (1, [b"Stopped."])


def test_unencodable_characters_are_escaped(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "newsletter", "init", str(tmp_path / "blåbær")],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert b"bl\\xe5b\\xe6r/ with newsletter.yml" in run.stdout


def test_problems_keep_their_order() -> None:
    error = NewsletterError("a", remedy="b", other_problems=(Problem("c"),))
    assert [str(problem) for problem in error.problems] == ["a. b", "c"]
    assert str(error) == "a. b"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_output_streams_are_ignored(closed: str) -> None:
    command = f"'{sys.executable}' -m newsletter --version {closed}"
    run = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
    assert run.returncode == 0
    assert run.stderr == b""
