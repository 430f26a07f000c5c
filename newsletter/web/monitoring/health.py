"""Health checks: liveness (/healthz) and readiness (/readyz)."""

import logging

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from newsletter.db import read_transaction
from newsletter.db.schema import send
from newsletter.errors import DatabaseError
from newsletter.web.site_context import Site

NO_STORE_HEADERS = {"Cache-Control": "no-store"}

_log = logging.getLogger(__name__)


def routes(site: Site) -> list[BaseRoute]:
    """Return the routes that a process supervisor or load balancer checks."""

    def live(_: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers=NO_STORE_HEADERS)

    def ready(_: Request) -> Response:
        try:
            with read_transaction(site.engine) as connection:
                connection.execute(sa.select(send.c.id).limit(1))
        except (DatabaseError, sa.exc.SQLAlchemyError):
            _log.warning("the database can't be reached")
            failure = {"status": "the database can't be reached"}
            return JSONResponse(failure, status_code=503, headers=NO_STORE_HEADERS)
        return JSONResponse({"status": "ok"}, headers=NO_STORE_HEADERS)

    return [Route("/healthz", live, methods=["GET"]), Route("/readyz", ready, methods=["GET"])]
