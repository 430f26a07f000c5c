"""``newsletter preview`` as a process: serves until Ctrl-C, reports errors."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import urllib3

Cli = Callable[..., tuple[int, str, str]]


def test_serves_until_ctrl_c_even_with_an_open_event_stream(boat_issue: Path) -> None:
    command = [sys.executable, "-m", "newsletter", "preview", "first-boat", "--no-open"]
    with subprocess.Popen(
        command,
        cwd=boat_issue.parent.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        address, note = process.stdout.readline().split("   ")
        assert note.strip() == "(Ctrl-C to stop; reloads as you save)"
        with urllib3.PoolManager() as pool:
            stream = pool.request("GET", f"{address}events", preload_content=False)
            assert b"The first boat" in next(stream.stream())
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
            stream.close()
    assert err.strip() == "Stopped."
    assert process.returncode == 0


def test_folder_without_issues_is_served(project_folder: Path) -> None:
    command = [sys.executable, "-m", "newsletter", "preview", "--no-open"]
    with subprocess.Popen(
        command, cwd=project_folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        address, _, _ = process.stdout.readline().partition("   ")
        with urllib3.PoolManager() as pool:
            assert pool.request("GET", f"{address}issues").json()["issues"] == []
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_missing_issue_and_broken_settings_are_reported(cli: Cli, project_folder: Path) -> None:
    code, out, err = cli("preview", "first-boat", "--no-open")
    assert (code, out) == (1, "")
    assert "newsletter import POST" in err
    (project_folder / "newsletter.yml").write_text("name: [\n")
    code, _, err = cli("preview", "--no-open")
    assert code == 1
    assert "newsletter.yml:" in err
