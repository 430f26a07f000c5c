"""Malicious paths, methods, Host headers and forwarded addresses."""

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from newsletter.web.http.request_data import get_client_ip
from newsletter.web.site_context import Site

SECRETS = (b"root:", b"SENDGRID", b"Traceback", b"sqlite")


def send_raw(url: str, line: str, *headers: str) -> bytes:
    """Send one request as it is written, without normalization; return the whole response."""
    parts = urlsplit(url)
    sent = "\r\n".join((line, *headers, "Connection: close", "", "")).encode("latin-1")
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as sock:
        sock.sendall(sent)
        return b"".join(iter(lambda: sock.recv(65_536), b""))


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/assets/../../newsletter.yml",
        "/assets/..%2f..%2fnewsletter.yml",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/assets/style.css/../../newsletter.db",
        "//etc/passwd",
        "//evil.example/subscribe",
        "/\\evil.example",
        "/subscribe%00.css",
        "/%00",
        "/u/%00",
        "/u/%ff%fe",
        "/u/a%0d%0aSet-Cookie:%20x=1",
        "/newsletter.db",
        "/.env",
        "/u/" + "a" * 5_000,
        "/" + "a/" * 2_000,
        "/page/" + "9" * 5_000,
        "/page/0",
        "/page/-2",
        "/page/%C2%B2",
        "*",
        "http://evil.example/newsletter.db",
    ],
)
def test_path_traversal_is_refused(server: Any, path: str) -> None:
    response = send_raw(server.url, f"GET {path} HTTP/1.1", "Host: letters.example")
    status = int(response.split(b" ", 2)[1])
    assert status in {400, 404}
    assert not any(word in response for word in SECRETS)
    assert b"set-cookie" not in response.partition(b"\r\n\r\n")[0].lower()


def test_host_header_is_never_reflected(server: Any) -> None:
    for path in ("/subscribe", "/subscribe/", "/healthz/", "/u/x", "/nowhere"):
        response = send_raw(server.url, f"GET {path} HTTP/1.1", "Host: evil.example")
        assert b"evil.example" not in response
        assert b"\r\nlocation:" not in response.lower()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "BREW"])
def test_other_methods_are_refused(server: Any, method: str) -> None:
    response = send_raw(server.url, f"{method} /subscribe HTTP/1.1", "Host: letters.example")
    assert int(response.split(b" ", 2)[1]) in {400, 405}


def test_wrong_method_gets_an_allow_header(server: Any) -> None:
    response = server.request("POST", "/healthz", b"")
    assert response.status == 405
    assert "GET" in response.headers["Allow"]


@pytest.mark.parametrize("path", ["/subscribe", "/healthz", "/readyz", "/nowhere", "/u/x"])
def test_head_is_get_without_a_body(server: Any, path: str) -> None:
    head, get = server.request("HEAD", path), server.get(path)
    assert (head.status, head.data) == (get.status, b"")
    assert head.headers["Content-Type"] == get.headers["Content-Type"]


@pytest.mark.parametrize(
    "path", ["/subscribe", "/nowhere", "/u/x", "/healthz", "/assets/style.css"]
)
def test_every_response_has_security_headers(server: Any, path: str) -> None:
    headers = server.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Referrer-Policy" in headers
    assert "Server" not in headers
    assert "Strict-Transport-Security" not in headers


def test_forwarded_address_is_trusted_from_proxies_only(site: Site, serve: Any) -> None:
    def show_client(request: Request) -> Response:
        return PlainTextResponse(f"{get_client_ip(request)} {request.url.scheme}")

    app = Starlette(routes=[Route("/", show_client)])
    forged = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7", "X-Forwarded-Proto": "https"}
    through_proxy = serve(app, site.config).get("/", **forged).data
    # The last entry is the one that our own proxy added; any client can forge those before it.
    assert through_proxy == b"198.51.100.7 https"
    public = site.config.public.model_copy(update={"trusted_proxies": ()})
    without_proxy = site.config.model_copy(update={"public": public})
    assert serve(app, without_proxy).get("/", **forged).data == b"127.0.0.1 http"
