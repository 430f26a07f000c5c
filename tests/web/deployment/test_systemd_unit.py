"""The systemd unit: its values, and what systemd-analyze says of it."""

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from newsletter.web.deployment import Deployment, make_systemd_unit, make_worker_unit

MakeDeployment = Callable[..., Deployment]


def parse_unit(text: str) -> dict[str, dict[str, list[str]]]:
    """Parse a unit as systemd.syntax(7) defines it: sections, and settings that may be repeated."""
    sections: dict[str, dict[str, list[str]]] = {}
    settings: dict[str, list[str]] = {}
    for line in text.splitlines():
        if not line or line.startswith(("#", ";")):
            continue
        if match := re.fullmatch(r"\[(\w+)\]", line):
            settings = sections.setdefault(match[1], defaultdict(list))
        else:
            name, separator, value = line.partition("=")
            assert separator, line
            settings[name].append(value)
    return sections


def read_service(deployment: Deployment) -> dict[str, list[str]]:
    return parse_unit(make_systemd_unit(deployment).text)["Service"]


def test_unit_has_the_folder_user_and_port_of_the_newsletter(
    make_deployment: MakeDeployment,
) -> None:
    deployment = make_deployment(port=8100, metrics_port=9100)
    file = make_systemd_unit(deployment)
    sections = parse_unit(file.text)
    assert sections.keys() == {"Unit", "Service", "Install"}
    service = sections["Service"]
    assert service["ExecStart"] == [
        "/opt/newsletter/bin/newsletter serve --host 127.0.0.1 --port 8100 --metrics-port 9100"
    ]
    assert service["User"] == ["notes"]
    assert service["WorkingDirectory"] == service["ReadWritePaths"] == ["/srv/harbour-notes"]
    assert service["EnvironmentFile"] == ["/etc/newsletter-harbour-notes.env"]
    assert service["ProtectHome"] == ["yes"]
    assert service["KillMode"] == ["process"]
    assert "useradd" not in file.text
    assert file.warnings == ()
    assert file.next_step.endswith("sudo tee /etc/systemd/system/newsletter-harbour-notes.service")


def test_each_instance_of_the_template_is_a_worker(make_deployment: MakeDeployment) -> None:
    deployment = make_deployment(metrics_port=9101, request_seconds=130.5, database_folder=None)
    file = make_worker_unit(deployment, ["--concurrency", "32"])
    sections, server = parse_unit(file.text), parse_unit(make_systemd_unit(deployment).text)
    service = sections["Service"]
    assert service.pop("ExecStart") == [
        "/opt/newsletter/bin/newsletter worker --concurrency 32 --metrics-port 9100+%i"
    ]
    assert service.pop("KillMode") == ["mixed"]
    assert service.pop("TimeoutStopSec") == ["161"]
    # As long as it takes to install a version: until then it refuses the database and fails.
    assert service.pop("RestartSec") == ["30"]
    assert service["Restart"] == ["on-failure"]
    for setting in ("ExecStart", "KillMode", "TimeoutStopSec", "RestartSec"):
        del server["Service"][setting]
    assert service == server["Service"]
    assert sections["Unit"]["After"] == ["network-online.target postgresql.service"]
    name = "newsletter-harbour-notes-worker@"
    assert f"#   sudo systemctl enable --now {name}1\n" in file.text
    assert f"{name}2" in file.text
    assert "of @1 at port 9101, of @2 at 9102" in file.text
    assert file.warnings == ()
    unit, options = f"/etc/systemd/system/{name}.service", " --concurrency 32 --metrics-port 9101"
    assert file.text.startswith(f"# {unit}\n")
    assert file.next_step == f"newsletter worker{options} --print systemd | sudo tee {unit}"
    [warning] = make_worker_unit(make_deployment(), []).warnings
    assert "workers need PostgreSQL" in warning


