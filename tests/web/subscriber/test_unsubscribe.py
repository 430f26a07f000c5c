"""Unsubscribe by one-click and by button, undo, pause, reasons."""

import datetime
import html
import re
from collections.abc import Callable
from dataclasses import replace
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
from newsletter.web.app import make_app
from newsletter.web.site_context import Site, utc_now
from newsletter.web.subscriber.unsubscribe import UNDO_PURPOSE

ONE_CLICK = b"List-Unsubscribe=One-Click"
FORM = "application/x-www-form-urlencoded"


def load_subscriber(site: Site) -> Any:
    with read_transaction(site.engine) as connection:
        return connection.execute(sa.select(subscriber)).one()


def load_journal_lines(site: Site) -> list[tuple[str, str, str, str]]:
    with read_transaction(site.engine) as connection:
        entries = load_journal(connection, load_subscriber(site).id)
    return [(entry.change, entry.method, entry.source, entry.wording) for entry in entries]


def load_rows(site: Site) -> list[Any]:
    with read_transaction(site.engine) as connection:
        return [connection.execute(sa.select(table)).all() for table in (subscriber, journal)]


def parse_hidden_fields(page: Any) -> dict[str, str]:
    """Names and values of the hidden fields in a page's forms."""
    text = page.data.decode()
    fields = re.findall(r'name="(\w+)" value="([^"]*)"', text)
    return {name: html.unescape(value) for name, value in fields}


def unsubscribe(server: Any, token: str) -> Any:
    signed = parse_hidden_fields(server.get(f"/u/{token}"))["leave"]
    return server.post(f"/u/{token}", fields={"leave": signed})


def test_opening_the_page_changes_nothing(site: Site, server: Any, token: str) -> None:
    before = load_rows(site)
    page = server.get(f"/u/{token}")
    assert page.status == 200
    address = load_subscriber(site).address
    assert address not in page.data.decode()
    assert f"{address[0]}\u2026@" in page.data.decode()
    assert "Set-Cookie" not in page.headers
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert server.request("HEAD", f"/u/{token}").status == 200
    assert load_rows(site) == before


def test_pages_do_not_wait_for_a_writer(site: Site, server: Any, token: str) -> None:
    with site.engine.begin() as connection:
        connection.execute(sa.update(subscriber).values(name="Not yet"))
        for path in (f"/u/{token}", f"/p/{token}", "/subscribe"):
            assert server.get(path).status == 200
        assert "Not yet" not in server.get(f"/p/{token}").data.decode()


@pytest.mark.parametrize("status", ["active", "pending", "bounced"])
def test_one_click_needs_no_other_field_and_is_idempotent(
    site: Site, server: Any, token: str, status: str
) -> None:
    with site.engine.begin() as connection:
        connection.execute(sa.update(subscriber).values(status=status))
    for _ in range(2):
        response = server.post(f"/u/{token}", body=ONE_CLICK, **{"Content-Type": FORM})
        assert response.status == 200
        assert "Set-Cookie" not in response.headers
    assert load_subscriber(site).status == "unsubscribed"
    assert [line for line in load_journal_lines(site) if line[0] == "unsubscribed"] == [
        ("unsubscribed", "one_click", "/u", "")
    ]


def test_one_click_as_multipart(site: Site, server: Any, token: str) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n'
        b"--b--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert server.post(f"/u/{token}", body=body, **headers).status == 200
    assert load_subscriber(site).status == "unsubscribed"


@pytest.mark.parametrize(
    "body", [b"", b"List-Unsubscribe=one-click", b"x=1", b"leave=forged", b"undo=x", b"signed=x"]
)
def test_other_bodies_change_nothing(site: Site, server: Any, token: str, body: bytes) -> None:
    before = load_rows(site)
    response = server.post(f"/u/{token}", body=body, **{"Content-Type": FORM})
    assert response.status == 400
    assert load_rows(site) == before


def test_signed_form_is_bound_to_its_token(site: Site, server: Any, token: str) -> None:
    signed = parse_hidden_fields(server.get(f"/u/{token}"))["leave"]
    with site.engine.begin() as connection:
        changes.rotate_token(connection, load_subscriber(site).address_key, utc_now())
    before = load_rows(site)
    assert server.post(f"/u/{before[0][0].token}", fields={"leave": signed}).status == 400
    assert load_rows(site) == before


def test_unsubscribe_by_button_and_undo(site: Site, server: Any, token: str) -> None:
    page = unsubscribe(server, token)
    assert page.status == 200
    assert load_subscriber(site).status == "unsubscribed"
    undo = {"undo": parse_hidden_fields(page)["undo"], "back": "yes"}
    assert server.post(f"/u/{token}", fields=undo).status == 200
    assert load_subscriber(site).status == "active"
    assert load_journal_lines(site)[-2:] == [
        ("unsubscribed", "form", "/u", ""),
        ("resubscribed", "form", "/u", "undo"),
    ]
    # It undoes only that unsubscribe, and only once.
    unsubscribe(server, token)
    assert server.post(f"/u/{token}", fields=undo).status == 400
    assert load_subscriber(site).status == "unsubscribed"


def load_undo_time(site: Site, undo: str) -> datetime.datetime:
    """Return when a form for undoing was signed."""
    signed_at: datetime.datetime
    _, signed_at = site.signer(UNDO_PURPOSE).loads(undo, return_timestamp=True)
    return signed_at


