"""The headers that the editor's settings change, and those of answers that go wrong."""

from typing import Any

import pytest

from newsletter.config import Config
from newsletter.config.public_site import PublicSiteSettings
from newsletter.web.http.security_headers import HSTS_VALUE, make_security_headers
from newsletter.web.site_context import Site


def with_public(config: Config, **settings: Any) -> Config:
    return config.model_copy(update={"public": PublicSiteSettings(**settings)})


def test_https_is_promised_only_where_the_editor_says_so(site: Site) -> None:
    assert "Strict-Transport-Security" not in make_security_headers(site.config)
    told = make_security_headers(with_public(site.config, hsts=True))
    assert told["Strict-Transport-Security"] == HSTS_VALUE


def test_only_sites_that_the_editor_names_may_frame_a_page(site: Site) -> None:
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
def test_answers_that_refuse_keep_browsers_in_bounds_too(
    server: Any, method: str, path: str, status: int
) -> None:
    answer = server.request(method, path, b"{}" if method == "POST" else None)
    headers = answer.headers
    assert answer.status == status
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in headers


def test_programs_are_told_in_json_and_people_on_a_page(server: Any) -> None:
    for path in ("/api/nothing", "/webhooks/nothing"):
        assert server.get(path).json() == {"error": "There is no such page."}
    page = server.get("/nothing")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["X-Robots-Tag"] == "noindex"
