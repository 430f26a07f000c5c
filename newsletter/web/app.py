"""The public site as one ASGI application."""

from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from newsletter.web import sendgrid_webhook
from newsletter.web.archive import routes as archive
from newsletter.web.http.body_limit import SECONDS, Bodies, Tell
from newsletter.web.http.request_data import Refused
from newsletter.web.http.security_headers import Security, security_headers
from newsletter.web.monitoring import health
from newsletter.web.monitoring.metrics import Metrics
from newsletter.web.monitoring.request_log import Watch, log_answer
from newsletter.web.site_context import Site
from newsletter.web.subscriber import change_address, confirm, preferences, subscribe, unsubscribe

YEAR = "public, max-age=31536000, immutable"
# What programs speak; everybody else gets a page.
PROGRAMS = ("/api/", "/webhooks/", "/healthz", "/readyz", "/metrics")


def make_app(site: Site, seconds: float = SECONDS, metrics: Metrics | None = None) -> Starlette:
    """The site, ready to be served.

    Args:
        site: the newsletter.
        seconds: in which a whole body must come.
        metrics: counts requests, if there is one.
    """
    routes: list[BaseRoute] = [Route("/assets/style.css", _style(site), methods=["GET"])]
    for part in (
        health,
        unsubscribe,
        preferences,
        change_address,
        confirm,
        subscribe,
        sendgrid_webhook,
        archive,
    ):
        routes += part.routes(site)
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(Watch, tell=[log_answer, *([metrics.answered] if metrics else [])]),
            Middleware(Security, config=site.config),
            Middleware(Bodies, tell=_refusal(site), seconds=seconds),
        ],
        exception_handlers=_handlers(site),
    )
    # It would lead to whatever host the client names.
    app.router.redirect_slashes = False
    return app


def _style(site: Site) -> Any:
    def style(_: Request) -> Response:
        return Response(site.pages.style, media_type="text/css", headers={"Cache-Control": YEAR})

    return style


def _refusal(site: Site) -> Tell:
    def refused(request: Request, error: Refused) -> Response:
        return _told(site, request, error.status, error.word)

    return refused


def _handlers(site: Site) -> dict[Any, Any]:
    def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        response = _told(site, request, error.status_code, f"status_{error.status_code}")
        response.headers.update(error.headers or {})
        return response

    def fault(request: Request, _: Exception) -> Response:
        response = _told(site, request, 500, "status_500")
        # Starlette answers faults outside of all middleware.
        response.headers.update(security_headers(site.config))
        return response

    return {Refused: _refusal(site), HTTPException: http, 500: fault}


def _told(site: Site, request: Request, status: int, word: str) -> Response:
    words = site.pages.words
    text = words.get(word) or words["status_400" if status < 500 else "status_500"]  # noqa: PLR2004
    if request.url.path.startswith(PROGRAMS):
        return JSONResponse({"error": text}, status_code=status)
    return site.pages.page("message", status=status, private=True, text=text)
