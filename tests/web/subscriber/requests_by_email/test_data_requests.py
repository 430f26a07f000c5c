"""Download and erasure: confirmed by email, once, from the mailbox itself."""

import html
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import (
    address_change,
    journal,
    subscriber,
    suppression,
    transactional_email,
)
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.web.site_context import Site

ADA = parse_address("Ada.Lovelace@example.org")
KINDS = ("download", "erase")
TABLES = (subscriber, journal, transactional_email, address_change)
BUTTON = {"yes": "yes"}


@pytest.fixture
def token(site: Site) -> str:
    """The token of the only subscriber."""
    with site.engine.begin() as connection:
        changes.subscribe(connection, ADA, "active", ChangeOrigin(site.clock(), "form"))
        token: str = connection.scalars(sa.select(subscriber.c.token)).one()
    return token


def load_rows(site: Site) -> list[Any]:
    with read_transaction(site.engine) as connection:
        return [connection.execute(sa.select(table)).all() for table in TABLES]


def request(server: Any, token: str, kind: str, **fields: str) -> Any:
    """Click the button of the preferences page."""
    page = server.get(f"/p/{token}").data.decode()
    form = page.split(f'name="do" value="{kind}"')[1].split("</form>")[0]
    signed = re.findall(r'name="signed" value="([^"]+)"', form)[0]
    fields = {"do": kind, "signed": html.unescape(signed), **fields}
    return server.post(f"/p/{token}", fields=fields)


def find_path(harness: Any, kind: str) -> str:
    """The path of the link in the latest email."""
    email = harness.latest_email()
    paths = {
        match[1]
        for part in email["content"]
        for match in re.finditer(rf"https://[^/]+(/{kind}/[^\s\"<>]+)", part["value"])
    }
    assert len(paths) == 1
    return paths.pop()


