"""A site whose time stands still until a test lets it pass, and the vendor of its letters."""

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from newsletter.db.schema import subscriber, transactional_email
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.web.site_context import Site
from newsletter.web.subscriber.subscribe import make_form_token
from newsletter.web.subscriber.transactional_emails import send_due_emails


@dataclass
class Time:
    """The site's clock."""

    # Links are signed with the real time.
    now: datetime.datetime = field(default_factory=lambda: datetime.datetime.now(datetime.UTC))

    def __call__(self) -> datetime.datetime:
        return self.now

    def pass_by(self, **span: float) -> None:
        self.now += datetime.timedelta(**span)


@dataclass(frozen=True)
class Desk:
    """What a test does with the site besides asking it over HTTP."""

    site: Site
    time: Time
    vendor: FakeSendGrid
    mailer: SendGridClient

    def token(self) -> str:
        """A form's token, old enough."""
        made = make_form_token(self.site)
        self.time.pass_by(seconds=3)
        return made

    def fields(self, email: str, **more: str) -> dict[str, str]:
        """A form, filled in as a reader would."""
        return {"email": email, "token": self.token(), **more}

    def post(self) -> list[str]:
        """Run the background job: the addresses that got a letter."""
        before = len(self.vendor.accepted)
        send_due_emails(self.site, self.mailer)
        return [one.address for one in self.vendor.accepted[before:]]

    def letter(self) -> dict[str, Any]:
        """The latest letter, as the vendor got it."""
        letter: dict[str, Any] = orjson.loads(self.vendor.requests[-1].body)
        return letter

    def link(self) -> str:
        """The path of the link in the latest letter."""
        text = self.letter()["content"][0]["value"]
        found = re.search(r"https://[^/]+(/confirm/[^>\s]+)", text)
        assert found, text
        return found[1]

    def status(self, address: str) -> str | None:
        with self.site.engine.begin() as connection:
            mine = subscriber.c.address_key == address
            return connection.scalar(sa.select(subscriber.c.status).where(mine))

    def owed(self) -> list[tuple[str, str]]:
        """(address, state) of every letter."""
        with self.site.engine.begin() as connection:
            rows = connection.execute(
                sa.select(transactional_email.c.address, transactional_email.c.state).order_by(
                    transactional_email.c.id
                )
            )
            return [(row.address, row.state) for row in rows]


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def settings() -> dict[str, Any]:
    """Of newsletter.yml, besides the least there can be; a test may override it."""
    return {}


def _hasty(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture
def site(site: Site, time: Time, settings: dict[str, Any]) -> Site:
    """The site with a clock of the test's, and its settings."""
    config = site.config.model_copy(
        update={
            "public_url": "https://news.harbour-notes.org",
            **{
                name: getattr(site.config, name).model_copy(update=values)
                for name, values in settings.items()
            },
        }
    )
    if site.engine.dialect.name == "sqlite":
        # Thousands of commits: what a power cut leaves is tested elsewhere.
        site.engine.dispose()
        sa.event.listen(site.engine, "connect", _hasty)
    return replace(site, clock=time, project=replace(site.project, config=config))


@pytest.fixture
def desk(site: Site, time: Time) -> Iterator[Desk]:
    with FakeSendGrid(clock=lambda: time().timestamp()) as vendor:
        options = site.config.sendgrid.model_copy(
            update={"host": vendor.url, "read_timeout": 0.5, "connect_timeout": 5.0}
        )
        mailer = SendGridClient(vendor.key, options)
        yield Desk(site, time, vendor, mailer)
        mailer.close()
