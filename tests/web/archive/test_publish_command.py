"""``newsletter archive --publish`` runs the editor's command, and nothing else does."""

import json
import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.errors import PublishError
from newsletter.web.archive.publish_command import MAX_LINE_LENGTH, run_publish_command

Cli = Callable[..., tuple[int, str, str]]
Run = Callable[..., list[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run Python code as the command; return the lines of its output."""

    def run_python(code: str, *arguments: str, timeout: float = 60.0) -> list[str]:
        lines: list[str] = []
        command = (sys.executable, "-c", code, *arguments)
        run_publish_command(command, tmp_path / "out dir", tmp_path, timeout, lines.append)
        return lines

    return run_python


def test_folder_is_one_argument_and_nothing_is_expanded(run: Run, tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd()); print('\\n'.join(sys.argv[1:]))"
    assert run(code, "{folder}/", "$HOME;`id`", "*") == [
        str(tmp_path),
        f"{tmp_path}/out dir/",
        "$HOME;`id`",
        "*",
    ]


def test_environment_has_secrets_of_the_host_but_not_ours(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("HOST_PASSWORD", "SENDGRID_API_KEY", "NEWSLETTER_DATABASE", "PGPASSWORD")
    for name in names:
        monkeypatch.setenv(name, name.lower())
    code = "import os, sys; print([name for name in sys.argv if name in os.environ])"
    assert run(code, *names) == ["['HOST_PASSWORD']"]


def test_input_is_empty(run: Run) -> None:
    assert run("import sys; print(repr(sys.stdin.read()))") == ["''"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys; print('denied', file=sys.stderr); sys.exit(3)", "failed with exit code 3"),
        ("raise SystemExit(3)", "failed with exit code 3 and printed nothing"),
        ("import os; os.kill(os.getpid(), 9)", "was ended by signal 9"),
    ],
)
def test_failure_is_reported_with_the_last_lines(run: Run, code: str, message: str) -> None:
    with pytest.raises(PublishError) as caught:
        run(code)
    assert message in str(caught.value)
    assert ("denied" in str(caught.value)) is ("denied" in code)


def test_only_the_last_lines_are_shown(run: Run) -> None:
    with pytest.raises(PublishError) as caught:
        run("for n in range(100): print('line', n)\nraise SystemExit(1)")
    assert str(caught.value).count("line ") == 10
    assert str(caught.value).endswith("line 99")


def test_command_that_hangs_is_killed_with_its_children(run: Run) -> None:
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input_ = 1\\n"
    code = f"{child}import signal; signal.pause()'])"
    with pytest.raises(PublishError, match="did not end within"):
        run(code, timeout=1.0)


def test_command_that_closes_its_output_and_hangs_is_killed(run: Run) -> None:
    with pytest.raises(PublishError, match="did not end within 1 s and printed nothing"):
        run("import os, signal; os.close(1); os.close(2); signal.pause()", timeout=1.0)


def test_program_in_the_background_may_keep_the_output_open(run: Run, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    child = f"open({str(gate)!r}).read()"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}])"
    assert run(f"{code}; print('copied')", timeout=20.0) == ["copied"]
    gate.open("w").close()  # lets the child end


def test_long_line_is_not_kept_in_memory(run: Run) -> None:
    tracemalloc.start()
    try:
        code = "for _ in range(1_000): print('x' * 65_536, end='')\nprint(); print('end')"
        assert run(code) == ["x" * MAX_LINE_LENGTH, "end"]
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_missing_program_is_reported(tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="can't be started: no-such-program"):
        run_publish_command(["no-such-program"], tmp_path, tmp_path, 5.0, lambda _: None)


@pytest.fixture
def marked(newsletter: Cli, project_folder: Path) -> Cli:
    """A project whose publish command leaves a mark and fails."""
    script = project_folder / "publish.py"
    script.write_text("import pathlib\npathlib.Path('mark').touch()\nprint('no space')\nexit(1)\n")
    with (project_folder / "newsletter.yml").open("a") as settings:
        settings.write(f'publish:\n  command: [{sys.executable}, publish.py, "{{folder}}"]\n')
    return newsletter


@pytest.mark.parametrize(
    "command",
    [
        ("archive",),
        ("archive", "--issue", "the-ice"),
        ("build",),
        ("check",),
        ("test", "--to", "me@example.com"),
        ("send", "--yes"),
    ],
)
def test_command_is_never_run_without_the_option(
    marked: Cli, project_folder: Path, command: tuple[str, ...]
) -> None:
    assert marked(*command)[0] == 0
    assert not (project_folder / "mark").exists()


@pytest.mark.parametrize("options", [(), ("--issue", "the-ice")])
def test_failing_command_exits_with_1_and_its_output(
    marked: Cli, project_folder: Path, options: tuple[str, ...]
) -> None:
    code, out, err = marked("archive", *options, "--publish")
    assert code == 1
    assert "build/archive: " in out
    assert "Published" not in out
    assert err.count("no space") == 2  # as it is printed, and in the error
    assert (project_folder / "mark").exists()


@pytest.mark.usefixtures("newsletter")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_that_stops_the_export_stops_the_command(number: int, project_folder: Path) -> None:
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    (project_folder / "publish.py").write_text(code)
    with (project_folder / "newsletter.yml").open("a") as settings:
        settings.write(f"publish:\n  command: [{sys.executable}, publish.py]\n")
    arguments = [sys.executable, "-m", "newsletter", "archive", "--publish"]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        command = next(int(line) for line in process.stderr or () if line.strip().isdecimal())
        process.send_signal(number)
        process.communicate(timeout=60)
    with pytest.raises(ProcessLookupError):
        os.kill(command, 0)
    assert process.returncode == 1


def test_published_is_reported(newsletter: Cli, project_folder: Path, tmp_path: Path) -> None:
    with (project_folder / "newsletter.yml").open("a") as settings:
        settings.write(f"publish:\n  command: cp -R {{folder}} '{tmp_path}/host'\n")
    data = json.loads(newsletter("archive", "--issue", "the-ice", "--publish", "--json")[1])
    assert data["published"] is True
    assert (tmp_path / "host" / "issues" / "the-ice" / "index.html").is_file()


def test_missing_command_is_reported_before_anything_is_written(
    newsletter: Cli, project_folder: Path
) -> None:
    code, out, err = newsletter("archive", "--publish")
    assert (code, out) == (1, "")
    assert "publish.command is not set" in err
    assert not (project_folder / "build").exists()
