"""Confirmation links: only the button subscribes, once, until they expire."""

import re
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.db.schema import journal, subscriber, suppression, transactional_email
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.erasure import erase_address
from newsletter.subscribers.consent.journal import ChangeOrigin, load_journal

ADA = parse_address("ada@example.org")
YES = {"yes": "yes"}
TABLES = (subscriber, journal, suppression, transactional_email)


def sign_up(harness: Any, server: Any, address: str = ADA.address) -> str:
    """Sign up; return the path of the link in the confirmation email."""
    assert server.post("/subscribe", fields=harness.make_fields(address)).status == 200
    assert harness.send_emails() == [address]
    path: str = harness.confirm_path()
    return path


def load_rows(harness: Any) -> list[Any]:
    with harness.site.engine.begin() as connection:
        return [connection.execute(sa.select(table)).all() for table in TABLES]


def test_only_the_button_subscribes(harness: Any, server: Any) -> None:
    path = sign_up(harness, server)
    rows = load_rows(harness)
    for agent in ("Mozilla/5.0", "Barracuda Sentinel"):
        for _ in range(10):
            page = server.get(path, **{"User-Agent": agent})
            assert page.status == 200
            assert b"<button" in page.data
            assert server.request("HEAD", path).status == 200
    assert server.post(path, fields={}).status == 200, "an empty form confirms nothing"
    assert load_rows(harness) == rows

    assert server.post(path, fields=YES).status == 200
    assert harness.status(ADA.key) == "active"
    with harness.site.engine.begin() as connection:
        lines = load_journal(connection, 1)
    assert [(line.change, line.method, line.source) for line in lines] == [
        ("subscribed", "form", "/subscribe"),
        ("confirmed", "form", "/confirm"),
    ]
    assert lines[1].wording == "Yes, send me Harbour Notes by email. I can unsubscribe at any time."


def test_page_is_not_cached_or_indexed(harness: Any, server: Any) -> None:
    page = server.get(sign_up(harness, server))
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in page.headers["Cache-Control"]
    assert "noindex" in page.headers["X-Robots-Tag"]


def test_confirmed_page_leads_on(harness: Any, server: Any) -> None:
    path = sign_up(harness, server)
    with harness.site.engine.connect() as connection:
        assert (
            connection.scalar(sa.select(subscriber.c.token)).encode() not in server.get(path).data
        )
    for response in (server.post(path, fields=YES), server.get(path)):
        with harness.site.engine.connect() as connection:
            token = connection.scalar(sa.select(subscriber.c.token))
        page = response.data.decode()
        # Only for the click: the token may be another one since the email was forwarded.
        assert (f'href="/p/{token}"' in page) == (b"already" not in response.data)
        assert f'<strong dir="ltr">{harness.site.config.sender.address}</strong>' in page


def test_second_confirmation_changes_nothing(harness: Any, server: Any) -> None:
    path = sign_up(harness, server)
    server.post(path, fields=YES)
    confirmed = load_rows(harness)
    for again in (server.post(path, fields=YES), server.get(path)):
        assert again.status == 200
        assert b"already" in again.data
    assert load_rows(harness) == confirmed


def test_used_link_does_not_resubscribe(harness: Any, server: Any) -> None:
    path = sign_up(harness, server)
    server.post(path, fields=YES)
    with harness.site.engine.begin() as connection:
        changes.unsubscribe(connection, ADA.key, ChangeOrigin(harness.clock(), "one_click"))
    for response in (server.get(path), server.post(path, fields=YES)):
        assert response.status == 410
        assert b'/subscribe"' in response.data
    assert harness.status(ADA.key) == "unsubscribed"


@pytest.mark.parametrize("before", ["unsubscribed", "bounced", "complained", "erased"])
def test_suppressed_address_becomes_active_by_confirming(
    harness: Any, server: Any, before: str
) -> None:
    origin = ChangeOrigin(harness.clock(), "webhook")
    with harness.site.engine.begin() as connection:
        changes.subscribe(connection, ADA, "active", origin)
        if before in changes.SUPPRESSION_ACTIONS:
            changes.SUPPRESSION_ACTIONS[before](connection, ADA.key, origin)
    if before == "erased":
        erase_address(harness.site.engine, ADA.key, harness.clock())
    path = sign_up(harness, server)
    assert harness.status(ADA.key) != "active"
    server.post(path, fields=YES)
    assert harness.status(ADA.key) == "active"
    assert harness.status(ADA.key) == "active"


def test_expired_link_offers_to_sign_up_again(harness: Any, server: Any) -> None:
    path = sign_up(harness, server)
    harness.clock.advance(days=7, seconds=2)
    for response in (server.get(path), server.post(path, fields=YES)):
        assert response.status == 410
        assert b'/subscribe"' in response.data
    assert harness.status(ADA.key) == "pending"


def test_forged_links_are_not_found(harness: Any, server: Any) -> None:
    path = sign_up(harness, server)
    before = load_rows(harness)
    flipped = "A" if path[-5] != "A" else "B"
    forged = [path[:-5] + flipped + path[-4:], path[:9] + "X" + path[10:]]
    forged += [f"/confirm/{harness.site.signer('form').dumps(1)}", "/confirm/x", f"{path}%00"]
    for link in forged:
        assert server.get(link).status == 404, link
        assert server.post(link, fields=YES).status == 404, link
    assert load_rows(harness) == before


@pytest.mark.parametrize("settings", [{"signup": {"welcome": True}}])
def test_welcome_email_is_sent_once(harness: Any, server: Any) -> None:
    path = sign_up(harness, server)
    server.post(path, fields=YES)
    server.post(path, fields=YES)
    assert harness.send_emails() == [ADA.address]
    assert harness.latest_email()["subject"] == "Welcome to Harbour Notes"
    assert harness.send_emails() == []


@pytest.mark.parametrize("settings", [{"signup": {"welcome": True}}])
def test_emails_speak_the_language_of_the_page_or_that_of_the_list(
    harness: Any, server: Any
) -> None:
    german = {"Accept-Language": "de-CH,en;q=0.5"}
    assert (
        server.post("/subscribe", fields=harness.make_fields(ADA.address), **german).status == 200
    )
    harness.send_emails()
    assert harness.latest_email()["subject"] == "Bitte bestätige dein Abo von Harbour Notes"
    page = server.get(harness.confirm_path(), **{"Accept-Language": "fr"}).data.decode()
    assert "Ja, schickt mir Harbour Notes" in page, "the consent as it was given"
    server.post(harness.confirm_path(), fields=YES, **german)
    harness.send_emails()
    assert harness.latest_email()["subject"] == "Willkommen bei Harbour Notes"
    with harness.site.engine.begin() as connection:
        token = connection.scalars(sa.select(subscriber.c.token)).one()
        values = {"attributes": {"Language": "pt_BR"}}
        connection.execute(sa.update(subscriber).values(values))
    preferences = server.get(f"/p/{token}", **german).data.decode()
    signed = re.search(r'name="signed" value="([^"]+)"', preferences)
    assert signed
    server.post(f"/p/{token}", fields={"do": "download", "signed": signed[1]}, **german)
    harness.send_emails()
    assert harness.latest_email()["subject"] == "Os seus dados em Harbour Notes"
