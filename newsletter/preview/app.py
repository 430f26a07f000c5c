"""The preview's HTTP routes: page, event stream, views."""

import asyncio
import datetime
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

import orjson
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
from newsletter.preview.access_control import LocalAccessMiddleware
from newsletter.preview.actions import PreviewActions
from newsletter.preview.envelope import build_envelope_data
from newsletter.preview.file_watcher import ChangeNotifier, stream_issue_states, watch_files
from newsletter.preview.headless_browser import find_chromium
from newsletter.preview.next_commands import list_next_commands
from newsletter.preview.previous_version import build_comparison_data
from newsletter.preview.rendered_issues import (
    PreviewWorkspace,
    Rendering,
    render_in_design,
)
from newsletter.preview.responses import (
    make_email_response,
    make_eml_response,
    make_error_response,
    make_issue_image_response,
    make_problems_response,
)
from newsletter.preview.sample_recipients import iter_recipient_choices
from newsletter.preview.single_emails import (
    is_single_email,
    list_single_emails,
    show_single_email,
)
from newsletter.preview.views import source_views
from newsletter.preview.views.color_scheme import apply_color_scheme
from newsletter.preview.views.findings import build_findings_data
from newsletter.project import list_issue_folders

STATIC_DIR = Path(__file__).with_name("static")
EMPTY_DOCUMENT = (
    '<!DOCTYPE html><html lang="en"><head><title>Mail</title></head><body></body></html>'
)


