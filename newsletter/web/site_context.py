"""What every public page needs: the newsletter, its database, its pages, a clock and a secret."""

import datetime
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache

import itsdangerous
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from newsletter.config import Config
from newsletter.db import read_transaction
from newsletter.db.bulk import insert_or_ignore
from newsletter.db.schema import setting
from newsletter.project import Project
from newsletter.web.page_templates import PageRenderer

SECRET_SETTING = "site_secret"  # noqa: S105 - the name under which it is kept


def utc_now() -> datetime.datetime:
    """The time, aware."""
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True, slots=True)
class Site:
    """A newsletter's public site.

    Attributes:
        project: the editor's folder.
        engine: the database.
        pages: makes HTML.
        secret: 32 bytes that only this database holds; what forms and links are signed with.
        clock: the time, aware.
    """

    project: Project
    engine: sa.Engine
    pages: PageRenderer
    secret: bytes
    clock: Callable[[], datetime.datetime] = utc_now

    @property
    def config(self) -> Config:
        """The newsletter's settings."""
        return self.project.config

    def signer(self, purpose: str) -> itsdangerous.URLSafeTimedSerializer:
        """Signs values for one purpose; what is signed for another is refused."""
        return _make_signer(self.secret, purpose)


@lru_cache(maxsize=32)
def _make_signer(secret: bytes, purpose: str) -> itsdangerous.URLSafeTimedSerializer:
    return itsdangerous.URLSafeTimedSerializer(secret, salt=purpose)


def open_site(
    project: Project, engine: sa.Engine, clock: Callable[[], datetime.datetime] = utc_now
) -> Site:
    """The site of a folder; its secret is made on first use.

    Raises:
        TemplateError: a page's template or words can't be read.
    """
    return Site(project, engine, PageRenderer(project), _load_or_create_secret(engine), clock)


def _load_or_create_secret(engine: sa.Engine) -> bytes:
    found = sa.select(setting.c.value).where(setting.c.key == SECRET_SETTING)
    with read_transaction(engine) as connection:
        secret = connection.scalar(found)
    if secret is None:
        with engine.begin() as connection:
            made = {"key": SECRET_SETTING, "value": secrets.token_hex(32)}
            connection.execute(insert_or_ignore(connection, setting).values(made))
            secret = connection.execute(found).scalar_one()
    return bytes.fromhex(secret)


def run_inline_on_sqlite(
    site: Site, endpoint: Callable[[Request], Response]
) -> Callable[[Request], Response | Awaitable[Response]]:
    """An endpoint that reads a row or two and changes nothing, without a thread if it can.

    SQLite finds a row in less time than waking a thread takes, and no writer makes a reader
    wait. An answer that comes over a network is waited for in a thread, as Starlette has it.
    """
    if site.engine.dialect.name != "sqlite":
        return endpoint

    async def at_once(request: Request) -> Response:
        return endpoint(request)

    return at_once
