"""An erasure while the same reader clicks or is sent something else, on both databases."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import address_change, subscriber
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.erasure import erase_address
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.web.subscriber.access_token import sign

BUTTON = {"yes": "yes"}
KINDS = ("download", "erase")
REPEATS = 8


@pytest.fixture
def site_database(database_url: str) -> str:
    return database_url


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"signup": {"per_ip_hour": 1000, "per_address_day": 100}}


def run_concurrently(*functions: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(len(functions)) as threads:
        futures = [threads.submit(function) for function in functions]
        return [future.result() for future in futures]


def add_subscriber(harness: Any, address: str, status: str = "active") -> str:
    origin = ChangeOrigin(harness.clock(), "cli")
    with harness.site.engine.begin() as connection:
        id_ = changes.subscribe(connection, parse_address(address), status, origin).id
        query = sa.select(subscriber.c.token).where(subscriber.c.id == id_)
        return str(connection.scalars(query).one())


def submit(harness: Any, server: Any, token: str, **fields: str) -> int:
    fields = {"signed": sign(harness.site, "preferences", token), **fields}
    status: int = server.post(f"/p/{token}", fields=fields).status
    return status


def click(server: Any, path: str) -> int:
    status: int = server.post(path, fields=BUTTON).status
    return status


def send_and_find_paths(harness: Any, kind: str, count: int = 1) -> list[str]:
    """Send what is queued; return the paths of the links in the latest emails."""
    harness.send_emails()
    paths = []
    for request in harness.sendgrid.requests[-count:]:
        text = orjson.loads(request.body)["content"][0]["value"]
        paths += re.findall(rf"https://[^/]+(/{kind}/[^>\s]+)", text)
    return paths


def erase(harness: Any, address: str) -> None:
    erase_address(harness.site.engine, address, harness.clock())


def test_erasure_and_download_clicked_at_once(harness: Any, server: Any) -> None:
    for number in range(REPEATS):
        token = add_subscriber(harness, f"ada{number}@example.org")
        paths = []
        for kind in KINDS:
            assert submit(harness, server, token, do=kind) == 200
            paths += send_and_find_paths(harness, kind)
        statuses = run_concurrently(*(partial(click, server, path) for path in paths * 2))
        assert set(statuses) <= {200, 410}
        assert harness.status(f"ada{number}@example.org") is None


def test_download_requested_during_an_erasure_leaves_no_email(harness: Any, server: Any) -> None:
    for number in range(REPEATS):
        address = f"ada{number}@example.org"
        token = add_subscriber(harness, address)
        requests = [partial(submit, harness, server, token, do=kind) for kind in KINDS]
        statuses = run_concurrently(*requests, partial(erase, harness, address))
        assert set(statuses[:2]) <= {200, 404}
        assert harness.list_emails() == []


def test_confirmation_clicked_during_an_erasure(harness: Any, server: Any) -> None:
    for number in range(REPEATS):
        address = f"ada{number}@example.org"
        server.post("/subscribe", fields=harness.make_fields(address))
        (path,) = send_and_find_paths(harness, "confirm")
        status, _ = run_concurrently(partial(click, server, path), partial(erase, harness, address))
        assert status in {200, 410}


def test_email_claimed_during_an_erasure(harness: Any, server: Any) -> None:
    for number in range(REPEATS):
        address = f"ada{number}@example.org"
        server.post("/subscribe", fields=harness.make_fields(address))
        run_concurrently(harness.send_emails, partial(erase, harness, address))
        assert harness.status(address) in {None, "pending"}


def test_change_of_address_requested_and_confirmed_during_an_erasure(
    harness: Any, server: Any
) -> None:
    for number in range(REPEATS):
        address = f"ada{number}@example.org"
        token = add_subscriber(harness, address)
        request = partial(submit, harness, server, token, do="move")
        assert request(email=f"new{number}@example.org") == 200
        paths = send_and_find_paths(harness, "move", 2)
        harness.clock.advance(hours=2)
        assert click(server, paths[0]) == 200
        statuses = run_concurrently(
            partial(click, server, paths[0]),
            partial(click, server, paths[1]),
            partial(request, email=f"other{number}@example.org"),
            partial(erase, harness, address),
        )
        assert set(statuses[:3]) <= {200, 404, 410}


def test_confirmation_counts_only_for_the_address_that_it_names(harness: Any, server: Any) -> None:
    for number in range(REPEATS):
        token = add_subscriber(harness, f"ada{number}@example.org")
        request = partial(submit, harness, server, token, do="move")
        request(email=f"new{number}@example.org")
        path, _ = send_and_find_paths(harness, "move", 2)
        harness.clock.advance(hours=2)
        other = f"other{number}@example.org"
        run_concurrently(partial(click, server, path), partial(request, email=other))
        with read_transaction(harness.site.engine) as connection:
            confirmed = connection.scalars(
                sa.select(address_change.c.old_confirmed_at).where(
                    address_change.c.address_key == other
                )
            ).all()
        assert confirmed == [None]
