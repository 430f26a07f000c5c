"""Fixture: the only subscriber."""

import pytest
import sqlalchemy as sa

from newsletter.db.schema import subscriber
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.web.site_context import Site, utc_now


@pytest.fixture
def token(site: Site) -> str:
    """The token of the only subscriber."""
    ada = parse_address("Ada.Lovelace@example.org")
    with site.engine.begin() as connection:
        changes.subscribe(connection, ada, "active", ChangeOrigin(utc_now(), "form", "/subscribe"))
        token: str = connection.scalars(sa.select(subscriber.c.token)).one()
    return token
