"""Access control: loopback only, secret URL, host and origin checks, headers."""

import socket

import pytest
from preview_server import PreviewClient

from newsletter.errors import UsageError
from newsletter.preview.server import DEFAULT_PORT, open_preview_socket


def test_requests_without_the_token_get_404(served: PreviewClient) -> None:
    assert served.get().status == 200
    token = served.url.rstrip("/").rpartition("/")[2]
    assert len(token) >= 22
    for path in ("", "mail", f"{token[:-1]}/", f"{token}x/", token):
        response = served.pool.request("GET", f"{served.origin}/{path}", redirect=False)
        assert response.status == 404, path
        assert b"harbour" not in response.data.lower()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", ""])
def test_foreign_host_name_is_refused(served: PreviewClient, host: str) -> None:
    response = served.get(host=host.format(port=served.port))
    assert response.status in {400, 421}
    assert b"<html" not in response.data


def test_localhost_is_accepted(served: PreviewClient) -> None:
    assert served.get(host=f"localhost:{served.port}").status == 200


@pytest.mark.parametrize(
    "origin", ["", "null", "http://evil.example", "http://127.0.0.1:1", "https://127.0.0.1:{port}"]
)
def test_post_from_another_origin_is_refused(served: PreviewClient, origin: str) -> None:
    headers = {"origin": origin.format(port=served.port)} if origin else {}
    response = served.post("test", {"issue": "x", "to": "me@example.com"}, **headers)
    assert response.status == 403


def test_listens_on_loopback_only() -> None:
    with open_preview_socket(0) as sock:
        assert sock.getsockname()[0] == "127.0.0.1"


def test_default_port_in_use_falls_back_to_a_free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setattr("newsletter.preview.server.DEFAULT_PORT", port)
        with open_preview_socket(None) as sock:
            assert sock.getsockname()[1] not in {0, port}
        with pytest.raises(UsageError, match=str(port)):
            open_preview_socket(port)
    assert DEFAULT_PORT == 4321


def test_page_and_email_have_their_security_headers(served: PreviewClient) -> None:
    page = served.get().headers
    assert "script-src 'self'" in page["content-security-policy"]
    assert "unsafe-inline" not in page["content-security-policy"]
    assert page["referrer-policy"] == "no-referrer"
    assert page["x-content-type-options"] == "nosniff"
    email_policy = served.get("mail").headers["content-security-policy"]
    assert "default-src 'none'" in email_policy
    assert "script-src" not in email_policy
    assert "sandbox allow-same-origin" in email_policy
    assert "allow-scripts" not in email_policy
