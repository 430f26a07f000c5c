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
EVERYTHING = (subscriber, journal, suppression, transactional_email)


def ask(desk: Any, server: Any, address: str = ADA.address) -> str:
    """Sign up; the path of the link that comes by mail."""
    assert server.post("/subscribe", fields=desk.fields(address)).status == 200
    assert desk.post() == [address]
    path: str = desk.link()
    return path


def contents(desk: Any) -> list[Any]:
    with desk.site.engine.begin() as connection:
        return [connection.execute(sa.select(table)).all() for table in EVERYTHING]


def test_only_the_button_subscribes(desk: Any, server: Any) -> None:
    path = ask(desk, server)
    before = contents(desk)
    for agent in ("Mozilla/5.0", "Barracuda Sentinel"):
        for _ in range(10):
            page = server.get(path, **{"User-Agent": agent})
            assert page.status == 200
            assert b"<button" in page.data
            assert server.request("HEAD", path).status == 200
    assert server.post(path, fields={}).status == 200, "an empty form presses no button"
    assert contents(desk) == before

    assert server.post(path, fields=YES).status == 200
    assert desk.status(ADA.key) == "active"
    with desk.site.engine.begin() as connection:
        lines = load_journal(connection, 1)
    assert [(line.change, line.method, line.source) for line in lines] == [
        ("subscribed", "form", "/subscribe"),
        ("confirmed", "form", "/confirm"),
    ]
    assert lines[1].wording == "Yes, send me Harbour Notes by email. I can leave at any time."


def test_the_page_is_for_nobody_else(desk: Any, server: Any) -> None:
    page = server.get(ask(desk, server))
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in page.headers["Cache-Control"]
    assert "noindex" in page.headers["X-Robots-Tag"]


def test_the_second_press_says_that_it_is_done(desk: Any, server: Any) -> None:
    path = ask(desk, server)
    server.post(path, fields=YES)
    done = contents(desk)
    for again in (server.post(path, fields=YES), server.get(path)):
        assert again.status == 200
        assert b"already" in again.data
    assert contents(desk) == done


def test_a_used_link_brings_nobody_back_who_has_left_since(desk: Any, server: Any) -> None:
    path = ask(desk, server)
    server.post(path, fields=YES)
    with desk.site.engine.begin() as connection:
        changes.unsubscribe(connection, ADA.key, ChangeOrigin(desk.time(), "one_click"))
    for answer in (server.get(path), server.post(path, fields=YES)):
        assert answer.status == 410
        assert b'/subscribe"' in answer.data
    assert desk.status(ADA.key) == "unsubscribed"


@pytest.mark.parametrize("left", ["unsubscribed", "bounced", "complained", "erased"])
def test_whoever_left_comes_back_by_their_own_word(desk: Any, server: Any, left: str) -> None:
    origin = ChangeOrigin(desk.time(), "webhook")
    with desk.site.engine.begin() as connection:
        changes.subscribe(connection, ADA, "active", origin)
        if left in changes.SUPPRESSION_ACTIONS:
            changes.SUPPRESSION_ACTIONS[left](connection, ADA.key, origin)
    if left == "erased":
        erase_address(desk.site.engine, ADA.key, desk.time())
    path = ask(desk, server)
    assert desk.status(ADA.key) != "active"
    server.post(path, fields=YES)
    assert desk.status(ADA.key) == "active"
    assert desk.status(ADA.key) == "active"


def test_an_expired_link_says_how_to_get_a_new_one(desk: Any, server: Any) -> None:
    path = ask(desk, server)
    desk.time.pass_by(days=7, seconds=2)
    for answer in (server.get(path), server.post(path, fields=YES)):
        assert answer.status == 410
        assert b'/subscribe"' in answer.data
    assert desk.status(ADA.key) == "pending"


def test_a_link_of_another_make_is_no_link(desk: Any, server: Any) -> None:
    path = ask(desk, server)
    before = contents(desk)
    flipped = "A" if path[-5] != "A" else "B"
    forged = [path[:-5] + flipped + path[-4:], path[:9] + "X" + path[10:]]
    forged += [f"/confirm/{desk.site.signer('form').dumps(1)}", "/confirm/x", f"{path}%00"]
    for bad in forged:
        assert server.get(bad).status == 404, bad
        assert server.post(bad, fields=YES).status == 404, bad
    assert contents(desk) == before


@pytest.mark.parametrize("settings", [{"signup": {"welcome": True}}])
def test_who_has_confirmed_is_welcomed_once(desk: Any, server: Any) -> None:
    path = ask(desk, server)
    server.post(path, fields=YES)
    server.post(path, fields=YES)
    assert desk.post() == [ADA.address]
    assert desk.letter()["subject"] == "Welcome to Harbour Notes"
    assert desk.post() == []