def test_undo_with_a_pause_of_three_months(
    site: Site, server: Any, token: str, serve: Callable[..., Any]
) -> None:
    fields = {"undo": parse_hidden_fields(unsubscribe(server, token))["undo"], "pause": "yes"}
    now = load_undo_time(site, fields["undo"])
    at_once = serve(make_app(replace(site, clock=lambda: now)), site.config)
    assert at_once.post(f"/u/{token}", fields=fields).status == 200
    subscriber_row = load_subscriber(site)
    assert subscriber_row.status == "active"
    assert subscriber_row.paused_until == now + datetime.timedelta(days=91)


def test_undo_keeps_a_pause_from_before(site: Site, server: Any, token: str) -> None:
    until = utc_now() + datetime.timedelta(days=9)
    with site.engine.begin() as connection:
        connection.execute(sa.update(subscriber).values(paused_until=until))
    undo = {"undo": parse_hidden_fields(unsubscribe(server, token))["undo"]}
    assert server.post(f"/u/{token}", fields=undo).status == 200
    assert (load_subscriber(site).status, load_subscriber(site).paused_until) == ("active", until)


def test_undo_is_bound_to_its_subscriber_also_of_two_who_left_at_once(
    site: Site, token: str, serve: Callable[..., Any]
) -> None:
    now = utc_now()
    with site.engine.begin() as connection:
        grace = parse_address("grace@example.org")
        changes.subscribe(connection, grace, "active", ChangeOrigin(now, "form", "/subscribe"))
        is_other = subscriber.c.token != token
        other = connection.scalars(sa.select(subscriber.c.token).where(is_other)).one()
    server = serve(make_app(replace(site, clock=lambda: now)), site.config)
    undo, _ = (
        {"undo": parse_hidden_fields(unsubscribe(server, left))["undo"]} for left in (token, other)
    )
    assert server.post(f"/u/{other}", fields=undo).status == 400
    assert server.post(f"/u/{token}", fields=undo).status == 200


@pytest.mark.parametrize(
    ("seconds", "status_code", "status"), [(0, 200, "active"), (1, 400, "unsubscribed")]
)
def test_undo_is_possible_for_half_an_hour(
    site: Site,
    server: Any,
    token: str,
    serve: Callable[..., Any],
    seconds: int,
    status_code: int,
    status: str,
) -> None:
    undo = {"undo": parse_hidden_fields(unsubscribe(server, token))["undo"]}
    later = load_undo_time(site, undo["undo"]) + datetime.timedelta(minutes=30, seconds=seconds)
    late_server = serve(make_app(replace(site, clock=lambda: later)), site.config)
    assert late_server.post(f"/u/{token}", fields=undo).status == status_code
    assert load_subscriber(site).status == status


def test_no_answer_may_be_stored(server: Any, token: str) -> None:
    left = unsubscribe(server, token)
    fields = parse_hidden_fields(left)
    reason, undo, again, other, unknown = (
        server.post(f"/u/{path}", fields=sent)
        for path, sent in (
            (token, {"signed": fields["signed"], "reason": "other"}),
            (token, {"undo": fields["undo"]}),
            (token, {"undo": fields["undo"]}),
            (token, {}),
            ("unknown", {"List-Unsubscribe": "One-Click"}),
        )
    )
    one_click = server.post(f"/u/{token}", fields={"List-Unsubscribe": "One-Click"})
    answers = (left, reason, undo, again, other, unknown, one_click)
    assert [answer.status for answer in answers] == [200, 200, 200, 400, 400, 404, 200]
    assert [answer.headers["Cache-Control"] for answer in answers] == ["no-store"] * len(answers)


@pytest.mark.parametrize(
    "change", [changes.record_bounce, changes.record_complaint, changes.unsubscribe]
)
def test_undo_is_not_offered_to_the_already_suppressed(
    site: Site, server: Any, token: str, change: Any
) -> None:
    with site.engine.begin() as connection:
        change(connection, load_subscriber(site).address_key, ChangeOrigin(utc_now(), "webhook"))
    assert "undo" not in parse_hidden_fields(unsubscribe(server, token))


def test_undo_is_refused_after_a_complaint(site: Site, server: Any, token: str) -> None:
    page = unsubscribe(server, token)
    with site.engine.begin() as connection:
        changes.record_complaint(
            connection, load_subscriber(site).address_key, ChangeOrigin(utc_now(), "webhook")
        )
    undo = {"undo": parse_hidden_fields(page)["undo"]}
    assert server.post(f"/u/{token}", fields=undo).status == 400
    assert load_subscriber(site).status == "complained"


def test_reasons_are_counted_anonymously(site: Site, server: Any, token: str) -> None:
    signed = parse_hidden_fields(unsubscribe(server, token))["signed"]
    before = load_rows(site)
    for reason in ("too_many", "too_many", "made up"):
        response = server.post(f"/u/{token}", fields={"signed": signed, "reason": reason})
        assert response.status == 200
    assert load_rows(site) == before
    with read_transaction(site.engine) as connection:
        assert count_unsubscribe_reasons(connection) == {"too_many": 2}


def test_unknown_tokens_all_get_the_same_page(site: Site, server: Any, token: str) -> None:
    key = load_subscriber(site).address_key
    erase_address(site.engine, key, utc_now())
    pages = {
        server.get(f"/{path}/{unknown}").data
        for path in ("u", "p")
        for unknown in (token, "sample", "A" * 22, "%C3%A9", "x" * 500)
    }
    assert len(pages) == 1
    page = pages.pop()
    assert key.encode() not in page
    assert site.config.sender.address.encode() in page
    for unknown in (token, "A" * 22):
        response = server.post(f"/u/{unknown}", body=ONE_CLICK, **{"Content-Type": FORM})
        assert response.status == 404
    assert server.get(f"/u/{token}").status == 404
