"""The site's shared objects: project, database, templates, clock, secret."""

import datetime
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import itsdangerous
import sqlalchemy as sa

from newsletter.config import Config
from newsletter.db import read_transaction
from newsletter.db.bulk import insert_or_ignore
from newsletter.db.schema import setting
from newsletter.project import Project
from newsletter.web.database_clock import DatabaseClock
from newsletter.web.page_templates import PageRenderer
from newsletter.web.refused_signups import RefusedSignupCounter

SECRET_SETTING = "site_secret"  # noqa: S105 - the secret's key, not the secret


def utc_now() -> datetime.datetime:
    """Return the current time, timezone-aware."""
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True, slots=True)
class Site:
    """A newsletter's public site.

    Attributes:
        project: the newsletter's project.
        engine: the database.
        pages: renders the HTML pages.
        secret: 32 bytes, stored in the database only, that sign forms and links.
        clock: returns the current time, timezone-aware.
        refused_signups: counts the sign-ups that this process refuses.
    """

    project: Project
    engine: sa.Engine
    pages: PageRenderer
    secret: bytes
    clock: Callable[[], datetime.datetime] = utc_now
    refused_signups: RefusedSignupCounter = field(default_factory=RefusedSignupCounter)

    @property
    def config(self) -> Config:
        """The newsletter's settings."""
        return self.project.config

    def signer(self, purpose: str) -> itsdangerous.URLSafeTimedSerializer:
        """Return a signer for one purpose, which rejects what is signed for another."""
        return itsdangerous.URLSafeTimedSerializer(
            self.secret,
            salt=purpose,
            signer=_SiteTimestampSigner,
            signer_kwargs={"clock": self.clock},
        )


class _SiteTimestampSigner(itsdangerous.TimestampSigner):
    """A signer that goes by the site's clock, with which the age of a link is computed."""

    def __init__(self, *args: Any, clock: Callable[[], datetime.datetime], **options: Any) -> None:
        super().__init__(*args, **options)
        self._clock = clock

    def get_timestamp(self) -> int:
        """Return the time in seconds since the epoch."""
        return int(self._clock().timestamp())


def open_site(
    project: Project, engine: sa.Engine, clock: Callable[[], datetime.datetime] | None = None
) -> Site:
    """Open a project's site; create its secret on first use.

    Args:
        project: the newsletter's project.
        engine: the database.
        clock: returns the current time; ``None`` for that of the database if several hosts may
            share it, else of this machine.

    Raises:
        TemplateError: a page's template or the messages can't be read.
    """
    if clock is None:
        clock = DatabaseClock(engine) if engine.dialect.name == "postgresql" else utc_now
    return Site(project, engine, PageRenderer(project), _load_or_create_secret(engine), clock)


def _load_or_create_secret(engine: sa.Engine) -> bytes:
    select_secret = sa.select(setting.c.value).where(setting.c.key == SECRET_SETTING)
    with read_transaction(engine) as connection:
        secret = connection.scalar(select_secret)
    if secret is None:
        with engine.begin() as connection:
            row = {"key": SECRET_SETTING, "value": secrets.token_hex(32)}
            connection.execute(insert_or_ignore(connection, setting).values(row))
            secret = connection.execute(select_secret).scalar_one()
    return bytes.fromhex(secret)
