"""Only this machine's own browser speaks to the preview, and only by the secret address."""

import socket

import pytest
from preview_server import Served

from newsletter.errors import UsageError
from newsletter.preview.server import DEFAULT_PORT, open_preview_socket


def test_the_address_is_secret(served: Served) -> None:
    assert served.get().status == 200
    token = served.url.rstrip("/").rpartition("/")[2]
    assert len(token) >= 22
    for path in ("", "mail", f"{token[:-1]}/", f"{token}x/", token):
        answer = served.pool.request("GET", f"{served.origin}/{path}", redirect=False)
        assert answer.status == 404, path
        assert b"harbour" not in answer.data.lower()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", ""])
def test_a_foreign_name_for_this_machine_is_refused(served: Served, host: str) -> None:
    answer = served.get(host=host.format(port=served.port))
    assert answer.status in {400, 421}
    assert b"<html" not in answer.data


def test_localhost_is_this_machine(served: Served) -> None:
    assert served.get(host=f"localhost:{served.port}").status == 200


@pytest.mark.parametrize(
    "origin", ["", "null", "http://evil.example", "http://127.0.0.1:1", "https://127.0.0.1:{port}"]
)
def test_another_page_cannot_post(served: Served, origin: str) -> None:
    headers = {"origin": origin.format(port=served.port)} if origin else {}
    answer = served.post("test", {"issue": "x", "to": "me@example.com"}, **headers)
    assert answer.status == 403


def test_it_listens_on_loopback_alone() -> None:
    with open_preview_socket(0) as taken:
        assert taken.getsockname()[0] == "127.0.0.1"


def test_a_taken_default_port_makes_it_take_another(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
        monkeypatch.setattr("newsletter.preview.server.DEFAULT_PORT", number)
        with open_preview_socket(None) as taken:
            assert taken.getsockname()[1] not in {0, number}
        with pytest.raises(UsageError, match=str(number)):
            open_preview_socket(number)
    assert DEFAULT_PORT == 4321


def test_every_answer_has_its_policy(served: Served) -> None:
    page = served.get().headers
    assert "script-src 'self'" in page["content-security-policy"]
    assert "unsafe-inline" not in page["content-security-policy"]
    assert page["referrer-policy"] == "no-referrer"
    assert page["x-content-type-options"] == "nosniff"
    mail = served.get("mail").headers["content-security-policy"]
    assert "default-src 'none'" in mail
    assert "script-src" not in mail
    assert "sandbox allow-same-origin" in mail
    assert "allow-scripts" not in mail
