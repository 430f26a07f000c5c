"""Security headers: those changed by settings, those of error responses."""

from typing import Any

import pytest

from newsletter.config import Config
from newsletter.config.public_site import PublicSiteSettings
from newsletter.web.http.security_headers import HSTS_VALUE, make_security_headers
from newsletter.web.site_context import Site


def with_public(config: Config, **settings: Any) -> Config:
    return config.model_copy(update={"public": PublicSiteSettings(**settings)})


def test_hsts_is_sent_only_if_configured(site: Site) -> None:
    assert "Strict-Transport-Security" not in make_security_headers(site.config)
    headers = make_security_headers(with_public(site.config, hsts=True))
    assert headers["Strict-Transport-Security"] == HSTS_VALUE


def test_only_configured_sites_may_frame_a_page(site: Site) -> None:
    config = with_public(site.config, frame_ancestors=("https://harbournotes.example",))
    policy = make_security_headers(config)["Content-Security-Policy"]
    assert policy.endswith("frame-ancestors https://harbournotes.example")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/healthz", 405),
        ("POST", "/webhooks/sendgrid", 415),
        ("POST", "/api/subscribe", 415),
        ("POST", "/u/x", 415),
        ("GET", "/u/x", 404),
        ("HEAD", "/nowhere", 404),
    ],
)
def test_error_responses_have_security_headers(
    server: Any, method: str, path: str, status: int
) -> None:
    response = server.request(method, path, b"{}" if method == "POST" else None)
    headers = response.headers
    assert response.status == status
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in headers


def test_errors_are_json_for_api_paths_and_pages_elsewhere(server: Any) -> None:
    for path in ("/api/nothing", "/webhooks/nothing"):
        assert server.get(path).json() == {"error": "Page not found."}
    page = server.get("/nothing")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["X-Robots-Tag"] == "noindex"
