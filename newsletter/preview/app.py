"""The preview's page and what it asks for, under one secret prefix on this machine alone."""

import asyncio
import datetime
import json
import mimetypes
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

import orjson
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from newsletter.checks.analysis.client_support import CLIENTS
from newsletter.db.engine import open_existing_database
from newsletter.errors import NewsletterError
from newsletter.preview import api, issue_list
from newsletter.preview.access_control import ERROR_POLICY, FILE_POLICY, MAIL_POLICY, Guard
from newsletter.preview.file_watcher import Bell, views, watch
from newsletter.preview.rendered_issues import Desk, Proof
from newsletter.preview.sample_recipients import choices
from newsletter.preview.views import source_views
from newsletter.preview.views.color_scheme import in_scheme
from newsletter.project import Project, list_issue_folders

STATIC = Path(__file__).with_name("static")
PICTURES = {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/svg+xml"}
POSTED = 2_000  # bytes
EMPTY = '<!DOCTYPE html><html lang="en"><head><title>Mail</title></head><body></body></html>'


class Preview:
    """The page's routes over one desk.

    Args:
        desk: renders.
        name: the issue that is shown first.
        environ: holds the API key for test copies.
    """

    def __init__(self, desk: Desk, name: str, environ: Mapping[str, str] = os.environ) -> None:
        self.desk = desk
        self.name = name
        self._environ = environ
        self.bell = Bell()
        self.stop = asyncio.Event()
        self._engine = _database(desk.project)

    def app(self, token: str, port: int) -> ASGIApp:
        """The whole application."""
        routes = [
            Route("/", self._page),
            Route("/frame", _frame),
            Route("/events", self._events),
            Route("/issues", self._issues),
            Route("/readers", self._readers),
            Route("/mail", self._proofed(self._mail)),
            Route("/web", self._proofed(self._web)),
            Route("/stripped", self._proofed(self._stripped)),
            Route("/findings", self._proofed(self._findings)),
            Route("/inbox", self._proofed(self._inbox)),
            Route("/source/{kind}", self._proofed(self._source)),
            Route("/compare/{other}", self._proofed(self._compare)),
            Route("/eml", self._proofed(self._eml)),
            Route("/file/{issue}/{path:path}", self._file),
            Route("/test", self._test, methods=["POST"]),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]  # fmt: skip
        return Guard(Starlette(routes=routes, lifespan=self._lifespan), token, port)

    async def close(self) -> None:
        """End the streams, so that the server can stop."""
        self.stop.set()
        await self.bell.ring(closing=True)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        watching = asyncio.create_task(watch(self.desk, self.bell, self.stop))
        try:
            yield
        finally:
            await self.close()
            await watching
            if self._engine is not None:
                self._engine.dispose()

    def _page(self, _: Request) -> Response:
        return FileResponse(STATIC / "index.html")

    async def _events(self, request: Request) -> Response:
        name = self._named(request)

        async def stream() -> AsyncIterator[bytes]:
            async for view in views(self.desk, self.bell, name):
                yield b"data: " + orjson.dumps(api.state(view)) + b"\n\n"

        return StreamingResponse(stream(), media_type="text/event-stream")

    def _issues(self, _: Request) -> Response:
        if self._engine is None:
            self._engine = _database(self.desk.project)
        project = self.desk.project
        return JSONResponse(
            {
                "newsletter": project.config.name,
                "first": self.name,
                "database": self._engine is not None,
                "issues": [asdict(entry) for entry in issue_list.entries(project, self._engine)],
                "clients": [{"key": key, "name": one.name} for key, one in CLIENTS.items()],
            }
        )

    def _readers(self, request: Request) -> Response:
        real = request.query_params.get("real") == "1"
        try:
            found = list(choices(self._engine, real=real))
        except NewsletterError:
            found = list(choices(None, real=real))
        return JSONResponse([one._asdict() for one in found])

    def _mail(self, request: Request, proof: Proof) -> Response:
        return _framed(api.mail(proof, self._wish(request)))

    def _web(self, request: Request, proof: Proof) -> Response:
        from newsletter.preview.views.archive_page import web_page

        now = datetime.datetime.now(datetime.UTC)
        return _framed(in_scheme(web_page(proof, now), self._wish(request).scheme))

    def _stripped(self, request: Request, proof: Proof) -> Response:
        return JSONResponse(api.stripped(proof, self._wish(request)))

    def _findings(self, _: Request, proof: Proof) -> Response:
        return JSONResponse(api.findings(proof, self._engine))

    def _inbox(self, request: Request, proof: Proof) -> Response:
        return JSONResponse(api.inbox(proof, self._wish(request)))

    def _source(self, request: Request, proof: Proof) -> Response:
        try:
            return JSONResponse(api.source(proof, self._wish(request), request.path_params["kind"]))
        except KeyError:
            return _sorry("there is no such view", 404)

    def _compare(self, request: Request, proof: Proof) -> Response:
        return JSONResponse(api.comparison(proof, request.path_params["other"]))

    def _eml(self, request: Request, proof: Proof) -> Response:
        reader = self._wish(request).reader
        data = source_views.eml(proof, reader, datetime.datetime.now(datetime.UTC))
        name = proof.issue.slug.encode("ascii", "ignore").decode().replace('"', "") or "mail"
        disposition = f'attachment; filename="{name}.eml"'
        return Response(
            data, media_type="message/rfc822", headers={"content-disposition": disposition}
        )

    def _file(self, request: Request) -> Response:
        """A picture in an issue's folder, and nothing else of this machine."""
        known = {folder.name: folder for folder in list_issue_folders(self.desk.project)}
        folder = known.get(request.path_params["issue"])
        if folder is None:
            return _sorry("no such issue", 404)
        path = (folder / request.path_params["path"]).resolve()
        kind = mimetypes.guess_type(path.name)[0]
        if kind not in PICTURES or not path.is_relative_to(folder.resolve()) or not path.is_file():
            return _sorry("no such picture", 404)
        headers = {
            "cache-control": "private, max-age=31536000, immutable",
            "content-security-policy": FILE_POLICY,
        }
        return FileResponse(path, media_type=kind, headers=headers)

    async def _test(self, request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > POSTED:
                return _sorry("that is too much", 413)
        try:
            data = json.loads(body)
            name, address = str(data["issue"]), str(data["to"])
        except (ValueError, TypeError, KeyError):
            return _sorry("this is not what the page sends", 400)
        return await asyncio.to_thread(self._send, name, address)

    def _send(self, name: str, address: str) -> Response:
        from newsletter.sending.sample_email import deduplicate_addresses, send_test_emails

        view = self.desk.view(name) if name in self._names() else None
        if view is None or view.proof is None or view.faults:
            return _sorry("the mail has errors: mend them first", 409)
        proof = view.proof
        try:
            subject = send_test_emails(
                proof.email,
                proof.config,
                deduplicate_addresses([address]),
                self._environ,
                self._engine,
            )
        except NewsletterError as error:
            return _told(api.faults(error), 422)
        checked = proof.config.sendgrid.sandbox
        return JSONResponse({"subject": subject, "to": address, "sandbox": checked})

    def _proofed(
        self, answer: Callable[[Request, Proof], Response]
    ) -> Callable[[Request], Response]:
        return partial(self._with_proof, answer)

    def _with_proof(
        self, answer: Callable[[Request, Proof], Response], request: Request
    ) -> Response:
        proof = self.desk.view(self._named(request)).proof
        if proof is None:
            return _sorry("this issue has not rendered yet", 409)
        try:
            return answer(request, proof)
        except NewsletterError as error:
            return _told(api.faults(error), 422)
        except OSError:  # a file has gone meanwhile: the next version tells of it
            return _sorry("a file of this issue can't be read", 409)
        except Exception as error:  # noqa: BLE001 - one view that fails leaves the others
            return _sorry(f"this can't be shown: {type(error).__name__}: {error}", 500)

    def _named(self, request: Request) -> str:
        name = request.query_params.get("issue", "")
        return name if name in self._names() else self.name

    def _names(self) -> set[str]:
        # The one that is shown stays, so that its loss can be told.
        return {self.name, *(folder.name for folder in list_issue_folders(self.desk.project))}

    def _wish(self, request: Request) -> api.Wish:
        return api.wish(request.query_params, self.desk.project.config, self._engine)


def _database(project: Project) -> sa.Engine | None:
    """The list's, if it is there; looking at a mail makes none."""
    return open_existing_database(project.config.database, project.root)


def _frame(_: Request) -> Response:
    """An empty document for mails: what is put into it runs under its policy."""
    return _framed(EMPTY)


def _framed(document: str) -> Response:
    headers = {"content-security-policy": MAIL_POLICY}
    return Response(document, media_type="text/html", headers=headers)


def _sorry(words: str, status: int) -> Response:
    return _told([{"message": words}], status)


def _told(faults: Sequence[Mapping[str, object]], status: int) -> Response:
    headers = {"content-security-policy": ERROR_POLICY}
    return JSONResponse({"faults": faults}, status, headers)