@pytest.mark.parametrize(
    ("changes", "setting", "value"),
    [
        ({"database_folder": Path("/var/lib/notes")}, "ReadWritePaths",
         "/srv/harbour-notes /var/lib/notes"),
        ({"database_folder": None}, "ReadWritePaths", "/srv/harbour-notes"),
        ({"folder": Path("/srv/a b%c")}, "WorkingDirectory", "/srv/a b%%c"),
        ({"folder": Path("/home/ada/notes")}, "ProtectHome", "read-only"),
        ({"program_folders": (Path("/home/ada/.local/bin"),)}, "ProtectHome", "read-only"),
        ({"folder": Path("/homes/notes")}, "ProtectHome", "yes"),
        ({"program": ("/opt/a b/python", "-m", "newsletter")}, "ExecStart",
         '"/opt/a b/python" -m newsletter serve --host 127.0.0.1 --port 8000'),
        ({"program": ("/opt/$x/%y/newsletter",), "host": "::1"}, "ExecStart",
         "/opt/$$x/%%y/newsletter serve --host ::1 --port 8000"),
    ],
)  # fmt: skip
def test_value_follows_the_deployment_and_is_quoted(
    make_deployment: MakeDeployment, changes: dict[str, Any], setting: str, value: str
) -> None:
    if "folder" in changes:
        changes["database_folder"] = changes["folder"]
    assert read_service(make_deployment(**changes))[setting] == [value]


def test_server_on_postgresql_starts_after_it(make_deployment: MakeDeployment) -> None:
    for folder, after in (
        (None, "network-online.target postgresql.service"),
        (Path("/srv/harbour-notes"), "network-online.target"),
    ):
        unit = make_systemd_unit(make_deployment(database_folder=folder))
        assert parse_unit(unit.text)["Unit"]["After"] == [after]


def test_folder_of_root_gets_a_user_of_its_own(make_deployment: MakeDeployment) -> None:
    text = make_systemd_unit(make_deployment(owner=(0, 0), user="newsletter")).text
    assert "useradd --system" in text
    assert "#   sudo chown -R newsletter: /srv/harbour-notes\n" in text


@pytest.mark.parametrize(
    ("changes", "warnings"),
    [
        ({"folder": Path("/root/notes")}, 1),
        ({"program_folders": (Path("/root/.local/bin"), Path("/usr/bin"))}, 1),
        ({"program_folders": (Path("/root/.local/bin"),), "user": "root"}, 0),
    ],
)
def test_what_the_user_can_not_enter_is_pointed_out(
    make_deployment: MakeDeployment, changes: dict[str, Any], warnings: int
) -> None:
    file = make_systemd_unit(make_deployment(**changes))
    assert len(file.warnings) == warnings


@pytest.fixture
def systemd_analyze() -> str:
    """The program that checks units; where there is no systemd, the test says so."""
    program = shutil.which("systemd-analyze")
    if program is None and sys.platform.startswith("linux"):
        pytest.fail("this test needs systemd-analyze: apt-get install systemd")
    if program is None:
        pytest.skip("there is no systemd-analyze on this system: the unit was not verified by it")
    return program


@pytest.mark.parametrize(
    ("changes", "suffix"),
    [
        ({}, ""),
        ({"folder": Path("/srv/a b%c"), "title": 'Ærlig talt 100% "notes"', "host": "::"}, ""),
        ({"folder": Path("/home/ada/notes"), "database_folder": None, "metrics_port": 9100}, ""),
        ({"database_folder": None, "metrics_port": 9101}, "-worker@"),
    ],
)
def test_systemd_verifies_the_unit_and_calls_its_exposure_ok(
    make_deployment: MakeDeployment,
    systemd_analyze: str,
    tmp_path: Path,
    changes: dict[str, Any],
    suffix: str,
) -> None:
    # verify also looks whether the program exists and the user is known.
    deployment = make_deployment(program=(sys.executable, "-m", "newsletter"), **changes)
    unit = tmp_path / f"{deployment.service}{suffix}.service"
    file = make_worker_unit(deployment, []) if suffix else make_systemd_unit(deployment)
    unit.write_text(file.text)
    verified = subprocess.run(
        [systemd_analyze, "verify", unit], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    completed = subprocess.run(
        [systemd_analyze, "security", "--offline=yes", "--no-pager", unit],
        capture_output=True,
        text=True,
        check=True,
    )
    level = re.search(r"Overall exposure level for \S+: ([\d.]+) (\w+)", completed.stdout)
    assert level
    assert level[2] == "OK"
    assert float(level[1]) < 2
