"""The preview's requests that do something: test emails, edits, imports."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from threading import Lock
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from newsletter.errors import NewsletterError
from newsletter.preview import api
from newsletter.preview.dropped_post import MAX_DROPPED_BYTES, import_dropped_post
from newsletter.preview.envelope import ENVELOPE_KEYS, EditConflictError, save_envelope_value
from newsletter.preview.file_watcher import ChangeNotifier
from newsletter.preview.headless_browser import capture_page, find_chromium
from newsletter.preview.rendered_issues import IssueState, PreviewWorkspace
from newsletter.preview.responses import (
    BadRequestError,
    BodyTooLargeError,
    make_error_response,
    make_problems_response,
    read_body,
)
from newsletter.preview.single_emails import is_single_email
from newsletter.project import list_issue_folders

MAX_TEST_REQUEST_BYTES = 2_000
MAX_TEST_ADDRESSES = 10
MAX_EDIT_REQUEST_BYTES = 100_000


class PreviewActions:
    """The routes of requests with a body; access control has checked where they come from.

    Args:
        workspace: renders the issues.
        notifier: wakes the event streams after a change.
        environ: the environment, with the API key for test emails.
        get_engine: returns the subscriber database, or ``None``.
    """

    def __init__(
        self,
        workspace: PreviewWorkspace,
        notifier: ChangeNotifier,
        environ: Mapping[str, str] = os.environ,
        get_engine: Callable[[], sa.Engine | None] = lambda: None,
    ) -> None:
        self._workspace = workspace
        self._notifier = notifier
        self._environ = environ
        self._get_engine = get_engine
        self._lock = Lock()  # one change at a time
        self._capture_lock = Lock()  # one Chromium at a time

    def build_routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/test", _limit(self._test_email, MAX_TEST_REQUEST_BYTES), methods=["POST"]),
            Route(
                "/envelope", _limit(self._edit_envelope, MAX_EDIT_REQUEST_BYTES), methods=["POST"]
            ),
            Route(
                "/sheet.png", _limit(self._capture_sheet, MAX_TEST_REQUEST_BYTES), methods=["POST"]
            ),
            Route("/import", _limit(self._import_post, MAX_DROPPED_BYTES), methods=["POST"]),
        ]

    async def _test_email(self, _: Request, body: bytes) -> Response:
        name, to = _parse_fields(body, "issue", "to")
        return await asyncio.to_thread(self._send_test_email, name, to)

    def _send_test_email(self, name: str, to: str) -> Response:
        from newsletter.sending.sample_email import deduplicate_addresses

        state = self._get_current_state(name)
        if state is None:
            return make_error_response("the email has errors: fix them first", 409)
        try:
            addresses = deduplicate_addresses(
                [part.strip() for part in to.replace(";", ",").split(",") if part.strip()] or [to]
            )
            if len(addresses) > MAX_TEST_ADDRESSES:
                return make_error_response(
                    f"a test goes to at most {MAX_TEST_ADDRESSES} addresses", 422
                )
            subject, inline_images = self._send_tests(state, addresses)
        except NewsletterError as error:
            return make_problems_response(api.build_problems_data(error), 422)
        return JSONResponse(
            {
                "subject": subject,
                "to": addresses,
                "sandbox": self._workspace.project.config.sendgrid.sandbox,
                "inline_images": inline_images,
            }
        )

    def _send_tests(
        self, state: IssueState, addresses: Sequence[str]
    ) -> tuple[str, tuple[str, ...]]:
        """Return the subject of what was sent, and the images that were sent inside it."""
        from newsletter.sending.sample_email import send_single_test_emails, send_test_emails

        if single := state.single_email:
            config = single.project.config
            [subject] = send_single_test_emails([single.email], config, addresses, self._environ)
            return subject, ()
        assert state.rendering
        sent = send_test_emails(
            state.rendering.issue,
            state.rendering.email,
            state.rendering.config,
            addresses,
            self._environ,
            engine=self._get_engine(),
        )
        return sent.subject, sent.inline_images

    async def _edit_envelope(self, _: Request, body: bytes) -> Response:
        name, key, value, sha = _parse_fields(body, "issue", "key", "value", "sha")
        if key not in ENVELOPE_KEYS:
            return make_error_response("this setting can't be changed here", 400)
        response = await asyncio.to_thread(self._save_envelope_value, name, key, value, sha)
        await self._notifier.notify()
        return response

    def _save_envelope_value(self, name: str, key: str, value: str, sha: str) -> Response:
        with self._lock:
            state = self._workspace.get_state(name) if name in self._list_issue_names() else None
            if state is None or state.rendering is None:
                return make_error_response("this issue has not rendered yet", 409)
            try:
                save_envelope_value(state.rendering, key, value, sha)
            except EditConflictError as error:
                return make_problems_response(api.build_problems_data(error), 409)
            except NewsletterError as error:
                return make_problems_response(api.build_problems_data(error), 422)
            except OSError:  # deleted meanwhile: the next state reports it
                return make_error_response("the post can't be read", 409)
            finally:
                # The watcher may be late, or the file on a disk that reports no changes.
                self._workspace.invalidate([self._workspace.project.issues_dir / name])
        return JSONResponse({})

    async def _capture_sheet(self, request: Request, body: bytes) -> Response:
        (name,) = _parse_fields(body, "issue")
        if not (is_single_email(name) or name in self._list_issue_names()):
            return make_error_response("no such issue", 404)
        # The server's own address and a known issue: nothing else of the request is used.
        url = request.scope["preview_url"] + f"sheet?issue={quote(name)}"
        return await asyncio.to_thread(self._capture_page, url)

    def _capture_page(self, url: str) -> Response:
        program = find_chromium(self._environ)
        if program is None:
            return make_error_response("there is no Chromium on the PATH", 404)
        with self._capture_lock:
            try:
                picture = capture_page(program, url, self._environ)
            except NewsletterError as error:
                return make_problems_response(api.build_problems_data(error), 502)
        return Response(picture, media_type="image/png")

    async def _import_post(self, request: Request, body: bytes) -> Response:
        name = request.query_params.get("name", "")
        response = await asyncio.to_thread(self._import_dropped_post, name, body)
        await self._notifier.notify()
        return response

    def _import_dropped_post(self, name: str, data: bytes) -> Response:
        with self._lock:
            issues_dir = self._workspace.project.issues_dir
            try:
                imported = import_dropped_post(self._workspace.project, name, data)
            except NewsletterError as error:
                return make_problems_response(api.build_problems_data(error), 422)
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                return make_error_response(f"the post can't be imported: {reason}", 422)
            self._workspace.invalidate([issues_dir / imported["issue"]])
        return JSONResponse(imported)

    def _get_current_state(self, name: str) -> IssueState | None:
        """Return the state of what has that name, if it exists and has no problems."""
        if not (is_single_email(name) or name in self._list_issue_names()):
            return None
        state = self._workspace.get_state(name)
        return None if state.problems else state

    def _list_issue_names(self) -> set[str]:
        return {folder.name for folder in list_issue_folders(self._workspace.project)}


def _limit(
    endpoint: Callable[[Request, bytes], Awaitable[Response]], max_bytes: int
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that reads at most ``max_bytes`` and refuses what it can't parse."""

    async def handle(request: Request) -> Response:
        try:
            return await endpoint(request, await read_body(request, max_bytes))
        except BodyTooLargeError:
            return make_error_response("the request is too large", 413)
        except BadRequestError:
            return make_error_response("not a valid request", 400)

    return handle


def _parse_fields(body: bytes, *names: str) -> tuple[str, ...]:
    """Return the texts in a JSON object.

    Raises:
        BadRequestError: it is not a JSON object, one is missing, or has half of a character.
    """
    try:
        data: dict[str, Any] = json.loads(body)
        texts = tuple(str(data[name]) for name in names)
        "".join(texts).encode()
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadRequestError from error
    return texts
