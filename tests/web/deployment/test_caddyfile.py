"""The Caddyfile: its address and routes, and what Caddy says of it if it is installed."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.errors import ConfigError
from newsletter.web.deployment import Deployment, make_caddyfile

ANY_HOST = "0.0.0.0"  # noqa: S104 - nothing listens

MakeDeployment = Callable[..., Deployment]


def read_directives(deployment: Deployment) -> list[str]:
    text = make_caddyfile(deployment).text
    return [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]


@pytest.mark.parametrize(
    ("url", "host", "port", "directives"),
    [
        ("https://letters.harbournotes.example", "127.0.0.1", 8000,
         ["letters.harbournotes.example {", "reverse_proxy 127.0.0.1:8000", "}"]),
        ("https://harbournotes.example:8443", ANY_HOST, 8100,
         ["harbournotes.example:8443 {", "reverse_proxy 127.0.0.1:8100", "}"]),
        ("https://harbournotes.example/letters", "::", 8000,
         ["harbournotes.example {", "redir /letters /letters/", "handle_path /letters/* {",
          "reverse_proxy [::1]:8000", "}", "}"]),
        ("https://harbournotes.example", "192.0.2.7", 80,
         ["harbournotes.example {", "reverse_proxy 192.0.2.7:80", "}"]),
    ],
)  # fmt: skip
def test_site_leads_to_the_server(
    make_deployment: MakeDeployment, url: str, host: str, port: int, directives: list[str]
) -> None:
    assert read_directives(make_deployment(public_url=url, host=host, port=port)) == directives


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:8000"])
def test_without_an_https_address_there_is_nothing_to_serve(
    make_deployment: MakeDeployment, url: str | None
) -> None:
    with pytest.raises(ConfigError, match=r"^newsletter\.yml: there is no https address") as caught:
        make_caddyfile(make_deployment(public_url=url))
    assert "public_url" in caught.value.problems[0].remedy


@pytest.mark.parametrize(
    "url", ["https://letters.harbournotes.example", "https://harbournotes.example/letters"]
)
def test_caddy_accepts_the_file(make_deployment: MakeDeployment, tmp_path: Path, url: str) -> None:
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("Caddy is not installed: only the form of the file was checked")
    file = tmp_path / "Caddyfile"
    file.write_text(make_caddyfile(make_deployment(public_url=url)).text)
    for command in ("validate --adapter caddyfile --config", "fmt"):
        completed = subprocess.run(
            [caddy, *command.split(), file], capture_output=True, text=True, check=False
        )
        assert completed.returncode == 0, completed.stderr
    assert completed.stdout == file.read_text()