class PreviewApp:
    """The preview's routes for one workspace.

    Args:
        workspace: renders the issues.
        first_issue: the folder's name of the issue that is shown first; empty if there is none yet.
        environ: the environment, with the API key for test emails.
    """

    def __init__(
        self, workspace: PreviewWorkspace, first_issue: str, environ: Mapping[str, str] = os.environ
    ) -> None:
        self.workspace = workspace
        self.first_issue = first_issue
        self._environ = environ
        self.notifier = ChangeNotifier()
        self.stop_event = asyncio.Event()
        self._open_database()
        self._actions = PreviewActions(
            workspace, self.notifier, environ, get_engine=lambda: workspace.engine
        )

    def make_asgi_app(self, token: str, port: int) -> ASGIApp:
        """Return the application, with access control, for this token and port."""
        routes = [
            Route("/", self._index),
            Route("/sheet", self._sheet),
            Route("/frame", _empty_frame),
            Route("/events", self._events),
            Route("/issues", self._issues),
            Route("/readers", self._recipients),
            Route("/mail", self._require_rendering(self._email)),
            Route("/web", self._require_rendering(self._archive_page)),
            Route("/stripped", self._require_rendering(self._stripped)),
            Route("/findings", self._require_rendering(self._findings)),
            Route("/envelope", self._require_rendering(self._envelope)),
            Route("/inbox", self._require_rendering(self._inbox)),
            Route("/next", self._require_rendering(self._next)),
            Route("/source/{kind}", self._require_rendering(self._source)),
            Route("/compare/{other}", self._require_rendering(self._compare)),
            Route("/eml", self._require_rendering(self._eml)),
            Route("/file/{issue}/{path:path}", self._issue_image),
            *self._actions.build_routes(),
            Mount("/static", StaticFiles(directory=STATIC_DIR)),
        ]
        return LocalAccessMiddleware(Starlette(routes=routes, lifespan=self._lifespan), token, port)

    async def close(self) -> None:
        """Close the event streams, so that the server can stop."""
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
            if self.workspace.engine is not None:
                self.workspace.engine.dispose()

    def _index(self, _: Request) -> Response:
        return FileResponse(STATIC_DIR / "index.html")

    def _sheet(self, _: Request) -> Response:
        return FileResponse(STATIC_DIR / "sheet.html")

    async def _events(self, request: Request) -> Response:
        name = self._get_issue_name(request)

        async def stream() -> AsyncIterator[bytes]:
            async for state in stream_issue_states(self.workspace, self.notifier, name):
                yield b"data: " + orjson.dumps(api.build_state_data(state)) + b"\n\n"

        return StreamingResponse(stream(), media_type="text/event-stream")

    def _issues(self, _: Request) -> Response:
        if self.workspace.engine is None:
            self._open_database()
        project = self.workspace.project
        return JSONResponse(
            {
                "newsletter": project.config.name,
                "first": self._get_first_issue(),
                "database": self.workspace.engine is not None,
                "chromium": find_chromium(self._environ) is not None,
                "issues": [
                    asdict(entry)
                    for entry in issue_list.list_issue_entries(project, self.workspace.engine)
                ],
                "emails": [entry._asdict() for entry in list_single_emails(project)],
                "clients": [{"key": key, "name": client.name} for key, client in CLIENTS.items()],
            }
        )

    def _recipients(self, request: Request) -> Response:
        real = request.query_params.get("real") == "1"
        try:
            choices = list(iter_recipient_choices(self.workspace.engine, real=real))
        except NewsletterError:
            choices = list(iter_recipient_choices(None, real=real))
        return JSONResponse([choice._asdict() for choice in choices])

    def _email(self, request: Request, rendering: Rendering) -> Response:
        return make_email_response(api.build_email_html(rendering, self._parse_options(request)))

    def _archive_page(self, request: Request, rendering: Rendering) -> Response:
        from newsletter.preview.views.archive_page import render_archive_page

        now = datetime.datetime.now(datetime.UTC)
        return make_email_response(
            apply_color_scheme(
                render_archive_page(rendering, now), self._parse_options(request).scheme
            )
        )

    def _stripped(self, request: Request, rendering: Rendering) -> Response:
        options = self._parse_options(request)
        email = source_views.personalize_rendering(
            render_in_design(rendering, options.design), options.recipient
        )
        return JSONResponse(api.build_stripped_data(email, options))

    def _findings(self, _: Request, rendering: Rendering) -> Response:
        return JSONResponse(build_findings_data(rendering, self.workspace.engine))

    def _envelope(self, request: Request, rendering: Rendering) -> Response:
        return JSONResponse(build_envelope_data(rendering, self._parse_options(request).recipient))

    def _next(self, _: Request, rendering: Rendering) -> Response:
        commands = list_next_commands(rendering, self.workspace.engine)
        return JSONResponse([command._asdict() for command in commands])

    def _inbox(self, request: Request, rendering: Rendering) -> Response:
        recipient = self._parse_options(request).recipient
        email = source_views.personalize_rendering(rendering, recipient)
        return JSONResponse(api.build_inbox_data(email))

    def _source(self, request: Request, rendering: Rendering) -> Response:
        try:
            return JSONResponse(
                api.build_source_data(
                    rendering, self._parse_options(request), request.path_params["kind"]
                )
            )
        except KeyError:
            return make_error_response("no such view", 404)

    def _compare(self, request: Request, rendering: Rendering) -> Response:
        return JSONResponse(
            build_comparison_data(rendering, request.path_params["other"], self.workspace.engine)
        )

    def _eml(self, request: Request, rendering: Rendering) -> Response:
        recipient = self._parse_options(request).recipient
        data = source_views.build_preview_eml(
            rendering, recipient, datetime.datetime.now(datetime.UTC)
        )
        name = rendering.issue.slug.encode("ascii", "ignore").decode().replace('"', "") or "mail"
        return make_eml_response(data, name)

    def _issue_image(self, request: Request) -> Response:
        folders = {folder.name: folder for folder in list_issue_folders(self.workspace.project)}
        folder = folders.get(request.path_params["issue"])
        if folder is None:
            return make_error_response("no such issue", 404)
        return make_issue_image_response(folder, request.path_params["path"])

    def _require_rendering(
        self, endpoint: Callable[[Request, Rendering], Response]
    ) -> Callable[[Request], Response]:
        return partial(self._call_with_rendering, endpoint)

    def _call_with_rendering(
        self, endpoint: Callable[[Request, Rendering], Response], request: Request
    ) -> Response:
        name = self._get_issue_name(request)
        state = self.workspace.get_state(name) if name else None
        try:
            if state and state.rendering:
                return endpoint(request, state.rendering)
            if state and state.single_email:
                view = request.url.path.rpartition("/")[2]
                return show_single_email(state.single_email, view, self._parse_options(request))
        except NewsletterError as error:
            return make_problems_response(api.build_problems_data(error), 422)
        except OSError:  # a file has been deleted meanwhile: the next state reports it
            return make_error_response("a file of this issue can't be read", 409)
        except Exception as error:  # noqa: BLE001 - one failing view must not break the others
            return make_error_response(
                f"could not show this view: {type(error).__name__}: {error}", 500
            )
        return make_error_response("this issue has not rendered yet", 409)

    def _get_issue_name(self, request: Request) -> str:
        name = request.query_params.get("issue", "")
        is_known = is_single_email(name) or (name and name in self._list_issue_names())
        return name if is_known else self._get_first_issue()

    def _get_first_issue(self) -> str:
        folders = list_issue_folders(self.workspace.project)
        return self.first_issue or (folders[-1].name if folders else "")

    def _list_issue_names(self) -> set[str]:
        # The first issue stays listed after its folder is gone, so that the page can report that.
        return {
            self.first_issue,
            *(folder.name for folder in list_issue_folders(self.workspace.project)),
        }

    def _open_database(self) -> None:
        """Open the subscriber database if there is one; the preview never creates it."""
        project = self.workspace.project
        self.workspace.engine = open_existing_database(
            project.config.database, project.root, project.config.id
        )

    def _parse_options(self, request: Request) -> api.ViewOptions:
        return api.parse_view_options(
            request.query_params, self.workspace.project.config, self.workspace.engine
        )


def _empty_frame(_: Request) -> Response:
    """Return an empty document for the frame; the email policy applies to its later content."""
    return make_email_response(EMPTY_DOCUMENT)
