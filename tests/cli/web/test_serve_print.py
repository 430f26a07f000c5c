"""``newsletter serve --print``: files with what this folder and this machine have."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter import __version__
from newsletter.errors import UsageError
from newsletter.project import Project, open_project
from newsletter.web.deployment import describe_deployment

Cli = Callable[..., tuple[int, str, str]]
PUBLIC_URL = "public_url: https://letters.harbournotes.example\n"
KINDS = ("systemd", "caddy", "compose")
SECRETS = {
    "SENDGRID_API_KEY": f"SG.{'a' * 22}.{'b' * 43}",
    "NEWSLETTER_DATABASE": "postgresql://ada:hush-hush@db/notes",
    "PGPASSWORD": "hush-hush",
}


@pytest.fixture
def project(project_folder: Path) -> Project:
    with (project_folder / "newsletter.yml").open("a") as file:
        file.write(PUBLIC_URL)
    return open_project()


@pytest.mark.parametrize("kind", KINDS)
def test_printed_file_is_on_standard_output_alone(project: Project, cli: Cli, kind: str) -> None:
    code, out, err = cli("serve", "--print", kind, "--port", "8100")
    assert code == 0
    assert out.startswith("# ")
    assert f"Made by: newsletter serve --port 8100 --print {kind}\n" in out
    assert "8100" in out
    assert f"Next: newsletter serve --port 8100 --print {kind} " in err
    assert not (project.root / "newsletter.db").exists()


def test_unit_of_workers_has_the_options_that_were_given(project: Project, cli: Cli) -> None:
    for options, words, again in (
        ("--concurrency 16 --queues periodic,sends", "", ""),
        ("--concurrency 32", " --concurrency 32", "--concurrency 32 "),
        (
            "--queues sends --metrics-port 9101",
            " --queues sends --metrics-port 9100+%i",
            "--queues sends --metrics-port 9101 ",
        ),
    ):
        code, out, err = cli("worker", "--print", "systemd", *options.split())
        assert (code, f" worker{words}\n" in out) == (0, True), out
        assert "workers need PostgreSQL" in err
        assert f"Next: newsletter worker {again}--print systemd |" in err
    assert not (project.root / "newsletter.db").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_printed_file_has_no_secret(
    project: Project, cli: Cli, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    code, out, err = cli("serve", "--print", kind)
    assert code == 0
    assert "hush" not in out + err
    assert SECRETS["SENDGRID_API_KEY"] not in out + err
    assert project.config.name in out


def test_caddyfile_without_a_public_url_is_refused(project_folder: Path, cli: Cli) -> None:
    code, out, err = cli("serve", "--print", "caddy")
    assert (code, out) == (1, "")
    assert "there is no https address for Caddy to serve" in err
    assert project_folder.name not in out


def test_deployment_is_that_of_the_folder(project: Project) -> None:
    deployment = describe_deployment(project, "127.0.0.1", 8000, 9100)
    assert deployment.folder == project.root.resolve()
    assert deployment.owner == (os.getuid(), os.getgid())
    assert deployment.version == __version__
    assert deployment.public_url == "https://letters.harbournotes.example"
    assert Path(deployment.program[0]).is_file()
    assert Path(sys.executable).resolve().parent in deployment.program_folders
    assert deployment.database_folder == deployment.folder
    assert not deployment.has_list
    (project.root / "newsletter.db").touch()
    assert describe_deployment(project, "127.0.0.1", 8000, None).has_list


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("postgresql://ada@db.example/notes", "db.example"),
        ("postgresql://ada@/notes?host=/run/postgresql", "/run/postgresql"),
        ("postgresql:///notes", ""),
        ("sqlite:///newsletter.db", None),
    ],
)
@pytest.mark.usefixtures("project")
def test_database_server_is_that_of_the_url(
    monkeypatch: pytest.MonkeyPatch, url: str, host: str | None
) -> None:
    monkeypatch.setenv("NEWSLETTER_DATABASE", url)
    deployment = describe_deployment(open_project(), "127.0.0.1", 8000, None)
    assert deployment.database_host == host
    assert (deployment.database_folder is None) == (host is not None)


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("harbour-notes", "newsletter-harbour-notes"),
        ("Ærlig talt!", "newsletter-aerlig-talt"),
        ("newsletter", "newsletter"),
        ("newsletter-notes", "newsletter-notes"),
        ("…", "newsletter"),
    ],
)
def test_service_is_named_after_the_folder(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: str, service: str
) -> None:
    folder = project.root.rename(project.root.with_name(name))
    monkeypatch.chdir(folder)
    deployment = describe_deployment(open_project(), "127.0.0.1", 8000, None)
    assert deployment.service == service


@pytest.mark.parametrize(("uid", "user"), [(0, "newsletter"), (4_000_000, "4000000")])
def test_root_runs_no_server_and_an_unknown_user_is_a_number(
    project: Project, uid: int, user: str
) -> None:
    if os.getuid():
        pytest.skip("only root can give the folder to another user: ownership was not checked")
    os.chown(project.root, uid, 0)
    assert describe_deployment(project, "127.0.0.1", 8000, None).user == user


@pytest.mark.parametrize("name", ["a\nb", "a\\b", "a\x07b", "a "])
def test_folder_that_no_unit_can_name_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(project.root.rename(project.root.with_name(name)))
    with pytest.raises(UsageError, match="a character that a unit file can't contain"):
        describe_deployment(open_project(), "127.0.0.1", 8000, None)


@pytest.mark.parametrize("name", [r"a\nExecStartPre=b", r"a\\b", r"a\tb"])
def test_database_folder_that_no_unit_can_name_is_refused(project: Project, name: str) -> None:
    with (project.root / "newsletter.yml").open("a") as file:
        file.write(f'database: "sqlite:////srv/{name}/newsletter.db"\n')
    with pytest.raises(UsageError, match="a character that a unit file can't contain"):
        describe_deployment(open_project(), "127.0.0.1", 8000, None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("host", ["a\nExecStartPre=b", 'a"b', "a b", "a{", "$HOST", "-a"])
def test_host_that_is_no_address_is_refused(
    project: Project, cli: Cli, host: str, kind: str
) -> None:
    code, out, err = cli("serve", "--print", kind, f"--host={host}")
    assert (code, out) == (2, "")
    assert "is not the name or address of a host" in err
    assert project.root.is_dir()


@pytest.mark.parametrize("host", ["", "::", "fe80::1%eth0", "localhost", "my_host.example.", "::1"])
def test_host_is_a_name_or_an_address(project: Project, host: str) -> None:
    assert describe_deployment(project, host, 8000, None).host == host


def test_port_that_is_chosen_anew_is_refused(project: Project, cli: Cli) -> None:
    code, out, err = cli("serve", "--print", "systemd", "--port", "0")
    assert (code, out) == (2, "")
    assert "--print needs a port" in err
    assert project.root.is_dir()
