"""Paths, methods, hosts and proxies that are not what they seem."""

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

HIDDEN = (b"root:", b"SENDGRID", b"Traceback", b"sqlite")


def raw(url: str, line: str, *headers: str) -> bytes:
    """One request as it is written, nothing tidied up; all that the server says."""
    parts = urlsplit(url)
    sent = "\r\n".join((line, *headers, "Connection: close", "", "")).encode("latin-1")
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as wire:
        wire.sendall(sent)
        return b"".join(iter(lambda: wire.recv(65_536), b""))


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
        "*",
        "http://evil.example/newsletter.db",
    ],
)
def test_no_path_leads_out_of_the_site(server: Any, path: str) -> None:
    heard = raw(server.url, f"GET {path} HTTP/1.1", "Host: letters.example")
    status = int(heard.split(b" ", 2)[1])
    assert status in {400, 404}
    assert not any(word in heard for word in HIDDEN)
    assert b"set-cookie" not in heard.partition(b"\r\n\r\n")[0].lower()


def test_the_host_that_a_client_names_is_in_no_answer(server: Any) -> None:
    for path in ("/subscribe", "/subscribe/", "/healthz/", "/u/x", "/nowhere"):
        heard = raw(server.url, f"GET {path} HTTP/1.1", "Host: evil.example")
        assert b"evil.example" not in heard
        assert b"\r\nlocation:" not in heard.lower()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "BREW"])
def test_other_methods_are_refused(server: Any, method: str) -> None:
    heard = raw(server.url, f"{method} /subscribe HTTP/1.1", "Host: letters.example")
    assert int(heard.split(b" ", 2)[1]) in {400, 405}


def test_a_wrong_method_says_which_would_do(server: Any) -> None:
    answer = server.request("POST", "/healthz", b"")
    assert answer.status == 405
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("path", ["/subscribe", "/healthz", "/readyz", "/nowhere", "/u/x"])
def test_head_is_get_without_its_body(server: Any, path: str) -> None:
    head, whole = server.request("HEAD", path), server.get(path)
    assert (head.status, head.data) == (whole.status, b"")
    assert head.headers["Content-Type"] == whole.headers["Content-Type"]


@pytest.mark.parametrize(
    "path", ["/subscribe", "/nowhere", "/u/x", "/healthz", "/assets/style.css"]
)
def test_every_answer_keeps_browsers_in_bounds(server: Any, path: str) -> None:
    headers = server.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Referrer-Policy" in headers
    assert "Server" not in headers
    assert "Strict-Transport-Security" not in headers


def test_what_a_client_says_of_its_address_is_believed_from_proxies_alone(
    site: Site, serve: Any
) -> None:
    def told(request: Request) -> Response:
        return PlainTextResponse(f"{get_client_ip(request)} {request.url.scheme}")

    app = Starlette(routes=[Route("/", told)])
    forged = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7", "X-Forwarded-Proto": "https"}
    behind = serve(app, site.config).get("/", **forged).data
    # The last that our own proxy saw; what stands before it anybody can write.
    assert behind == b"198.51.100.7 https"
    public = site.config.public.model_copy(update={"trusted_proxies": ()})
    alone = site.config.model_copy(update={"public": public})
    assert serve(app, alone).get("/", **forged).data == b"127.0.0.1 http"
