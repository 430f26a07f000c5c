"""Assemble the public site's ASGI application: routes, middleware, errors."""

from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from newsletter.web import sendgrid_webhook
from newsletter.web.archive import routes as archive
from newsletter.web.http.connection_limits import DEFAULT_LIMITS
from newsletter.web.http.piecewise_send import PiecewiseSendMiddleware
from newsletter.web.http.reader_language import ReaderLanguageMiddleware
from newsletter.web.http.request_data import RequestRefusedError
from newsletter.web.http.request_limits import (
    RefusalHandler,
    RequestLimitsMiddleware,
)
from newsletter.web.http.security_headers import SecurityHeadersMiddleware, make_security_headers
from newsletter.web.monitoring import health
from newsletter.web.monitoring.metrics import SiteMetrics
from newsletter.web.monitoring.request_log import RequestLogMiddleware, log_request
from newsletter.web.site_context import Site
from newsletter.web.subscriber import (
    change_address,
    confirm,
    data_requests,
    preferences,
    subscribe,
    unsubscribe,
)

IMMUTABLE_CACHE_CONTROL = "public, max-age=31536000, immutable"
# Errors below these paths are JSON; elsewhere they are pages.
API_PREFIXES = ("/api/", "/webhooks/", "/healthz", "/readyz", "/metrics")


def make_app(
    site: Site,
    body_timeout: float = DEFAULT_LIMITS.body_seconds,
    metrics: SiteMetrics | None = None,
) -> Starlette:
    """Return the site as an application that is ready to be served.

    Args:
        site: the newsletter.
        body_timeout: seconds within which a request's whole body must arrive.
        metrics: counts the requests, if given.
    """
    routes: list[BaseRoute] = [
        Route("/assets/style.css", _make_stylesheet_endpoint(site), methods=["GET"])
    ]
    for module in (
        health,
        unsubscribe,
        preferences,
        change_address,
        data_requests,
        confirm,
        subscribe,
        sendgrid_webhook,
        archive,
    ):
        routes += module.routes(site)
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(PiecewiseSendMiddleware),
            Middleware(
                RequestLogMiddleware,
                listeners=[log_request, *([metrics.record_request] if metrics else [])],
            ),
            Middleware(SecurityHeadersMiddleware, config=site.config),
            Middleware(ReaderLanguageMiddleware),
            Middleware(
                RequestLimitsMiddleware,
                handle_refusal=_make_refusal_handler(site),
                timeout=body_timeout,
            ),
        ],
        exception_handlers=_make_exception_handlers(site),
    )
    # Such a redirect would lead to whatever host the client names.
    app.router.redirect_slashes = False
    return app


def _make_stylesheet_endpoint(site: Site) -> Any:
    def style(_: Request) -> Response:
        return Response(
            site.pages.stylesheet,
            media_type="text/css",
            headers={"Cache-Control": IMMUTABLE_CACHE_CONTROL},
        )

    return style


def _make_refusal_handler(site: Site) -> RefusalHandler:
    def handle_refusal(request: Request, error: RequestRefusedError) -> Response:
        return _make_error_response(site, request, error.status, error.message_key)

    return handle_refusal


def _make_exception_handlers(site: Site) -> dict[Any, Any]:
    def handle_http_exception(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        response = _make_error_response(
            site, request, error.status_code, f"status_{error.status_code}"
        )
        response.headers.update(error.headers or {})
        return response

    def handle_server_error(request: Request, _: Exception) -> Response:
        response = _make_error_response(site, request, 500, "status_500")
        # Starlette handles server errors outside of all middleware.
        response.headers.update(make_security_headers(site.config))
        return response

    return {
        RequestRefusedError: _make_refusal_handler(site),
        HTTPException: handle_http_exception,
        500: handle_server_error,
    }


def _make_error_response(site: Site, request: Request, status: int, message_key: str) -> Response:
    messages = site.pages.messages
    text = messages.get(message_key) or messages["status_400" if status < 500 else "status_500"]  # noqa: PLR2004
    if request.url.path.startswith(API_PREFIXES):
        return JSONResponse({"error": text}, status_code=status)
    return site.pages.render_page("message", status=status, private=True, text=text)