def request_and_open(harness: Any, server: Any, token: str, kind: str) -> str:
    """Request it, and return the path of the link in the email."""
    assert request(server, token, kind).status == 200
    assert harness.send_emails() == [ADA.address]
    return find_path(harness, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_token_alone_reveals_and_erases_nothing(
    site: Site, harness: Any, server: Any, token: str, kind: str
) -> None:
    before = load_rows(site)[:2]
    response = request(server, token, kind, sure="yes")
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/html")
    assert response.headers["Cache-Control"] == "no-store"
    text = html.unescape(response.data.decode())
    assert "A…@e….org" in text
    assert ADA.address not in text
    assert "mailto:editor@" in text, "for those who have lost the mailbox"
    assert load_rows(site)[:2] == before
    assert harness.send_emails() == [ADA.address]


@pytest.mark.parametrize("kind", KINDS)
def test_opening_the_link_changes_and_reveals_nothing(
    site: Site, harness: Any, server: Any, token: str, kind: str
) -> None:
    path = request_and_open(harness, server, token, kind)
    before = load_rows(site)
    for response in (
        *(server.request(method, path) for method in ("GET", "HEAD") * 3),
        server.post(path, fields={}),
        server.post(path, fields={"yes": "no"}),
    ):
        assert response.status == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert "Ada" not in response.data.decode()
        assert token not in response.data.decode()
    assert load_rows(site) == before
    page = server.get(path).data.decode()
    assert page.count("<button") == 1


def test_button_downloads_the_data_once(harness: Any, server: Any, token: str) -> None:
    path = request_and_open(harness, server, token, "download")
    response = server.post(path, fields=BUTTON)
    assert response.status == 200
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert response.headers["Cache-Control"] == "no-store"
    data = json.loads(response.data)
    assert data["address"] == ADA.address
    assert data["journal"][0]["change"] == "subscribed"
    assert [email["kind"] for email in data["emails"]] == ["download"]
    assert token not in response.data.decode(), "the token is secret"
    for _ in range(2):
        assert server.get(path).status == 410
        assert server.post(path, fields=BUTTON).status == 410
    harness.clock.advance(hours=2)
    assert (
        server.post(request_and_open(harness, server, token, "download"), fields=BUTTON).status
        == 200
    )


def test_button_erases(site: Site, harness: Any, server: Any, token: str) -> None:
    path = request_and_open(harness, server, token, "erase")
    download = request_and_open(harness, server, token, "download")
    assert server.post(path, fields=BUTTON).status == 200
    assert load_rows(site) == [[], [], [], []]
    assert server.get(f"/p/{token}").status == 404
    for link in (path, download):
        expired = server.get(link)
        assert (expired.status, expired.headers["cache-control"]) == (410, "no-store")
        assert server.post(link, fields=BUTTON).status == 410


def test_erasure_deletes_dry_runs_and_logs_what_it_cannot_reach(
    site: Site,
    harness: Any,
    server: Any,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folders = [
        site.project.build_dir / name / "dry-run" for name in ("2026-12-01-a", "2026-12-02-b")
    ]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "requests.jsonl").write_text('{"email":"Ada.Lovelace@example.org"}')
    path = request_and_open(harness, server, token, "erase")
    remove_folder = shutil.rmtree

    def refuse_one(folder: Path) -> None:
        if folder == folders[1]:
            raise PermissionError
        remove_folder(folder)

    monkeypatch.setattr(shutil, "rmtree", refuse_one)
    assert server.post(path, fields=BUTTON).status == 200
    assert load_rows(site)[0] == []
    assert [folder.exists() for folder in folders] == [False, True]
    (message,) = [
        record.getMessage() for record in caplog.records if record.name.endswith("data_requests")
    ]
    assert str(folders[1]) in message
    assert "ada" not in message.lower().replace(str(folders[1]).lower(), "")


@pytest.mark.parametrize("kind", KINDS)
def test_links_expire(harness: Any, server: Any, token: str, kind: str) -> None:
    path = request_and_open(harness, server, token, kind)
    harness.clock.advance(days=6)
    assert server.get(path).status == 200
    harness.clock.advance(days=1, seconds=2)
    assert server.get(path).status == 410
    assert server.post(path, fields=BUTTON).status == 410


@pytest.mark.parametrize("kind", KINDS)
def test_forged_links_are_refused(
    site: Site, harness: Any, server: Any, token: str, kind: str
) -> None:
    path = request_and_open(harness, server, token, kind)
    with read_transaction(site.engine) as connection:
        email_id = connection.scalars(sa.select(transactional_email.c.id)).one()
    before = load_rows(site)
    other = KINDS[1 - KINDS.index(kind)]
    flipped = "A" if path[-9] != "A" else "B"
    for forged in (
        f"{path[:-9]}{flipped}{path[-8:]}",
        f"/{kind}/x",
        f"/{kind}/a.b.c",
        f"/{kind}/%00",
        path.replace(f"/{kind}/", f"/{other}/"),
        *(f"/{kind}/{site.signer(wrong).dumps(email_id)}" for wrong in ("confirm", "move", other)),
        f"/{kind}/{site.signer(kind).dumps(email_id + 1)}",
        f"/{kind}/{site.signer(kind).dumps('x')}",
    ):
        assert server.get(forged).status == 410, forged
        assert server.post(forged, fields=BUTTON).status == 410, forged
    assert load_rows(site) == before


@pytest.mark.parametrize("kind", KINDS)
def test_link_ends_with_a_change_of_address(
    site: Site, harness: Any, server: Any, token: str, kind: str
) -> None:
    path = request_and_open(harness, server, token, kind)
    origin = ChangeOrigin(harness.clock(), "form")
    with site.engine.begin() as connection:
        changes.change_address(connection, ADA.key, parse_address("ada@new.example"), origin)
        # Somebody else has the old address now.
        changes.subscribe(connection, ADA, "active", origin)
    assert server.get(path).status == 410
    assert server.post(path, fields=BUTTON).status == 410


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "suppressed", "is_sent"),
    [
        ("active", None, True),
        ("pending", None, True),
        ("unsubscribed", None, True),
        ("complained", "complained", True),
        ("active", "unsubscribed", True),
        ("bounced", "bounced", False),
        ("active", "bounced", False),
    ],
)
def test_only_mailboxes_that_bounce_are_sent_nothing(
    site: Site,
    harness: Any,
    server: Any,
    token: str,
    kind: str,
    status: str,
    suppressed: str | None,
    *,
    is_sent: bool,
) -> None:
    with site.engine.begin() as connection:
        connection.execute(sa.update(subscriber).values(status=status))
        if suppressed:
            row = {"address_key": ADA.key, "reason": suppressed, "since": site.clock()}
            connection.execute(sa.insert(suppression).values(**row, source="webhook"))
    response = request(server, token, kind)
    assert response.status == 200
    page = html.unescape(response.data.decode())
    assert ("Check your inbox" in page) is is_sent
    assert ("We can't email this address" in page) is not is_sent
    assert "mailto:editor@" in page
    assert len(harness.list_emails()) == is_sent
    assert harness.send_emails() == ([ADA.address] if is_sent else [])
    if is_sent:
        settings = harness.latest_email()["mail_settings"]
        assert settings == {
            "bypass_spam_management": {"enable": True},
            "bypass_unsubscribe_management": {"enable": True},
        }
        assert server.post(find_path(harness, kind), fields=BUTTON).status == 200


@pytest.mark.parametrize("settings", [{"sender": {"reply_to": "help@harbour-notes.org"}}])
def test_page_names_the_address_for_replies(server: Any, token: str) -> None:
    page = request(server, token, "erase").data.decode()
    assert "mailto:help@harbour-notes.org" in page


def test_email_is_not_sent_to_a_mailbox_that_bounced_meanwhile(
    site: Site, harness: Any, server: Any, token: str
) -> None:
    request(server, token, "download")
    with site.engine.begin() as connection:
        changes.record_bounce(connection, ADA.key, ChangeOrigin(site.clock(), "webhook"))
    assert harness.send_emails() == []


@pytest.mark.parametrize("kind", KINDS)
def test_one_email_an_hour_and_always_the_same_response(
    harness: Any, server: Any, token: str, kind: str
) -> None:
    first = request(server, token, kind)
    again = request(server, token, kind)
    assert (first.status, first.data) == (again.status, again.data)
    assert harness.send_emails() == [ADA.address]
    harness.clock.advance(hours=2)
    assert request(server, token, kind).data == first.data
    assert harness.send_emails() == [ADA.address]


def test_email_waits_for_a_server_with_a_key(harness: Any, server: Any, token: str) -> None:
    request(server, token, "download")
    assert harness.list_emails() == [(ADA.address, "ready")]
    harness.clock.advance(hours=12)
    assert harness.send_emails() == [ADA.address]
