"""Remember the languages that the current request's browser prefers.

They are those of Accept-Language (RFC 9110, 12.5.4). A page that is one reader's own speaks the
reader's language. What is pasted into other sites, or cached for everybody, stays in the
newsletter's.
"""

import re
from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

# Forms on other sites, and in the archive's pages, show the newsletter's words; consent is kept as
# it was shown.
_NEWSLETTER_LANGUAGE_PATHS = ("/api/", "/embed", "/webhooks/", "/issues/", "/page/")
_INDEX_PATH = "/"
# Of a header: each of its tags is looked up, and so is what is left of it without its last subtags.
_MAX_RANGES = 20
_RANGE = re.compile(
    r"(?P<tag>[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,7}|\*)\s*"
    r"(?:;\s*[qQ]=(?P<quality>[01](?:\.\d{0,3})?))?"
)
_preferred: ContextVar[tuple[str, ...]] = ContextVar("preferred_languages", default=())


class ReaderLanguageMiddleware:
    """ASGI middleware that keeps ``Accept-Language`` for ``get_preferred_languages``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request (ASGI)."""
        if scope["type"] != "http" or _has_newsletters_language(scope["path"]):
            await self._app(scope, receive, send)
            return
        values = [value for name, value in scope["headers"] if name == b"accept-language"]
        token = _preferred.set(parse_accept_language(b",".join(values).decode("latin-1")))
        try:
            await self._app(scope, receive, send)
        finally:
            _preferred.reset(token)


def _has_newsletters_language(path: str) -> bool:
    return path == _INDEX_PATH or path.startswith(_NEWSLETTER_LANGUAGE_PATHS)


def get_preferred_languages() -> tuple[str, ...]:
    """Return the language tags that the current request prefers, the most wanted one first.

    Empty outside of a request. ``*`` is any language.
    """
    return _preferred.get()


def parse_accept_language(header: str) -> tuple[str, ...]:
    """Return the acceptable tags of a header by their quality; what is malformed is left out."""
    wanted: list[tuple[float, str]] = []
    for part in header.split(",")[:_MAX_RANGES]:
        found = _RANGE.fullmatch(part.strip())
        if found and (quality := float(found["quality"] or 1)) > 0:
            wanted.append((quality, found["tag"]))
    return tuple(tag for _, tag in sorted(wanted, key=lambda entry: -entry[0]))
