"""Requests by email, many at once, on SQLite and PostgreSQL."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.db.schema import subscriber
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.web.subscriber.access_token import sign
from newsletter.web.subscriber.requested_emails import normalize_mailbox

SPELLINGS = [f"ada+{number}@example.org" for number in range(6)]


@pytest.fixture
def site_database(database_url: str) -> str:
    return database_url


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"signup": {"per_ip_hour": 1000, "per_address_day": 4}}


@pytest.fixture
def tokens(harness: Any) -> list[str]:
    """The tokens of six subscribers with one mailbox, and of one with another mailbox."""
    origin = ChangeOrigin(harness.clock(), "cli")
    with harness.site.engine.begin() as connection:
        for address in [*SPELLINGS, "bob@example.org"]:
            changes.subscribe(connection, parse_address(address), "active", origin)
        query = sa.select(subscriber.c.token).order_by(subscriber.c.id)
        return list(connection.scalars(query))


def submit(harness: Any, server: Any, token: str, fields: dict[str, str]) -> int:
    fields = {"signed": sign(harness.site, "preferences", token), **fields}
    status: int = server.post(f"/p/{token}", fields=fields).status
    return status


def test_concurrent_requests_stay_within_the_limit_and_never_block_each_other(
    harness: Any, server: Any, tokens: list[str]
) -> None:
    requests = [(token, {"do": kind}) for token in tokens for kind in ("download", "erase")]
    # In both directions between the two mailboxes, so that their counts are locked in every order.
    requests += [(token, {"do": "move", "email": "bob+new@example.org"}) for token in tokens[:6]]
    requests.append((tokens[6], {"do": "move", "email": "ada+new@example.org"}))
    with ThreadPoolExecutor(8) as threads:
        statuses = threads.map(lambda request: submit(harness, server, *request), requests)
    assert set(statuses) == {200}
    letters = Counter(normalize_mailbox(parse_address(to)) for to in harness.send_emails())
    assert letters == {"ada@example.org": 4, "bob@example.org": 4}


@pytest.mark.parametrize("kind", ["download", "erase"])
def test_button_clicked_twice_at_once_acts_once(
    harness: Any, server: Any, tokens: list[str], kind: str
) -> None:
    submit(harness, server, tokens[6], {"do": kind})
    assert harness.send_emails() == ["bob@example.org"]
    text = harness.latest_email()["content"][0]["value"]
    path = f"/{kind}/" + text.partition(f"/{kind}/")[2].partition(">")[0]
    with ThreadPoolExecutor(4) as threads:
        clicks = [threads.submit(server.post, path, fields={"yes": "yes"}) for _ in range(4)]
    statuses = sorted(click.result().status for click in clicks)
    # Who erases an address that was erased a moment ago sees the same page.
    assert statuses == [200, 410, 410, 410] if kind == "download" else 200 in statuses
    assert set(statuses) <= {200, 410}
    assert harness.status("bob@example.org") == (None if kind == "erase" else "active")
