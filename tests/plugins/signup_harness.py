"""Fixtures: a site with a manual clock, and a fake SendGrid for its emails; for conftest.py."""

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
from newsletter.web.archive.latest_issues import make_latest_finder
from newsletter.web.site_context import Site
from newsletter.web.subscriber.subscribe import make_form_token
from newsletter.web.subscriber.transactional_emails import send_due_emails


@dataclass
class ManualClock:
    """A clock that only moves when a test moves it."""

    now: datetime.datetime = field(default_factory=lambda: datetime.datetime.now(datetime.UTC))

    def __call__(self) -> datetime.datetime:
        return self.now

    def advance(self, **delta: float) -> None:
        self.now += datetime.timedelta(**delta)


@dataclass(frozen=True)
class SignupHarness:
    """A test's access to the site, other than over HTTP."""

    site: Site
    clock: ManualClock
    sendgrid: FakeSendGrid
    mailer: SendGridClient

    def make_token(self) -> str:
        """A form's token, old enough to be accepted."""
        token = make_form_token(self.site)
        self.clock.advance(seconds=3)
        return token

    def make_fields(self, email: str, **more: str) -> dict[str, str]:
        """The fields of a form, filled in."""
        return {"email": email, "token": self.make_token(), **more}

    def send_emails(self) -> list[str]:
        """Run the background job; return the addresses that were sent an email."""
        before = len(self.sendgrid.accepted)
        latest = make_latest_finder(self.site.project, self.site.engine, self.clock())
        send_due_emails(self.site, self.mailer, latest)
        return [recipient.address for recipient in self.sendgrid.accepted[before:]]

    def latest_email(self) -> dict[str, Any]:
        """The latest email's API request."""
        body: dict[str, Any] = orjson.loads(self.sendgrid.requests[-1].body)
        return body

    def confirm_path(self) -> str:
        """The path of the confirmation link in the latest email."""
        text = self.latest_email()["content"][0]["value"]
        match = re.search(r"https://[^/]+(/confirm/[^>\s]+)", text)
        assert match, text
        return match[1]

    def status(self, address: str) -> str | None:
        with self.site.engine.begin() as connection:
            query = sa.select(subscriber.c.status).where(subscriber.c.address_key == address)
            return connection.scalar(query)

    def list_emails(self) -> list[tuple[str, str]]:
        """(address, state) of every transactional email."""
        with self.site.engine.begin() as connection:
            rows = connection.execute(
                sa.select(transactional_email.c.address, transactional_email.c.state).order_by(
                    transactional_email.c.id
                )
            )
            return [(row.address, row.state) for row in rows]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def settings() -> dict[str, Any]:
    """Sections of newsletter.yml in addition to the minimal ones; a test may override them."""
    return {}


@pytest.fixture
def site(site: Site, clock: ManualClock, settings: dict[str, Any]) -> Site:
    """The site with the test's clock and settings."""
    config = site.config.model_copy(
        update={
            "public_url": "https://news.harbour-notes.org",
            **{
                name: getattr(site.config, name).model_copy(update=values)
                for name, values in settings.items()
            },
        }
    )
    return replace(site, clock=clock, project=replace(site.project, config=config))


@pytest.fixture
def harness(site: Site, clock: ManualClock) -> Iterator[SignupHarness]:
    with FakeSendGrid(clock=lambda: clock().timestamp()) as sendgrid:
        options = site.config.sendgrid.model_copy(update={"host": sendgrid.url})
        mailer = SendGridClient(sendgrid.key, options)
        yield SignupHarness(site, clock, sendgrid, mailer)
        mailer.close()
