"""The Compose file: valid by the rules of the Compose specification that it relies on."""

import re
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from newsletter.web.deployment import Deployment, make_compose_file

ANY_HOST = "0.0.0.0"  # noqa: S104 - nothing listens

MakeDeployment = Callable[..., Deployment]

# The keys of the Compose specification that are used (compose-spec.io, "Compose file reference").
TOP_LEVEL = {"name", "services", "networks", "volumes"}
SERVICE = {
    "image", "command", "user", "env_file", "environment", "depends_on", "volumes", "ports",
    "healthcheck", "restart", "stop_grace_period", "init", "read_only", "tmpfs", "cap_drop",
    "security_opt", "deploy",
}  # fmt: skip
HEALTHCHECK = {"test", "interval", "timeout", "start_period"}
DURATION = re.compile(r"\d+[smh]")
PORT = re.compile(r"(\[::1\]|127\.0\.0\.1):(\d+):(\d+)")


def read_compose(deployment: Deployment) -> dict[str, Any]:
    data = yaml.safe_load(make_compose_file(deployment).text)
    assert isinstance(data, dict)
    return data


@pytest.fixture
def compose(make_deployment: MakeDeployment) -> dict[str, Any]:
    return read_compose(make_deployment())


@pytest.mark.parametrize("has_list", [False, True])
def test_file_is_valid(make_deployment: MakeDeployment, *, has_list: bool) -> None:
    data = read_compose(make_deployment(has_list=has_list))
    assert data.keys() <= TOP_LEVEL
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", data["name"])
    volumes = data.get("volumes", {})
    for name, service in data["services"].items():
        assert service.keys() <= SERVICE, name
        check = service["healthcheck"]
        words = list(service.get("command", ()))
        times = [service["stop_grace_period"]]
        if check != {"disable": True}:
            assert check.keys() == HEALTHCHECK
            assert check["test"][0] == "CMD"
            words += check["test"]
            times += [value for key, value in check.items() if key != "test"]
        assert all(DURATION.fullmatch(time) for time in times)
        assert all(isinstance(word, str) for word in words)
        assert re.fullmatch(r"[a-z]+:[\w.]+", service["image"])
        assert not service["image"].endswith(":latest")
        for volume in service["volumes"]:
            source, target = volume.split(":")
            assert source == "." or source in volumes
            assert target.startswith("/")
        for dependency, condition in service.get("depends_on", {}).items():
            assert dependency in data["services"]
            assert condition == {"condition": "service_healthy"}
    [network] = data["networks"]["default"]["ipam"]["config"]
    assert ip_network(network["subnet"]).is_private


def test_server_has_the_port_and_the_owner_of_the_folder(make_deployment: MakeDeployment) -> None:
    for host, port, published in (
        ("127.0.0.1", 8000, "127.0.0.1:8000:8000"),
        (ANY_HOST, 8100, "127.0.0.1:8100:8000"),
        ("::1", 8100, "[::1]:8100:8000"),
    ):
        web = read_compose(make_deployment(host=host, port=port))["services"]["web"]
        assert web["ports"] == [published]
        assert PORT.fullmatch(published)
        assert web["command"] == ["serve", "--host", ANY_HOST, "--port", "8000"]
        assert web["user"] == "1001:1002"
        assert web["image"] == "newsletter:1.2.3"


def test_server_is_confined(compose: dict[str, Any]) -> None:
    web = compose["services"]["web"]
    assert web["read_only"] is True
    assert web["cap_drop"] == ["ALL"]
    assert web["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in web


def test_secrets_come_from_the_environment_file_only(make_deployment: MakeDeployment) -> None:
    file = make_compose_file(make_deployment())
    services = yaml.safe_load(file.text)["services"]
    web, database = services["web"], services["database"]
    assert web["env_file"] == ".env"
    assert web["environment"] == {
        "NEWSLETTER_DATABASE": "postgresql://newsletter@database/newsletter"
    }
    assert database["environment"]["POSTGRES_PASSWORD"].startswith("${PGPASSWORD:?")
    assert "SENDGRID_API_KEY" not in repr([web, database])
    assert "env_file" not in database  # it does not need the API key


def test_workers_are_confined_and_reached_by_nobody(make_deployment: MakeDeployment) -> None:
    services = read_compose(make_deployment(request_seconds=130.5))["services"]
    web, worker = services["web"], services["worker"]
    assert worker["command"] == ["worker"]
    assert worker["deploy"] == {"replicas": 1}
    assert worker["healthcheck"] == {"disable": True}
    assert worker["stop_grace_period"] == "161s"
    assert "ports" not in worker
    own = {"command", "deploy", "healthcheck", "stop_grace_period", "ports"}
    for key in (web.keys() | worker.keys()) - own:
        assert worker[key] == web[key], key


def test_list_that_is_in_sqlite_stays_there(make_deployment: MakeDeployment) -> None:
    file = make_compose_file(make_deployment(has_list=True))
    data = yaml.safe_load(file.text)
    assert data["services"].keys() == {"web"}
    assert "volumes" not in data
    assert "depends_on" not in data["services"]["web"]
    assert "PGPASSWORD" not in file.text
    elsewhere = make_deployment(has_list=True, database_folder=Path("/var/lib/notes"))
    assert any("can't see it" in text for text in make_compose_file(elsewhere).warnings)


def test_database_elsewhere_is_used_and_no_new_one_is_made(
    make_deployment: MakeDeployment,
) -> None:
    file = make_compose_file(make_deployment(database_folder=None, database_host="db.example"))
    data = yaml.safe_load(file.text)
    assert data["services"].keys() == {"web", "worker"}
    assert "volumes" not in data
    for service in data["services"].values():
        assert "environment" not in service  # it would hide what newsletter.yml names
        assert "depends_on" not in service
    assert "#   PGPASSWORD=…" in file.text
    own = make_compose_file(make_deployment(database_folder=None, database_host="database"))
    assert own.text == make_compose_file(make_deployment()).text


@pytest.mark.parametrize("host", ["", "localhost", "127.0.0.1", "::1", "/var/run/postgresql"])
def test_database_that_containers_cannot_reach_is_pointed_out(
    make_deployment: MakeDeployment, host: str
) -> None:
    file = make_compose_file(make_deployment(database_folder=None, database_host=host))
    assert any("means the container itself" in text for text in file.warnings)


@pytest.mark.parametrize(
    ("trusted", "warnings"),
    [
        (("127.0.0.1", "::1"), 1),
        (("172.30.57.1",), 1),
        (("172.30.57.0/24", "::1"), 0),
        (("fd00::/8", "172.16.0.0/12"), 0),
    ],
)
def test_network_that_is_not_trusted_is_pointed_out(
    make_deployment: MakeDeployment, trusted: tuple[str, ...], warnings: int
) -> None:
    file = make_compose_file(make_deployment(trusted_proxies=trusted))
    assert len(file.warnings) == warnings
    assert all("public.trusted_proxies" in text for text in file.warnings)


def test_folder_of_root_is_given_to_the_images_user(make_deployment: MakeDeployment) -> None:
    file = make_compose_file(make_deployment(owner=(0, 0)))
    assert "user" not in yaml.safe_load(file.text)["services"]["web"]
    assert "chown -R 10001:10001 ." in file.text
