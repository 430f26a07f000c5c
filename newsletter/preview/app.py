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
from newsletter.preview.access_control import (
    EMAIL_POLICY,
    ERROR_POLICY,
    FILE_POLICY,
    LocalAccessMiddleware,
)
from newsletter.preview.file_watcher import ChangeNotifier, stream_issue_states, watch_files
from newsletter.preview.rendered_issues import PreviewWorkspace, Rendering
from newsletter.preview.sample_recipients import iter_recipient_choices
from newsletter.preview.views import source_views
from newsletter.preview.views.color_scheme import apply_color_scheme
from newsletter.project import Project, list_issue_folders

STATIC_DIR = Path(__file__).with_name("static")
IMAGE_MEDIA_TYPES = {
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/svg+xml",
}
MAX_TEST_REQUEST_BYTES = 2_000  # bytes
EMPTY_DOCUMENT = (
    '<!DOCTYPE html><html lang="en"><head><title>Mail</title></head><body></body></html>'
)


class PreviewApp:
    """The page's routes over one desk.

    Args:
        workspace: renders.
        first_issue: the issue that is shown first.
        environ: holds the API key for test copies.
    """

    def __init__(
        self, workspace: PreviewWorkspace, first_issue: str, environ: Mapping[str, str] = os.environ
    ) -> None:
        self.workspace = workspace
        self.first_issue = first_issue
        self._environ = environ
        self.notifier = ChangeNotifier()
        self.stop_event = asyncio.Event()
        self._engine = _open_existing_database(workspace.project)

    def make_asgi_app(self, token: str, port: int) -> ASGIApp:
        """The whole application."""
        routes = [
            Route("/", self._index),
            Route("/frame", _empty_frame),
            Route("/events", self._events),
            Route("/issues", self._issues),
            Route("/readers", self._recipients),
            Route("/mail", self._require_rendering(self._email)),
            Route("/web", self._require_rendering(self._archive_page)),
            Route("/stripped", self._require_rendering(self._stripped)),
            Route("/findings", self._require_rendering(self._findings)),
            Route("/inbox", self._require_rendering(self._inbox)),
            Route("/source/{kind}", self._require_rendering(self._source)),
            Route("/compare/{other}", self._require_rendering(self._compare)),
            Route("/eml", self._require_rendering(self._eml)),
            Route("/file/{issue}/{path:path}", self._issue_image),
            Route("/test", self._test_email, methods=["POST"]),
            Mount("/static", StaticFiles(directory=STATIC_DIR)),
        ]  # fmt: skip
        return LocalAccessMiddleware(Starlette(routes=routes, lifespan=self._lifespan), token, port)

    async def close(self) -> None:
        """End the streams, so that the server can stop."""
        self.stop_event.set()
        await self.notifier.notify(closing=True)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        watching = asyncio.create_task(watch_files(self.workspace, self.notifier, self.stop_event))
        try:
            yield
        finally:
            await self.close()
            await watching
            if self._engine is not None:
                self._engine.dispose()

    def _index(self, _: Request) -> Response:
        return FileResponse(STATIC_DIR / "index.html")

    async def _events(self, request: Request) -> Response:
        name = self._get_issue_name(request)

        async def stream() -> AsyncIterator[bytes]:
            async for view in stream_issue_states(self.workspace, self.notifier, name):
                yield b"data: " + orjson.dumps(api.build_state_data(view)) + b"\n\n"

        return StreamingResponse(stream(), media_type="text/event-stream")

    def _issues(self, _: Request) -> Response:
        if self._engine is None:
            self._engine = _open_existing_database(self.workspace.project)
        project = self.workspace.project
        return JSONResponse(
            {
                "newsletter": project.config.name,
                "first": self.first_issue,
                "database": self._engine is not None,
                "issues": [
                    asdict(entry) for entry in issue_list.list_issue_entries(project, self._engine)
                ],
                "clients": [{"key": key, "name": one.name} for key, one in CLIENTS.items()],
            }
        )

    def _recipients(self, request: Request) -> Response:
        real = request.query_params.get("real") == "1"
        try:
            found = list(iter_recipient_choices(self._engine, real=real))
        except NewsletterError:
            found = list(iter_recipient_choices(None, real=real))
        return JSONResponse([one._asdict() for one in found])

    def _email(self, request: Request, rendering: Rendering) -> Response:
        return _make_email_response(api.build_email_html(rendering, self._parse_options(request)))

    def _archive_page(self, request: Request, rendering: Rendering) -> Response:
        from newsletter.preview.views.archive_page import render_archive_page

        now = datetime.datetime.now(datetime.UTC)
        return _make_email_response(
            apply_color_scheme(
                render_archive_page(rendering, now), self._parse_options(request).scheme
            )
        )

    def _stripped(self, request: Request, rendering: Rendering) -> Response:
        return JSONResponse(api.build_stripped_data(rendering, self._parse_options(request)))

    def _findings(self, _: Request, rendering: Rendering) -> Response:
        return JSONResponse(api.build_findings_data(rendering, self._engine))

    def _inbox(self, request: Request, rendering: Rendering) -> Response:
        return JSONResponse(api.build_inbox_data(rendering, self._parse_options(request)))

    def _source(self, request: Request, rendering: Rendering) -> Response:
        try:
            return JSONResponse(
                api.build_source_data(
                    rendering, self._parse_options(request), request.path_params["kind"]
                )
            )
        except KeyError:
            return _make_error_response("there is no such view", 404)

    def _compare(self, request: Request, rendering: Rendering) -> Response:
        return JSONResponse(api.build_comparison_data(rendering, request.path_params["other"]))

    def _eml(self, request: Request, rendering: Rendering) -> Response:
        reader = self._parse_options(request).recipient
        data = source_views.build_preview_eml(
            rendering, reader, datetime.datetime.now(datetime.UTC)
        )
        name = rendering.issue.slug.encode("ascii", "ignore").decode().replace('"', "") or "mail"
        disposition = f'attachment; filename="{name}.eml"'
        return Response(
            data, media_type="message/rfc822", headers={"content-disposition": disposition}
        )

    def _issue_image(self, request: Request) -> Response:
        """A picture in an issue's folder, and nothing else of this machine."""
        known = {folder.name: folder for folder in list_issue_folders(self.workspace.project)}
        folder = known.get(request.path_params["issue"])
        if folder is None:
            return _make_error_response("no such issue", 404)
        path = (folder / request.path_params["path"]).resolve()
        kind = mimetypes.guess_type(path.name)[0]
        if (
            kind not in IMAGE_MEDIA_TYPES
            or not path.is_relative_to(folder.resolve())
            or not path.is_file()
        ):
            return _make_error_response("no such picture", 404)
        headers = {
            "cache-control": "private, max-age=31536000, immutable",
            "content-security-policy": FILE_POLICY,
        }
        return FileResponse(path, media_type=kind, headers=headers)

    async def _test_email(self, request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_TEST_REQUEST_BYTES:
                return _make_error_response("that is too much", 413)
        try:
            data = json.loads(body)
            name, address = str(data["issue"]), str(data["to"])
        except (ValueError, TypeError, KeyError):
            return _make_error_response("this is not what the page sends", 400)
        return await asyncio.to_thread(self._send_test_email, name, address)

    def _send_test_email(self, name: str, address: str) -> Response:
        from newsletter.sending.sample_email import deduplicate_addresses, send_test_emails

        view = self.workspace.get_state(name) if name in self._list_issue_names() else None
        if view is None or view.rendering is None or view.problems:
            return _make_error_response("the mail has errors: mend them first", 409)
        proof = view.rendering
        try:
            subject = send_test_emails(
                proof.email,
                proof.config,
                deduplicate_addresses([address]),
                self._environ,
                self._engine,
            )
        except NewsletterError as error:
            return _make_problems_response(api.build_problems_data(error), 422)
        checked = proof.config.sendgrid.sandbox
        return JSONResponse({"subject": subject, "to": address, "sandbox": checked})

    def _require_rendering(
        self, endpoint: Callable[[Request, Rendering], Response]
    ) -> Callable[[Request], Response]:
        return partial(self._call_with_rendering, endpoint)

    def _call_with_rendering(
        self, endpoint: Callable[[Request, Rendering], Response], request: Request
    ) -> Response:
        proof = self.workspace.get_state(self._get_issue_name(request)).rendering
        if proof is None:
            return _make_error_response("this issue has not rendered yet", 409)
        try:
            return endpoint(request, proof)
        except NewsletterError as error:
            return _make_problems_response(api.build_problems_data(error), 422)
        except OSError:  # a file has gone meanwhile: the next version tells of it
            return _make_error_response("a file of this issue can't be read", 409)
        except Exception as error:  # noqa: BLE001 - one view that fails leaves the others
            return _make_error_response(
                f"this can't be shown: {type(error).__name__}: {error}", 500
            )

    def _get_issue_name(self, request: Request) -> str:
        name = request.query_params.get("issue", "")
        return name if name in self._list_issue_names() else self.first_issue

    def _list_issue_names(self) -> set[str]:
        # The one that is shown stays, so that its loss can be told.
        return {
            self.first_issue,
            *(folder.name for folder in list_issue_folders(self.workspace.project)),
        }

    def _parse_options(self, request: Request) -> api.ViewOptions:
        return api.parse_view_options(
            request.query_params, self.workspace.project.config, self._engine
        )


def _open_existing_database(project: Project) -> sa.Engine | None:
    """The list's, if it is there; looking at a mail makes none."""
    return open_existing_database(project.config.database, project.root)


def _empty_frame(_: Request) -> Response:
    """An empty document for mails: what is put into it runs under its policy."""
    return _make_email_response(EMPTY_DOCUMENT)


def _make_email_response(document: str) -> Response:
    headers = {"content-security-policy": EMAIL_POLICY}
    return Response(document, media_type="text/html", headers=headers)


def _make_error_response(message: str, status: int) -> Response:
    return _make_problems_response([{"message": message}], status)


def _make_problems_response(problems: Sequence[Mapping[str, object]], status: int) -> Response:
    headers = {"content-security-policy": ERROR_POLICY}
    return JSONResponse({"faults": problems}, status, headers)
