"""Leaving: by one click, by the page's button, and back again."""

import html
import re
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import journal, subscriber
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.erasure import erase_address
from newsletter.subscribers.consent.journal import ChangeOrigin, load_journal
from newsletter.subscribers.queries.unsubscribe_reasons import count_unsubscribe_reasons
from newsletter.web.site_context import Site, utc_now

ONE_CLICK = b"List-Unsubscribe=One-Click"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def token(site: Site) -> str:
    """Of the only reader."""
    ada = parse_address("Ada.Lovelace@example.org")
    with site.engine.begin() as connection:
        changes.subscribe(connection, ada, "active", ChangeOrigin(utc_now(), "form", "/subscribe"))
        found: str = connection.scalars(sa.select(subscriber.c.token)).one()
    return found


def row(site: Site) -> Any:
    with read_transaction(site.engine) as connection:
        return connection.execute(sa.select(subscriber)).one()


def lines(site: Site) -> list[tuple[str, str, str, str]]:
    with read_transaction(site.engine) as connection:
        found = load_journal(connection, row(site).id)
    return [(line.change, line.method, line.source, line.wording) for line in found]


def stored(site: Site) -> list[Any]:
    with read_transaction(site.engine) as connection:
        return [connection.execute(sa.select(table)).all() for table in (subscriber, journal)]


def fields_of(page: Any) -> dict[str, str]:
    """Names and values of all that a page's forms carry."""
    text = page.data.decode()
    found = re.findall(r'name="(\w+)" value="([^"]*)"', text)
    return {name: html.unescape(value) for name, value in found}


def leave(server: Any, token: str) -> Any:
    signed = fields_of(server.get(f"/u/{token}"))["leave"]
    return server.post(f"/u/{token}", fields={"leave": signed})


def test_opening_the_page_changes_nothing(site: Site, server: Any, token: str) -> None:
    before = stored(site)
    page = server.get(f"/u/{token}")
    assert page.status == 200
    address = row(site).address
    assert address not in page.data.decode()
    assert f"{address[0]}\u2026@" in page.data.decode()
    assert "Set-Cookie" not in page.headers
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert server.request("HEAD", f"/u/{token}").status == 200
    assert stored(site) == before


def test_pages_do_not_wait_for_whoever_writes(site: Site, server: Any, token: str) -> None:
    with site.engine.begin() as connection:
        connection.execute(sa.update(subscriber).values(name="Not yet"))
        for path in (f"/u/{token}", f"/p/{token}", "/subscribe"):
            assert server.get(path).status == 200
        assert "Not yet" not in server.get(f"/p/{token}").data.decode()


@pytest.mark.parametrize("status", ["active", "pending", "bounced"])
def test_one_click_needs_nothing_else_and_works_twice(
    site: Site, server: Any, token: str, status: str
) -> None:
    with site.engine.begin() as connection:
        connection.execute(sa.update(subscriber).values(status=status))
    for _ in range(2):
        answer = server.post(f"/u/{token}", body=ONE_CLICK, **{"Content-Type": FORM})
        assert answer.status == 200
        assert "Set-Cookie" not in answer.headers
    assert row(site).status == "unsubscribed"
    assert [line for line in lines(site) if line[0] == "unsubscribed"] == [
        ("unsubscribed", "one_click", "/u", "")
    ]


def test_one_click_as_multipart(site: Site, server: Any, token: str) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n'
        b"--b--\r\n"
    )
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    assert server.post(f"/u/{token}", body=body, **kind).status == 200
    assert row(site).status == "unsubscribed"


@pytest.mark.parametrize(
    "body", [b"", b"List-Unsubscribe=one-click", b"x=1", b"leave=forged", b"undo=x", b"signed=x"]
)
def test_no_other_body_acts(site: Site, server: Any, token: str, body: bytes) -> None:
    before = stored(site)
    answer = server.post(f"/u/{token}", body=body, **{"Content-Type": FORM})
    assert answer.status == 400
    assert stored(site) == before


def test_the_buttons_of_one_reader_are_none_of_anothers(
    site: Site, server: Any, token: str
) -> None:
    signed = fields_of(server.get(f"/u/{token}"))["leave"]
    with site.engine.begin() as connection:
        changes.rotate_token(connection, row(site).address_key, utc_now())
    before = stored(site)
    assert server.post(f"/u/{before[0][0].token}", fields={"leave": signed}).status == 400
    assert stored(site) == before


def test_the_button_and_the_way_back(site: Site, server: Any, token: str) -> None:
    left = leave(server, token)
    assert left.status == 200
    assert row(site).status == "unsubscribed"
    undo = {"undo": fields_of(left)["undo"], "back": "yes"}
    assert server.post(f"/u/{token}", fields=undo).status == 200
    assert row(site).status == "active"
    assert lines(site)[-2:] == [
        ("unsubscribed", "form", "/u", ""),
        ("resubscribed", "form", "/u", "undo"),
    ]
    # It undoes that leaving alone, and once.
    leave(server, token)
    assert server.post(f"/u/{token}", fields=undo).status == 400
    assert row(site).status == "unsubscribed"


def test_a_pause_instead(site: Site, server: Any, token: str) -> None:
    left = leave(server, token)
    fields = {"undo": fields_of(left)["undo"], "pause": "yes"}
    assert server.post(f"/u/{token}", fields=fields).status == 200
    now = row(site)
    assert now.status == "active"
    assert now.paused_until > utc_now()


@pytest.mark.parametrize(
    "change", [changes.record_bounce, changes.record_complaint, changes.unsubscribe]
)
def test_there_is_nothing_to_undo_for_whoever_was_out_before(
    site: Site, server: Any, token: str, change: Any
) -> None:
    with site.engine.begin() as connection:
        change(connection, row(site).address_key, ChangeOrigin(utc_now(), "webhook"))
    assert "undo" not in fields_of(leave(server, token))


def test_a_complaint_since_can_not_be_undone(site: Site, server: Any, token: str) -> None:
    left = leave(server, token)
    with site.engine.begin() as connection:
        changes.record_complaint(
            connection, row(site).address_key, ChangeOrigin(utc_now(), "webhook")
        )
    undo = {"undo": fields_of(left)["undo"]}
    assert server.post(f"/u/{token}", fields=undo).status == 400
    assert row(site).status == "complained"


def test_why_is_counted_without_a_name(site: Site, server: Any, token: str) -> None:
    signed = fields_of(leave(server, token))["signed"]
    before = stored(site)
    for reason in ("too_many", "too_many", "made up"):
        answer = server.post(f"/u/{token}", fields={"signed": signed, "reason": reason})
        assert answer.status == 200
    assert stored(site) == before
    with read_transaction(site.engine) as connection:
        assert count_unsubscribe_reasons(connection) == {"too_many": 2}


def test_a_link_that_is_nobodys(site: Site, server: Any, token: str) -> None:
    key = row(site).address_key
    erase_address(site.engine, key, utc_now())
    pages = {
        server.get(f"/{path}/{each}").data
        for path in ("u", "p")
        for each in (token, "sample", "A" * 22, "%C3%A9", "x" * 500)
    }
    assert len(pages) == 1
    assert key.encode() not in pages.pop()
    for each in (token, "A" * 22):
        answer = server.post(f"/u/{each}", body=ONE_CLICK, **{"Content-Type": FORM})
        assert answer.status == 404
    assert server.get(f"/u/{token}").status == 404
